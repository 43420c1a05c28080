"""LUT Data of look-up table sequences, in every encoding (PS3.3 C.11.1.1.1 and C.11.2.1.1, PS3.5 7.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["lut_bytes", "lut_entries", "lut_words"]


def lut_words(value: Any, is_big_endian: bool) -> npt.NDArray[np.uint16] | None:
    """Return a value of VR US, SS or OW as 16-bit words, signed numbers modulo 2^16; None if it has other values."""
    if isinstance(value, (bytes, bytearray)):
        words = np.frombuffer(bytes(value[: len(value) // 2 * 2]), ">u2" if is_big_endian else "<u2")
        return words.astype(np.uint16, copy=False)
    numbers = [] if value is None else list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(number, int) and -0x8000 <= number <= 0xFFFF for number in numbers):
        return None
    return np.array([number & 0xFFFF for number in numbers], np.uint16)


def lut_bytes(value: Any) -> bytes | None:
    """Return the bytes of LUT Data; those of numbers are little-endian words. None if it has other values."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    words = lut_words(value, False)
    return None if words is None else words.astype("<u2", copy=False).tobytes()


def lut_entries(
    data: bytes, count: int, *, is_packed: bool, is_swapped: bool
) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint8]:
    """Return the first `count` entries: words, or bytes if `is_packed`, two in each word.

    `is_swapped` is True if words are big-endian. A byte after the last word is not swapped.
    """
    words = lut_words(data, is_swapped)
    assert words is not None
    if not is_packed:
        return words[:count]
    entries = words.astype("<u2", copy=False).view(np.uint8)
    return np.append(entries, np.frombuffer(data[entries.size :], np.uint8))[:count]
