"""Processes, pages and jobs of any size, for timing."""
