"""Who is who, and what runs where."""
