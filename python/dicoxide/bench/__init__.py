"""Comparison of decoders: who is exact and how fast, on anybody's own images."""
