"""VOI LUT Sequence: the table that maps modality values to display values (PS3.3 C.11.2.1.1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dicoxide._arguments import Array
from dicoxide._sources import Attributes, lut_bytes, lut_entries, open_source
from dicoxide._transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN
from dicoxide.errors import CorruptFrameError

__all__ = ["VoiLut", "read_voi_lut"]

_CLAUSE = "PS3.3 C.11.2.1.1"


class VoiLut(NamedTuple):
    """A table of display values.

    Attributes
    ----------
    table : ndarray
        Display values, 0 to `maximum`.
    first : int
        Modality value that maps to the first entry.
    maximum : int
        Largest display value: 2 to the power of the bits for each entry, less 1.
    """

    table: Array
    first: int
    maximum: int

    def fractions(self, values: Array) -> Array:
        """Map modality values to 0 to 1; values below and above the range of the table map to its ends."""
        indices = np.clip(np.rint(values) - self.first, 0, len(self.table) - 1).astype(np.intp)
        fractions: Array = self.table[indices] / self.maximum
        return fractions


def read_voi_lut(path: str) -> VoiLut | None:
    """Return the first item of the VOI LUT Sequence of a file, or None if it has none.

    Raises
    ------
    CorruptFrameError
        If descriptor and data do not match.
    """
    source = open_source(path)
    try:
        attributes = source.attributes
        items = attributes.get("VOILUTSequence")
        if not items:
            return None
        is_big_endian = source.spec.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN
        return _voi_lut(items[0], _has_negative_values(attributes), is_big_endian=is_big_endian)
    finally:
        source.close()


def _voi_lut(item: Attributes, has_negative_values: bool, *, is_big_endian: bool) -> VoiLut:
    descriptor = item.get("LUTDescriptor")
    if not (isinstance(descriptor, list) and len(descriptor) == 3 and all(type(value) is int for value in descriptor)):
        raise _error(f"LUT Descriptor is {descriptor!r}, three numbers expected")
    count, first, bits = descriptor[0] & 0xFFFF or 1 << 16, descriptor[1], descriptor[2]
    if not 1 <= bits <= 16:
        raise _error(f"{bits} bits for each entry found, at most 16 expected")
    # The VR of the first value is US or SS. Writers often choose the wrong one, so the range of the values decides.
    if has_negative_values and first >= 1 << 15:
        first -= 1 << 16
    table = _entries(item.get("LUTData"), count, bits, is_big_endian=is_big_endian)
    maximum = (1 << bits) - 1
    return VoiLut(np.minimum(table, maximum), first, maximum)


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


def _has_negative_values(attributes: Attributes) -> bool:
    """Return True if the modality values, which the table maps, can be negative."""
    if attributes.get("ModalityLUTSequence"):
        # Its values are unsigned (PS3.3 C.11.1.1).
        return False
    intercept, slope = attributes.get("RescaleIntercept"), attributes.get("RescaleSlope")
    if attributes.get("PixelRepresentation") == 1:
        return True
    numbers = [value for value in (intercept, slope) if isinstance(value, (int, float))]
    return any(value < 0 for value in numbers)


def _error(text: str) -> CorruptFrameError:
    return CorruptFrameError(f"VOI LUT: {text} ({_CLAUSE})", kind="Mismatch", clause=_CLAUSE)
