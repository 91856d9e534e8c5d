"""Files that survive a crash: written whole, locked, chained, and one format for arrays."""
