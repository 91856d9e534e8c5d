"""What runs where, proven by the maker of the chip: `verify(evidence, policy, binding, now)`."""
