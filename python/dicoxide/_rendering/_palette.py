"""Palette Color Lookup Tables, also segmented ones (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 and C.7.9.2)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dicoxide._arguments import Array
from dicoxide._deviations import Deviation
from dicoxide._rendering._options import DTYPES
from dicoxide._sources import Attributes, lut_bytes, lut_entries, lut_words
from dicoxide.errors import CorruptFrameError

__all__ = ["Palette", "read_palette", "scaled_entries"]

_DESCRIPTOR_CLAUSE = "PS3.3 C.7.6.3.1.5"
_DATA_CLAUSE = "PS3.3 C.7.6.3.1.6"
_SEGMENT_CLAUSE = "PS3.3 C.7.9.2"
_COLORS = ("Red", "Green", "Blue")
# Opcodes of segments.
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


class Palette(NamedTuple):
    """A table from stored values to colours.

    Attributes
    ----------
    first_mapped : int
        Stored value of the first entry.
    entries : ndarray
        (entries, 3): red, green, blue; uint8 or uint16, with 8 or 16 significant bits.
    """

    first_mapped: int
    entries: Array


class _Descriptor(NamedTuple):
    entry_count: int
    first_mapped: int
    bits: int


def read_palette(attributes: Attributes, *, is_signed: bool, is_big_endian: bool) -> tuple[Palette, list[Deviation]]:
    """Return the palette of a data set, and its deviations.

    Parameters
    ----------
    attributes : Attributes
        The data set.
    is_signed : bool
        True if stored values are signed; the first value mapped is signed then, whatever its VR.
    is_big_endian : bool
        True if the words of the tables are big-endian.

    Raises
    ------
    CorruptFrameError
        If a table is missing, or has fewer entries than its descriptor declares, or a segment is invalid.
    """
    values = attributes.get_many(
        [
            keyword
            for color in _COLORS
            for keyword in (
                f"{color}PaletteColorLookupTableDescriptor",
                f"{color}PaletteColorLookupTableData",
                f"Segmented{color}PaletteColorLookupTableData",
            )
        ]
    )
    descriptors = [
        _descriptor(values.get(f"{color}PaletteColorLookupTableDescriptor"), color, is_signed) for color in _COLORS
    ]
    deviations: list[Deviation] = []
    first = descriptors[0]
    for color, descriptor in zip(_COLORS[1:], descriptors[1:], strict=True):
        if descriptor != first:
            text = (
                f"{color} palette descriptor is {_values_of(descriptor)}, that of Red is {_values_of(first)}: {_USED}"
            )
            deviations.append(Deviation(None, text, _DESCRIPTOR_CLAUSE, None))
    columns = [_read_table(values, color, first, is_big_endian, deviations) for color in _COLORS]
    # Some writers declare 16 bits for entries of 8 bits.
    is_narrow = max(int(column.max()) for column in columns) <= 0xFF
    entries = np.stack(columns, axis=-1).astype(np.uint8 if is_narrow else np.uint16)
    return Palette(first.first_mapped, entries), deviations


_USED = "that of Red is used"


def scaled_entries(entries: Array, dtype: str) -> Array:
    """Return entries of 8 or 16 bits as values of an output type.

    16 bits become 8 by dropping the low ones, which is exact for entries that were made of 8 bits by ``value * 257`` or
    ``value << 8``.
    """
    if entries.dtype.name == dtype:
        return np.ascontiguousarray(entries)
    if dtype == "uint8":
        return (entries >> 8).astype(np.uint8)
    if dtype == "uint16":
        return np.asarray(entries * np.uint16(257), np.uint16)
    return np.asarray(entries / (256**entries.dtype.itemsize - 1) * DTYPES[dtype], np.float32)


def _descriptor(value: Any, color: str, is_signed: bool) -> _Descriptor:
    """Return a descriptor: number of entries, first stored value, bits for each entry."""
    words = None if value is None else lut_words(value, False)
    if words is None or len(words) != 3:
        text = f"{color} palette descriptor is {str(value)[:64]}, three numbers expected"
        raise _error(text, _DESCRIPTOR_CLAUSE)
    count, first_mapped, bits = map(int, words)
    if not 8 <= bits <= 16:
        raise _error(f"{color} palette has {bits} bits per entry, 8 or 16 expected", _DESCRIPTOR_CLAUSE)
    if is_signed and first_mapped >= 1 << 15:
        first_mapped -= 1 << 16
    return _Descriptor(count or 1 << 16, first_mapped, bits)


def _values_of(descriptor: _Descriptor) -> str:
    return "\\".join(map(str, descriptor))


def _read_table(
    values: dict[str, Any], color: str, descriptor: _Descriptor, is_big_endian: bool, deviations: list[Deviation]
) -> npt.NDArray[np.int64]:
    """Return the entries of one colour."""
    data = values.get(f"{color}PaletteColorLookupTableData")
    if data:
        return _plain_table(data, color, descriptor, is_big_endian, deviations)
    segments = values.get(f"Segmented{color}PaletteColorLookupTableData")
    if segments:
        return _segmented_table(segments, color, descriptor, is_big_endian, deviations)
    raise _error(f"{color} palette data are missing", _DATA_CLAUSE)


def _plain_table(
    value: Any, color: str, descriptor: _Descriptor, is_big_endian: bool, deviations: list[Deviation]
) -> npt.NDArray[np.int64]:
    count, _, bits = descriptor
    data = lut_bytes(value)
    if data is None:
        raise _error(f"{color} palette data are not 16-bit words", _DATA_CLAUSE)
    # 8-bit entries are packed, two in each word, or one in each word (PS3.5 8.1.1 does not say which).
    is_packed = len(data) < 2 * count
    # The last byte may be padding. Other lengths are those of tables that are too short.
    if is_packed and bits > 8 and count <= len(data) <= count + 1:
        text = f"palette has {len(data)} bytes for {count} entries of {bits} bits: taken as entries of 8 bits"
        deviations.append(Deviation(None, text, _DATA_CLAUSE, None))
    elif len(data) < (count if bits == 8 else 2 * count):
        needed = count * (1 if bits == 8 else 2)
        raise _error(f"{color} palette has {len(data)} bytes, {needed} expected", _DATA_CLAUSE)
    is_swapped = is_big_endian and isinstance(value, (bytes, bytearray))
    entries = lut_entries(data, count, is_packed=is_packed, is_swapped=is_swapped)
    return _significant(entries.astype(np.int64), bits)


def _segmented_table(
    value: Any, color: str, descriptor: _Descriptor, is_big_endian: bool, deviations: list[Deviation]
) -> npt.NDArray[np.int64]:
    """Return the entries of a segmented table (PS3.3 C.7.9.2)."""
    data = lut_bytes(value)
    if data is None:
        raise _error(f"segmented {color} palette data are not 16-bit words", _SEGMENT_CLAUSE)
    is_swapped = is_big_endian and isinstance(value, (bytes, bytearray))
    is_packed = descriptor.bits == 8
    item_bytes = 1 if is_packed else 2
    items = lut_entries(data, len(data) // item_bytes, is_packed=is_packed, is_swapped=is_swapped).astype(np.int64)
    entries = _Expansion(items, item_bytes, descriptor.entry_count, color, deviations).run()
    return _significant(entries, descriptor.bits)


class _Expansion:
    """Expands the segments of one table. Every segment adds an entry, so that the number of entries bounds the time.

    Parameters
    ----------
    items : ndarray of int64
        Opcodes, lengths and values.
    item_bytes : int
        Bytes of one item: 1 or 2.
    entry_count : int
        Declared number of entries.
    """

    def __init__(
        self, items: npt.NDArray[np.int64], item_bytes: int, entry_count: int, color: str, deviations: list[Deviation]
    ) -> None:
        self._items = items
        self._item_bytes = item_bytes
        self._name = f"segmented {color} palette"
        self._deviations = deviations
        self._entries = np.zeros(entry_count, np.int64)
        self._count = 0

    def run(self) -> npt.NDArray[np.int64]:
        """Return the expanded entries."""
        position = 0
        while self._count < len(self._entries):
            if position >= len(self._items):
                raise self._error(f"has {self._count} entries, {len(self._entries)} expected")
            position = self._expand(position, is_copied=False)
        # One item of 8 bits may be padding.
        if len(self._items) - position > 2 - self._item_bytes:
            text = f"segmented palette has {len(self._items) - position} items after the last entry: ignored"
            self._deviations.append(Deviation(None, text, _SEGMENT_CLAUSE, None))
        return self._entries

    def _expand(self, position: int, *, is_copied: bool) -> int:
        """Expand the segment at an index of an item, and return the index after it."""
        opcode, length = self._item(position), self._item(position + 1)
        if opcode == _INDIRECT and not is_copied:
            return self._copy(position, length)
        if opcode not in (_DISCRETE, _LINEAR):
            expected = "0 or 1" if is_copied else "0, 1 or 2"
            raise self._error(f"has a segment of type {opcode}, {expected} expected", position)
        if length < 1:
            raise self._error("has a segment without entries", position)
        if opcode == _DISCRETE:
            end = position + 2 + length
            if end > len(self._items):
                raise self._error(f"ends within a segment of {length} entries", position)
            self._append(self._items[position + 2 : end], position)
            return end
        if self._count == 0:
            raise self._error("starts with a linear segment, which has no value before it", position)
        start, stop = self._entries[self._count - 1], self._item(position + 2)
        steps = np.arange(1, length + 1)
        self._append(np.rint(start + (stop - start) * steps / length).astype(np.int64), position)
        return position + 3

    def _copy(self, position: int, segment_count: int) -> int:
        """Expand segments again, to which an indirect segment refers by the byte offset of the first one."""
        # The offset has 32 bits, the least significant item first.
        item_count = 4 // self._item_bytes
        offset = sum(self._item(position + 2 + index) << 8 * self._item_bytes * index for index in range(item_count))
        if offset % self._item_bytes or offset // self._item_bytes >= position:
            raise self._error(f"has an indirect segment with byte offset {offset}", position)
        if segment_count < 1:
            raise self._error("has an indirect segment without segments", position)
        source = offset // self._item_bytes
        for _ in range(segment_count):
            source = self._expand(source, is_copied=True)
        return position + 2 + item_count

    def _item(self, position: int) -> int:
        if position >= len(self._items):
            raise self._error("ends within a segment")
        return int(self._items[position])

    def _append(self, entries: npt.NDArray[np.int64], position: int) -> None:
        if self._count + len(entries) > len(self._entries):
            raise self._error(f"has more than {len(self._entries)} entries", position)
        self._entries[self._count : self._count + len(entries)] = entries
        self._count += len(entries)

    def _error(self, text: str, position: int | None = None) -> CorruptFrameError:
        place = "" if position is None else f" at byte {position * self._item_bytes}"
        return _error(f"{self._name} {text}{place}", _SEGMENT_CLAUSE)


def _significant(entries: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.int64]:
    """Return entries scaled to 16 bits if they have 9 to 15, which the standard does not allow but some files have."""
    if bits in (8, 16):
        return entries
    highest = (1 << bits) - 1
    return np.rint(np.minimum(entries, highest) / highest * 0xFFFF).astype(np.int64)


def _error(text: str, clause: str) -> CorruptFrameError:
    return CorruptFrameError(f"{text} ({clause})", kind="Malformed", clause=clause)
