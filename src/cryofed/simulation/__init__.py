"""Molecules, projections, class averages and whole sites with known truth."""
