"""VOI LUT Sequence: the table that maps modality values to display values (PS3.3 C.11.2.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dicoxide._arguments import Array
from dicoxide._backend import core
from dicoxide._sources import Attributes, lut_bytes, lut_entries
from dicoxide.errors import CorruptFrameError

if TYPE_CHECKING:
    from dicoxide._core import LookupTable

__all__ = ["read_voi_lut"]

_CLAUSE = "PS3.3 C.11.2.1.1"


def read_voi_lut(item: Attributes, *, has_negative_values: bool, is_big_endian: bool) -> tuple[LookupTable, int]:
    """Return the table of an item of the VOI LUT Sequence, and the bits of its entries.

    Parameters
    ----------
    item : Attributes
        The item.
    has_negative_values : bool
        True if the modality values, which the table maps, can be negative. The first value mapped is signed then,
        whatever its VR, because writers often choose the wrong one.
    is_big_endian : bool
        True if the words of LUT Data are big-endian.

    Raises
    ------
    CorruptFrameError
        If descriptor and data do not match.
    """
    values = item.get_many(("LUTDescriptor", "LUTData"))
    descriptor = values.get("LUTDescriptor")
    if not (isinstance(descriptor, list) and len(descriptor) == 3 and all(type(value) is int for value in descriptor)):
        raise _error(f"LUT Descriptor is {str(descriptor)[:64]}, three numbers expected")
    count, first, bits = descriptor[0] & 0xFFFF or 1 << 16, descriptor[1], descriptor[2]
    if not 1 <= bits <= 16:
        raise _error(f"{bits} bits for each entry found, at most 16 expected")
    if has_negative_values and first >= 1 << 15:
        first -= 1 << 16
    entries = _entries(values.get("LUTData"), count, bits, is_big_endian=is_big_endian)
    return core.LookupTable(first, np.minimum(entries, (1 << bits) - 1).astype(np.uint16)), bits


def _entries(value: object, count: int, bits: int, *, is_big_endian: bool) -> Array:
    """Return the table's entries: words, one each; or bytes, two in each word (PS3.5 7.3)."""
    data = None if value is None else lut_bytes(value)
    if data is None:
        raise _error("LUT Data is missing or not a table")
    needed = count if bits <= 8 else 2 * count
    if len(data) < needed:
        raise _error(f"LUT Data has {len(data)} bytes, at least {needed} expected")
    is_swapped = is_big_endian and isinstance(value, bytes)
    return lut_entries(data, count, is_packed=len(data) < 2 * count, is_swapped=is_swapped)


def _error(text: str) -> CorruptFrameError:
    return CorruptFrameError(f"VOI LUT: {text} ({_CLAUSE})", kind="Mismatch", clause=_CLAUSE)
