"""Encapsulated Pixel Data values of frames (PS3.5 A.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"


def item(data: bytes) -> bytes:
    """Return one item (FFFE,E000) of explicit length."""
    return b"\xfe\xff\x00\xe0" + struct.pack("<L", len(data)) + data


@dataclass(frozen=True)
class Encapsulated:
    """A Pixel Data value, and the Extended Offset Table with its Lengths if requested."""

    value: bytes
    extended: tuple[bytes, bytes] | None


def split(frame: bytes, fragments: int) -> list[bytes]:
    """Split a frame into at most ``fragments`` non-empty fragments, of even length except the last."""
    size = max(2, -(-len(frame) // fragments))
    size += size % 2
    return [frame[offset : offset + size] for offset in range(0, len(frame), size)] or [b""]


def encapsulate(
    frames: list[bytes],
    *,
    table: str = "none",
    fragments: int = 1,
    shift: int = 2,
    delimiter: bool = False,
) -> Encapsulated:
    """Return the value of encapsulated frames.

    ``table`` is ``"none"``, ``"basic"``, ``"wrong"`` (a Basic Offset Table whose entries are ``shift`` off) or
    ``"extended"`` (one fragment per frame).
    """
    body = bytearray()
    offsets, lengths = [], []
    for frame in frames:
        offsets.append(len(body))
        lengths.append(len(frame))
        for fragment in split(frame, fragments):
            body += item(fragment + b"\0" * (len(fragment) % 2))
    basic = b""
    if table in ("basic", "wrong"):
        off = shift if table == "wrong" else 0
        basic = struct.pack(f"<{len(offsets)}L", *(offset + off for offset in offsets))
    extended = None
    if table == "extended":
        assert fragments == 1
        extended = (struct.pack(f"<{len(offsets)}Q", *offsets), struct.pack(f"<{len(lengths)}Q", *lengths))
    return Encapsulated(item(basic) + bytes(body) + (SEQUENCE_DELIMITER if delimiter else b""), extended)
