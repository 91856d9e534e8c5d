"""Many sites, one model."""
