"""Macromolecules: beads with weights, drawn at random or read from files."""
