"""Decoders of other packages, for codestreams that the core does not decode."""
