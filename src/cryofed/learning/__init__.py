"""Train and evaluate on one library."""
