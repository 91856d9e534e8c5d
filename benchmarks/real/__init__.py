"""The public benchmark of selecting 2D class averages of real data; see docs/benchmark.md."""
