"""What a benchmark judges a model on, and the figures that come of it."""
