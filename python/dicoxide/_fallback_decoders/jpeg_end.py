"""The end of JPEG and JPEG-LS codestreams, which not all decoders require: pylibjpeg returns an image without it."""

from __future__ import annotations

__all__ = ["has_end_of_image"]

_SOI, _EOI, _SOS = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"


def has_end_of_image(codestream: bytes) -> bool:
    """Return False if a JPEG or JPEG-LS codestream ends without marker EOI after its last scan.

    Entropy-coded data contain no marker but RSTn (T.81 B.1.1.5, T.87 A.1). Codestreams of other formats and those
    without a scan are not examined.
    """
    last_scan = codestream.rfind(_SOS)
    return not codestream.startswith(_SOI) or last_scan < 0 or codestream.find(_EOI, last_scan) >= 0
