"""Who carries the vectors: one file or folder per engine."""
