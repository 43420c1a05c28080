"""Offsets of the structures of a file, so that mutations change bytes that decoders read.

The parser is independent of pydicom and of the package. It does not validate, because it only reads valid files.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

UNDEFINED = 0xFFFFFFFF
DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_IMPLICIT = "1.2.840.10008.1.2"
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT = b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
_VRS = {b"", *_LONG, *_SHORT.split()}
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_TRANSFER_SYNTAX = 0x00020010
PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


@dataclass(frozen=True)
class Element:
    """A data element, or the header of an item."""

    tag: int
    vr: bytes
    start: int
    length_offset: int
    length_bytes: int
    value_offset: int
    length: int
    depth: int

    @property
    def is_nesting(self) -> bool:
        """True for sequences and items: their values are the elements that follow in the list."""
        return self.vr == b"SQ" or self.tag >> 16 == 0xFFFE or self.length == UNDEFINED


@dataclass
class Layout:
    """The bytes of a file, with the data set inflated, and its elements in file order, including nested ones."""

    data: bytes
    transfer_syntax: str = ""
    is_big_endian: bool = False
    # Byte offset of a data set that was inflated and has to be deflated again.
    deflated_from: int | None = None
    elements: list[Element] = field(default_factory=list)
    # Items of encapsulated Pixel Data, starting with the Basic Offset Table.
    items: list[Element] = field(default_factory=list)

    @cached_property
    def pixels(self) -> Element | None:
        """The pixel data element, if there is one."""
        return next((element for element in self.elements if element.tag in PIXEL_TAGS and element.depth == 0), None)

    def element(self, tag: int) -> Element | None:
        """Return the element `tag` of the data set, not of its items."""
        return next((element for element in self.elements if element.tag == tag and element.depth == 0), None)

    @cached_property
    def is_complete(self) -> bool:
        """True if all elements were parsed: no unknown VR, and no UN of undefined length (implicit VR inside)."""
        return all(
            element.vr in _VRS and not (element.vr == b"UN" and element.length == UNDEFINED)
            for element in self.elements
        )

    @cached_property
    def pixels_are_ended(self) -> bool:
        """True if the pixel data are complete, and end with a delimiter if their length is undefined."""
        if self.items:
            end = self.items[-1].value_offset + self.items[-1].length
            return self.data[end : end + 4] in (b"\xfe\xff\xdd\xe0", b"\xfe\xff\x0d\xe0")
        pixels = self.pixels
        return pixels is None or pixels.is_nesting or pixels.value_offset + pixels.length <= len(self.data)

    @cached_property
    def structure_offsets(self) -> list[int]:
        """Offsets of all elements, values, items, markers and segments, in ascending order."""
        offsets = {0, 128, 132, len(self.data)}
        for element in [*self.elements, *self.items]:
            offsets |= {element.start, element.length_offset, element.value_offset}
        for start, stop in self.fragments:
            offsets |= set(_codestream_offsets(self.data, start, stop)) | {stop}
        return sorted(offset for offset in offsets if offset <= len(self.data))

    @property
    def fragments(self) -> list[tuple[int, int]]:
        """Start and stop offset of each fragment, or of the value of native pixel data."""
        if self.items:
            return [(item.value_offset, item.value_offset + item.length) for item in self.items[1:]]
        pixels = self.pixels
        return (
            [] if pixels is None else [(pixels.value_offset, min(len(self.data), pixels.value_offset + pixels.length))]
        )

    def to_file(self, data: bytes) -> bytes:
        """Return `data`, a mutation of this layout's data, as a file: deflated again if it was."""
        start = self.deflated_from
        if start is None or len(data) <= start:
            return data
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        return data[:start] + packer.compress(data[start:]) + packer.flush()


