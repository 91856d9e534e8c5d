"""How updates become the next common model: one published method per file."""
