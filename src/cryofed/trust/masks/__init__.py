"""Masked sums: the aggregator adds updates that it cannot read. The protocol is told in docs/trust.md."""
