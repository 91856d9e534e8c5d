"""A finished 2D classification, read from disk."""
