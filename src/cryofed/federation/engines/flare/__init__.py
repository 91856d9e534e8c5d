"""NVIDIA FLARE carries the vectors between real sites: mutual TLS, keys made at home, no code on the wire."""
