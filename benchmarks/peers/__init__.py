"""The peers that the benchmark on real averages compares with, written new and trained under its folds."""
