"""What a site has learnt from its own past."""
