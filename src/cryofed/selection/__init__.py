"""Scores become files."""
