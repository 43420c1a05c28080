"""Where the parts of a file lie, so that mutations hit what decoders look at.

The walk knows neither pydicom nor the product, and believes whatever file it is given: the files are sound ones.
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
    length_at: int
    length_bytes: int
    value: int
    length: int
    depth: int

    @property
    def is_nesting(self) -> bool:
        """Whether its value is not its own, but elements that follow in the list."""
        return self.vr == b"SQ" or self.tag >> 16 == 0xFFFE or self.length == UNDEFINED


@dataclass
class Layout:
    """The data of a file, inflated where it is deflated, and its elements; nested ones follow what they are in."""

    data: bytes
    transfer_syntax: str = ""
    is_big_endian: bool = False
    # Where the data set begins that has to be deflated again.
    deflated_from: int | None = None
    elements: list[Element] = field(default_factory=list)
    # Where each item of encapsulated Pixel Data begins, the offset table among them.
    items: list[Element] = field(default_factory=list)

    @cached_property
    def pixels(self) -> Element | None:
        """The pixel data."""
        return next((element for element in self.elements if element.tag in PIXEL_TAGS and element.depth == 0), None)

    def element(self, tag: int) -> Element | None:
        """The element of a tag in the data set itself."""
        return next((element for element in self.elements if element.tag == tag and element.depth == 0), None)

    @cached_property
    def is_followed(self) -> bool:
        """Whether all elements were told apart: nothing of unknown VR and length, which is implicit within."""
        return all(
            element.vr in _VRS and not (element.vr == b"UN" and element.length == UNDEFINED)
            for element in self.elements
        )

    @cached_property
    def places(self) -> list[int]:
        """Every offset where something begins: elements, values, items, markers, segments."""
        found = {0, 128, 132, len(self.data)}
        for element in [*self.elements, *self.items]:
            found |= {element.start, element.length_at, element.value}
        for start, stop in self.fragments:
            found |= set(_codestream_places(self.data, start, stop)) | {stop}
        return sorted(index for index in found if index <= len(self.data))

    @property
    def fragments(self) -> list[tuple[int, int]]:
        """Where each fragment begins and ends; of native pixel data, the value."""
        if self.items:
            return [(item.value, item.value + item.length) for item in self.items[1:]]
        pixels = self.pixels
        return [] if pixels is None else [(pixels.value, min(len(self.data), pixels.value + pixels.length))]

    def finished(self, data: bytes) -> bytes:
        """`data`, which is this layout's changed, as a file."""
        start = self.deflated_from
        if start is None or len(data) <= start:
            return data
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        return data[:start] + packer.compress(data[start:]) + packer.flush()


def layout_of(data: bytes) -> Layout:
    """The layout of a file, as far as it can be followed."""
    layout = Layout(data)
    try:
        offset = _walk(layout, 132 if data[128:132] == b"DICM" else 0, is_meta=True)
        uid = layout.element(_TRANSFER_SYNTAX)
        if uid is not None:
            text = data[uid.value : uid.value + uid.length]
            layout.transfer_syntax = text.decode("ascii", "replace").rstrip("\0 ")
        if layout.transfer_syntax == DEFLATED:
            layout.data = data[:offset] + zlib.decompressobj(-15).decompress(data[offset:])
            layout.deflated_from = offset
        layout.is_big_endian = layout.transfer_syntax == _BIG_ENDIAN
        _walk(layout, offset, is_meta=False)
    except (struct.error, zlib.error, IndexError):
        # What was found so far is enough to mutate.
        pass
    return layout


def _walk(layout: Layout, at: int, *, is_meta: bool) -> int:
    """Elements from `at`, flat: sequences and items are stepped into. Where they ended."""
    data, order = layout.data, ">" if layout.is_big_endian else "<"
    if is_meta and data[at : at + 2] != b"\2\0":
        return at
    implicit = not is_meta and _is_implicit(layout, at)
    # Ends of what has a length, innermost last; None where a delimiter ends it.
    ends: list[int | None] = []
    while at + 8 <= len(data):
        while ends and ends[-1] is not None and at >= ends[-1]:
            ends.pop()
        group, number = struct.unpack_from(f"{order}HH", data, at)
        if is_meta and group != 2:
            return at
        tag = group << 16 | number
        vr, length_at, length_bytes = _header(data, at, implicit or group == 0xFFFE)
        (length,) = struct.unpack_from(f"{order}{'H' if length_bytes == 2 else 'L'}", data, length_at)
        one = Element(tag, vr, at, length_at, length_bytes, length_at + length_bytes, length, len(ends))
        layout.elements.append(one)
        at = one.value
        if tag in PIXEL_TAGS and length == UNDEFINED:
            layout.items.extend(_items(data, at))
            at = layout.items[-1].value + layout.items[-1].length + 8 if layout.items else len(data)
        elif tag in (_ITEM_END, _SEQUENCE_END):
            if ends:
                ends.pop()
        elif tag == _ITEM or vr == b"SQ" or length == UNDEFINED:
            ends.append(None if length == UNDEFINED else at + length)
        else:
            at += length
    return at


def _is_implicit(layout: Layout, at: int) -> bool:
    if layout.transfer_syntax:
        return layout.transfer_syntax == _IMPLICIT
    return not layout.data[at + 4 : at + 6].isalpha()


def _header(data: bytes, at: int, implicit: bool) -> tuple[bytes, int, int]:
    """Value representation, and where the length is and on how many bytes."""
    if implicit:
        return b"", at + 4, 4
    vr = data[at + 4 : at + 6]
    return (vr, at + 8, 4) if vr in _LONG else (vr, at + 6, 2)


def _items(data: bytes, at: int) -> Iterator[Element]:
    while data[at : at + 4] == b"\xfe\xff\0\xe0":
        (length,) = struct.unpack_from("<L", data, at + 4)
        yield Element(_ITEM, b"", at, at + 4, 4, at + 8, length, 1)
        at += 8 + length


def _codestream_places(data: bytes, start: int, stop: int) -> Iterator[int]:
    """JPEG markers with their segments, or the words of an RLE header with its segments."""
    if data[start : start + 2] != b"\xff\xd8":
        for place in range(start, min(start + 64, stop), 4):
            yield place
            (offset,) = struct.unpack_from("<L", data, place) if place + 4 <= stop else (0,)
            if offset < stop - start:
                yield start + offset
        return
    at = start
    while 0 <= (at := data.find(b"\xff", at, stop)) < stop - 1:
        if data[at + 1] not in (0, 0xFF):
            yield at
            yield at + 2
            yield at + 4
        at += 1
