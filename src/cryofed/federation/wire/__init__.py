"""The bytes between machines: what is sent, how it is encoded, and how it is checked on arrival."""
