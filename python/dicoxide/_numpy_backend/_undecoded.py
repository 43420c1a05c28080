"""Codestreams that are decoded elsewhere: where their frames begin, and how large their images are."""

from __future__ import annotations

import struct

# How codestreams begin: of JPEG and JPEG-LS, of JPEG 2000, of JPEG XL; files of the last two have a signature box.
_BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\xff\x4f\xff\x51",
    b"\xff\x0a",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\0\0\0\x0cJXL \r\n\x87\n",
)
_STARTS_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


def starts_frame(fragment: bytes) -> bool:
    """Whether ``fragment`` begins as a codestream does."""
    return fragment.startswith(_BEGINNINGS)


def codestream_size(src: bytes) -> tuple[int, int] | None:
    """Rows and columns that a codestream of JPEG, JPEG-LS or JPEG 2000 says it has; None where it does not say."""
    try:
        if src.startswith(b"\xff\xd8"):
            return _size_of_jpeg(src)
        if src.startswith(_BEGINNINGS[1]):
            # SIZ (T.800 A.5.1).
            width, height, left, top = struct.unpack_from(">4L", src, 8)
            return (height - top, width - left) if height >= top and width >= left else None
    except (struct.error, IndexError):
        pass
    return None


def _size_of_jpeg(src: bytes) -> tuple[int, int] | None:
    """From the frame header (T.81 B.2.2, T.87 C.2.2)."""
    at = 2
    while src[at] == 0xFF:
        while src[at] == 0xFF:
            at += 1
        marker, (length,) = src[at], struct.unpack_from(">H", src, at + 1)
        if marker == 0 or length < 2:
            return None
        if marker in _STARTS_OF_FRAME:
            lines, columns = struct.unpack_from(">HH", src, at + 4)
            return (lines, columns) if lines and columns else None
        at += 1 + length
    return None
