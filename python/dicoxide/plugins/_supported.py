"""The transfer syntaxes that the plugins for pydicom offer to decode."""

from __future__ import annotations

from dicoxide._backend import core
from dicoxide._transfer_syntaxes import (
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LS_LOSSLESS,
    JPEG_LS_NEAR_LOSSLESS,
)

__all__ = ["SUPPORTED"]

_CODECS = {uid: codec for uid, _, codec in core.transfer_syntaxes()}
# Their frames may be lossless codestreams all the same, which the core recognises by the start-of-frame marker. pydicom
# passes other frames to its next plugin or handler.
_JPEG_FAMILY = frozenset({JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_LOSSLESS, JPEG_LS_NEAR_LOSSLESS})

SUPPORTED = frozenset(
    uid
    for uid, codec in _CODECS.items()
    if codec is not None or (uid in _JPEG_FAMILY and _CODECS[JPEG_LOSSLESS] is not None)
)
