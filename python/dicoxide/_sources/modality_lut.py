"""Modality LUT Sequence of a pydicom Dataset (PS3.3 C.11.1, C.11.1.1.1).

The core reads that of files with the same rules and messages: ``rust/part10/src/modality_lut.rs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from dicoxide._backend import core
from dicoxide._deviations import Deviation
from dicoxide._sources.lut_data import lut_bytes, lut_entries, lut_words
from dicoxide.errors import CorruptFrameError

if TYPE_CHECKING:
    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from dicoxide._core import LookupTable

_CLAUSE = "PS3.3 C.11.1.1.1"
_Found = TypeVar("_Found")


class _Descriptor(NamedTuple):
    """LUT Descriptor (0028,3002)."""

    entries: int
    first_mapped: int
    bits: int


def read_modality_lut(
    dataset: Dataset, *, is_signed: bool, is_big_endian: bool
) -> tuple[LookupTable, list[Deviation]] | None:
    """Return the Modality LUT of stored values that are signed or not, and its deviations; None if there is none.

    Raises
    ------
    CorruptFrameError
        If the table cannot be read as the standard defines it.
    """
    items = dataset.get("ModalityLUTSequence")
    if not items:
        return None
    deviations = []
    if len(items) > 1:
        text = f"Modality LUT Sequence has {len(items)} items, 1 expected: the first is used"
        deviations.append(Deviation(None, text, "PS3.3 C.11.1", None))
    item = items[0]
    for keyword, name in (("LUTDescriptor", "LUT Descriptor"), ("LUTData", "LUT Data")):
        if keyword not in item:
            raise _malformed(f"{name} is missing")
    descriptor = _descriptor(item["LUTDescriptor"].value, is_signed, is_big_endian)
    data = item["LUTData"]
    is_swapped = is_big_endian and data.VR != "OB"
    entries = _entries(data.value, descriptor, is_swapped, deviations)
    return core.LookupTable(descriptor.first_mapped, entries.astype(np.uint16)), deviations


def _descriptor(value: Any, is_signed: bool, is_big_endian: bool) -> _Descriptor:
    if isinstance(value, bytes) and len(value) % 2:
        raise _malformed(f"LUT Descriptor has {len(value)} bytes, 3 values expected")
    words = _checked(lut_words(value, is_big_endian))
    if len(words) != 3:
        raise _malformed(f"LUT Descriptor has {len(words)} values, 3 values expected")
    first_mapped = words[1:2].view(np.int16) if is_signed else words[1:2]
    return _Descriptor(int(words[0]) or 1 << 16, int(first_mapped[0]), int(words[2]))


def _entries(
    value: Any, descriptor: _Descriptor, is_swapped: bool, deviations: list[Deviation]
) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint8]:
    """Return the entries, of which at least the declared number has to be present."""
    entries, _, bits = descriptor
    if not 8 <= bits <= 16:
        raise _malformed(f"LUT Descriptor has {bits} bits per entry, 8 or 16 expected")
    if bits not in (8, 16):
        text = f"Modality LUT: LUT Descriptor has {bits} bits per entry, 8 or 16 expected: entries of 16 bits are used"
        deviations.append(Deviation(None, text, _CLAUSE, None))
    data = _checked(lut_bytes(value))
    is_swapped = is_swapped and isinstance(value, (bytes, bytearray))
    is_packed = bits == 8 and len(data) < 2 * entries
    needed = entries * (1 if is_packed else 2)
    padded = needed + needed % 2
    if len(data) < needed:
        raise _malformed(f"LUT Data has {len(data)} bytes, {needed} expected")
    if len(data) > padded:
        text = f"Modality LUT: LUT Data has {len(data)} bytes, {padded} expected: the others are ignored"
        deviations.append(Deviation(None, text, _CLAUSE, None))
    table = lut_entries(data[:padded], entries, is_packed=is_packed, is_swapped=is_swapped)
    if bits == 8 and table.max() > 0xFF:
        entry = int(table[np.argmax(table > 0xFF)])
        raise _malformed(f"LUT Data has an entry {entry}, at most 255 expected of 8 bits")
    return table


def _checked(found: _Found | None) -> _Found:
    """Return what has been read of the descriptor or the data; None is an error."""
    if found is None:
        raise _malformed("LUT Descriptor and LUT Data have other values than 16-bit integers")
    return found


def _malformed(message: str) -> CorruptFrameError:
    return CorruptFrameError(f"Modality LUT: {message} ({_CLAUSE})", kind="Malformed", clause=_CLAUSE)
