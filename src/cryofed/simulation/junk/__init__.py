"""What a picker takes for a particle and is none: one painter for each kind."""
