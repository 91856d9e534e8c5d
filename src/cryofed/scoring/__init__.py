"""An average becomes a score."""
