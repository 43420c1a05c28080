"""The transfer syntaxes that the plugins for pydicom offer to decode."""

from __future__ import annotations

from dicoxide._backend import core

__all__ = ["SUPPORTED"]

# Within the JPEG family the core recognises the codestream by its start-of-frame marker. pydicom passes frames that the
# core does not decode to its next plugin or handler.
SUPPORTED = frozenset(uid for uid, _, codec in core.transfer_syntaxes() if codec is not None)
