"""Codestreams that only other packages decode: where a frame starts, and the size of its image."""

from __future__ import annotations

import struct

_JPEG_SOI = b"\xff\xd8"
_JPEG_2000_SOC_SIZ = b"\xff\x4f\xff\x51"
# First bytes of codestreams: JPEG and JPEG-LS, JPEG 2000, JPEG XL, and the signature boxes of the last two.
_SIGNATURES = (
    _JPEG_SOI + b"\xff",
    _JPEG_2000_SOC_SIZ,
    b"\xff\x0a",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\0\0\0\x0cJXL \r\n\x87\n",
)
# Second bytes of the SOF markers of JPEG (T.81 Table B.1) and JPEG-LS (T.87 Table C.1); without DHT,
# JPG and DAC.
_SOF_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


def starts_frame(fragment: bytes) -> bool:
    """Return True if `fragment` starts with the signature of a codestream."""
    return fragment.startswith(_SIGNATURES)


def codestream_size(src: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) of a JPEG, JPEG-LS or JPEG 2000 codestream, or None if they cannot be read."""
    try:
        if src.startswith(_JPEG_SOI):
            return _jpeg_size(src)
        if src.startswith(_JPEG_2000_SOC_SIZ):
            # SIZ marker segment: Xsiz, Ysiz, XOsiz, YOsiz (T.800 A.5.1).
            width, height, left, top = struct.unpack_from(">4L", src, 8)
            return (height - top, width - left) if height >= top and width >= left else None
    except (struct.error, IndexError):
        pass
    return None


def _jpeg_size(src: bytes) -> tuple[int, int] | None:
    """Read the frame header (T.81 B.2.2, T.87 C.2.2), skipping the marker segments before it."""
    position = 2
    while src[position] == 0xFF:
        # A marker may be preceded by any number of fill bytes 0xFF (T.81 B.1.1.2).
        while src[position] == 0xFF:
            position += 1
        marker, (length,) = src[position], struct.unpack_from(">H", src, position + 1)
        if marker == 0 or length < 2:
            return None
        if marker in _SOF_MARKERS:
            # After the marker: length, precision P (1 byte), number of lines Y, samples per line X.
            lines, columns = struct.unpack_from(">HH", src, position + 4)
            return (lines, columns) if lines and columns else None
        position += 1 + length
    return None
