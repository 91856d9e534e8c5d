"""What each command of the benchmark on real averages does."""
