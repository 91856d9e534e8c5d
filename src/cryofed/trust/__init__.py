"""Who is who: keys, requests, certificates, members; and what of it is pinned, signed and attested."""
