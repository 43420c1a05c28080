"""Marker segments of JPEG and JPEG-LS codestreams (T.81 B.1.1, T.87 C.1.1)."""

from __future__ import annotations

from collections.abc import Iterator


def segments(src: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, end of the parameters) of the marker segments after SOI, up to the first invalid one."""
    position = 2
    while src[position : position + 1] == b"\xff":
        # A marker may be preceded by any number of fill bytes 0xFF (T.81 B.1.1.2).
        while src[position : position + 1] == b"\xff":
            position += 1
        if len(src) < position + 3 or src[position] == 0:
            return
        length = int.from_bytes(src[position + 1 : position + 3], "big")
        if length < 2:
            return
        yield src[position], position + 3, position + 1 + length
        position += 1 + length
