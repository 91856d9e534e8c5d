"""Each figure in the README is made here, against the peer it names."""
