"""Molecules, projections, class averages and whole sites with known truth.

The files here are what a user asks for: `corpus`, `sites`, `classify`. The rooms build on one another in this
order: `molecules`, `imaging`, `spec`, `scene`, `junk`, `classes`, `particles`, `files`.
"""