def layout_of(data: bytes) -> Layout:
    """Return the layout of a file, up to the first element that cannot be parsed."""
    layout = Layout(data)
    try:
        offset = _walk(layout, 132 if data[128:132] == b"DICM" else 0, is_meta=True)
        uid = layout.element(_TRANSFER_SYNTAX)
        if uid is not None:
            text = data[uid.value_offset : uid.value_offset + uid.length]
            layout.transfer_syntax = text.decode("ascii", "replace").rstrip("\0 ")
        if layout.transfer_syntax == DEFLATED:
            layout.data = data[:offset] + zlib.decompressobj(-15).decompress(data[offset:])
            layout.deflated_from = offset
        layout.is_big_endian = layout.transfer_syntax == _BIG_ENDIAN
        _walk(layout, offset, is_meta=False)
    except (struct.error, zlib.error, IndexError):
        # Mutators use the elements before the error.
        pass
    return layout


def _walk(layout: Layout, offset: int, *, is_meta: bool) -> int:
    """Appends the elements from `offset`, including those of sequences and items; returns the offset of their end."""
    data, order = layout.data, ">" if layout.is_big_endian else "<"
    if is_meta and data[offset : offset + 2] != b"\2\0":
        return offset
    implicit = not is_meta and _is_implicit(layout, offset)
    # End offsets of the enclosing sequences and items, innermost last; None if a delimiter ends them.
    ends: list[int | None] = []
    while offset + 8 <= len(data):
        while ends and ends[-1] is not None and offset >= ends[-1]:
            ends.pop()
        group, number = struct.unpack_from(f"{order}HH", data, offset)
        if is_meta and group != 2:
            return offset
        tag = group << 16 | number
        vr, length_offset, length_bytes = _header(data, offset, implicit or group == 0xFFFE)
        (length,) = struct.unpack_from(f"{order}{'H' if length_bytes == 2 else 'L'}", data, length_offset)
        element = Element(tag, vr, offset, length_offset, length_bytes, length_offset + length_bytes, length, len(ends))
        layout.elements.append(element)
        offset = element.value_offset
        if tag in PIXEL_TAGS and length == UNDEFINED:
            layout.items.extend(_items(data, offset))
            offset = layout.items[-1].value_offset + layout.items[-1].length + 8 if layout.items else len(data)
        elif tag in (_ITEM_END, _SEQUENCE_END):
            if ends:
                ends.pop()
        elif tag == _ITEM or vr == b"SQ" or length == UNDEFINED:
            ends.append(None if length == UNDEFINED else offset + length)
        else:
            offset += length
    return offset


def _is_implicit(layout: Layout, offset: int) -> bool:
    if layout.transfer_syntax:
        return layout.transfer_syntax == _IMPLICIT
    return not layout.data[offset + 4 : offset + 6].isalpha()


def _header(data: bytes, offset: int, implicit: bool) -> tuple[bytes, int, int]:
    """Return the value representation, and the offset and size of the length field."""
    if implicit:
        return b"", offset + 4, 4
    vr = data[offset + 4 : offset + 6]
    return (vr, offset + 8, 4) if vr in _LONG else (vr, offset + 6, 2)


def _items(data: bytes, offset: int) -> Iterator[Element]:
    while data[offset : offset + 4] == b"\xfe\xff\0\xe0":
        (length,) = struct.unpack_from("<L", data, offset + 4)
        yield Element(_ITEM, b"", offset, offset + 4, 4, offset + 8, length, 1)
        offset += 8 + length


def _codestream_offsets(data: bytes, start: int, stop: int) -> Iterator[int]:
    """Yield the offsets of JPEG markers and their segments, or of RLE header fields and segments."""
    if data[start : start + 2] != b"\xff\xd8":
        for field_offset in range(start, min(start + 64, stop), 4):
            yield field_offset
            (segment_offset,) = struct.unpack_from("<L", data, field_offset) if field_offset + 4 <= stop else (0,)
            if segment_offset < stop - start:
                yield start + segment_offset
        return
    offset = start
    while 0 <= (offset := data.find(b"\xff", offset, stop)) < stop - 1:
        if data[offset + 1] not in (0, 0xFF):
            yield offset
            yield offset + 2
            yield offset + 4
        offset += 1
