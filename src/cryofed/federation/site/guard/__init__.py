"""What a site does to every update before it leaves: check, clip, noise, compress, mask."""
