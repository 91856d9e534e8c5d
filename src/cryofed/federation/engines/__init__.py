"""Who carries the vectors: one folder per engine, found by entry point; no other room knows them by name."""
