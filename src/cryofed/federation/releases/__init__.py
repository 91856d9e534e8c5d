"""Versioned models, and who made which one current."""
