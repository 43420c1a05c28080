"""Measures decoders on the user's own machine and files, and checks what they answer."""
