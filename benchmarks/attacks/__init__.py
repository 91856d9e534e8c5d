"""What an attacker gets: from an update, and from a release. Figures of docs/security.md."""
