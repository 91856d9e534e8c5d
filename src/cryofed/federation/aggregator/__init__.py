"""Rounds, admission, quorum, checkpoint, campaign and gate: decided here, whatever engine carries."""
