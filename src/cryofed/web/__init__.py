"""Review and monitor, in the browser."""
