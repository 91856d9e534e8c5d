"""In a site's processes."""
