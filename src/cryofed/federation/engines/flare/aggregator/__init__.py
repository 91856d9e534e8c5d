"""In the aggregator's processes."""
