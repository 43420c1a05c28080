"""Test-only encoders: small, slow, and written from the standard rather than from the decoders."""
