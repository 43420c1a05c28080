"""A sound file and a number to a broken one.

Each mutator gets a :class:`Case` and gives the bytes; what may be said of the outcome beforehand is in :class:`Mutant`.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from support.file_mutations.file_layout import Layout


class Promise(Enum):
    """What is known of the outcome before anything is decoded."""

    NOTHING = "nothing"
    # Nothing that decoding looks at was changed.
    UNCHANGED = "unchanged"
    # Bytes are missing: whoever gives an array has to give the whole one.
    WHOLE = "whole"


@dataclass(frozen=True)
class Mutant:
    """The bytes of a case, how they were made, and what may be expected of them."""

    data: bytes
    mutator: str
    promise: Promise


@dataclass
class Case:
    """A file, and the random numbers of one case."""

    layout: Layout
    number: int
    rng: random.Random
    donor: Layout

    @property
    def data(self) -> bytes:
        return self.layout.data

    def place(self) -> int:
        """An offset at which something begins, or just beside; or any."""
        if self.rng.random() < 0.2:
            return self.rng.randrange(len(self.data) + 1)
        near = self.rng.choice(self.layout.places) + self.rng.choice([0, 0, 0, 1, -1, 2, 7])
        return min(max(near, 0), len(self.data))


def mutant(layout: Layout, donor: Layout, rng: random.Random, number: int) -> Mutant:
    """Case `number` of a file."""
    mutator = _MUTATORS[number % len(_MUTATORS)]
    data = mutator(Case(layout, number, rng, donor))
    promise = _PROMISES.get(mutator, Promise.NOTHING)
    pixels = layout.pixels
    if (
        mutator is behind
        and pixels is not None
        and not pixels.is_nesting
        and pixels.value + pixels.length > len(layout.data)
    ):
        # What is appended lies in the pixel data.
        promise = Promise.NOTHING
    return Mutant(layout.finished(data), mutator.__name__, promise)


def flip_header(case: Case) -> bytes:
    """Bits before the pixel data, and values that mean something there."""
    stop = len(case.data) if case.layout.pixels is None else case.layout.pixels.value
    return _disturbed(case, 0, min(stop + 1, len(case.data)))


def flip_elements(case: Case) -> bytes:
    """Bits of the headers and short values of elements that decoding reads."""
    wanted = [
        element for element in case.layout.elements if element.tag >> 16 in (0x0002, 0x0028, 0x7FE0, 0x5200, 0xFFFE)
    ]
    if not wanted:
        return flip_header(case)
    data = bytearray(case.data)
    for _ in range(case.rng.choice([1, 1, 2])):
        element = case.rng.choice(wanted)
        short = min(element.length, 16) if not element.is_nesting else 0
        _disturb(data, case.rng, element.start, element.value + short)
    return bytes(data)


def flip_frames(case: Case) -> bytes:
    """Bits of items, of frame headers and of marker segments."""
    if not case.layout.fragments:
        return flip_header(case)
    data = bytearray(case.data)
    for _ in range(case.rng.choice([1, 1, 2, 3])):
        if case.layout.items and case.rng.random() < 0.3:
            item = case.rng.choice(case.layout.items[:3])
            _disturb(data, case.rng, item.start, item.value + min(item.length, 16))
        else:
            start, stop = case.rng.choice(case.layout.fragments)
            _disturb(data, case.rng, start, min(stop, start + case.rng.choice([16, 64, 200, 1 << 20])))
    return bytes(data)


def flip_anywhere(case: Case) -> bytes:
    """Bits anywhere."""
    return _disturbed(case, 0, len(case.data))


def truncate(case: Case) -> bytes:
    """The beginning of the file, to each place in turn, and one byte less or more."""
    turn = case.number // len(_MUTATORS)
    places = case.layout.places
    offset = places[turn // 3 % len(places)] + turn % 3 - 1
    return case.data[: max(0, offset)]


def cut_back(case: Case) -> bytes:
    """A little less than all."""
    return case.data[: -case.rng.choice([1, 2, 3, 4, 7, 8, 9, 16, 100, 1000])]


def splice(case: Case) -> bytes:
    """A piece deleted, repeated, moved, or taken from elsewhere."""
    data, rng = case.data, case.rng
    start, stop = sorted((case.place(), case.place()))
    if rng.random() < 0.5:
        stop = min(stop, start + rng.choice([1, 2, 4, 8, 100]))
    piece = data[start:stop]
    match rng.randrange(5):
        case 0:
            return data[:start] + data[stop:]
        case 1:
            return data[:stop] + piece * rng.choice([1, 1, 1, 5]) + data[stop:]
        case 2:
            rest = data[:start] + data[stop:]
            offset = rng.randrange(len(rest) + 1)
            return rest[:offset] + piece + rest[offset:]
        case 3:
            other = case.donor.data
            first = rng.choice(case.donor.places)
            return data[:start] + other[first : first + rng.choice([1, 8, 64, 1000])] + data[stop:]
        case _:
            return data[:start] + bytes(rng.choice([1, 2, 8, 300])) + data[start:]


def swap_fragments(case: Case) -> bytes:
    """Fragments in another order, repeated, left out, or another file's."""
    layout, rng = case.layout, case.rng
    if not layout.items:
        return swap_headers(case)
    items = [case.data[item.start : item.value + item.length] for item in layout.items]
    table, rest = items[0], items[1:]
    match rng.randrange(5):
        case 0:
            rng.shuffle(rest)
        case 1:
            rest.insert(rng.randrange(len(rest) + 1), rng.choice(rest or [table]))
        case 2:
            offset = rng.randrange(len(rest) or 1)
            rest[offset : offset + 1] = []
        case 3:
            other = [case.donor.data[start:stop] for start, stop in case.donor.fragments]
            frame = rng.choice(other)[: 1 << 16]
            offset = rng.randrange(len(rest) or 1)
            rest[offset : offset + 1] = [_item(frame)]
        case _:
            # One fragment in two, anywhere.
            offset = rng.randrange(len(rest) or 1)
            if offset < len(rest):
                value = rest[offset][8:]
                cut = rng.randrange(len(value) + 1)
                rest[offset : offset + 1] = [_item(value[:cut]), _item(value[cut:])]
    last = layout.items[-1]
    return case.data[: layout.items[0].start] + table + b"".join(rest) + case.data[last.value + last.length :]


def swap_headers(case: Case) -> bytes:
    """This file's header before another's pixel data."""
    ours, theirs = case.layout.pixels, case.donor.pixels
    if ours is None or theirs is None:
        return splice(case)
    return case.data[: ours.start] + case.donor.data[theirs.start :]


def lengths(case: Case) -> bytes:
    """The length of an element or an item, a little or very wrong."""
    wanted = [*case.layout.elements, *case.layout.items[:20]]
    if not wanted:
        return flip_anywhere(case)
    pixels = [item for item in (case.layout.pixels, *case.layout.items[:3]) if item is not None]
    item = case.rng.choice(pixels if pixels and case.rng.random() < 0.3 else wanted)
    most = (1 << 8 * item.length_bytes) - 1
    near = item.length + case.rng.choice([-2, -1, 1, 2, 8])
    length = case.rng.choice([near, near, 0, most, most - 1, most >> 1, len(case.data) - item.value, 0xFFFFFFF0]) & most
    data = bytearray(case.data)
    size = "H" if item.length_bytes == 2 else "L"
    # Items are never big-endian: encapsulated pixel data are not.
    struct.pack_into(f"{'>' if case.layout.is_big_endian else '<'}{size}", data, item.length_at, length)
    return bytes(data)


def dimensions(case: Case) -> bytes:
    """Attributes of the image, with numbers that are large, none, or a little wrong."""
    data = case.data
    order = ">" if case.layout.is_big_endian else "<"
    found = [
        item for item in map(case.layout.element, case.rng.sample(_DIMENSIONS, case.rng.choice([1, 1, 2, 3]))) if item
    ]
    # From the last, so that places before it stay.
    for frame in sorted(found, key=lambda frame: -frame.start):
        if frame.tag == _NUMBER_OF_FRAMES:
            value = case.rng.choice(_COUNTS)
        elif frame.tag == _PHOTOMETRIC_INTERPRETATION:
            value = case.rng.choice(_COLOURS)
        elif frame.length == 2:
            (now,) = struct.unpack_from(f"{order}H", data, frame.value)
            number = case.rng.choice([*_NUMBERS, now - 1, now + 1, 2 * now, now // 2])
            value = struct.pack(f"{order}H", number & 0xFFFF)
        else:
            value = case.rng.choice([b"", b"\1\0\2\0"])
        value += b" " * (len(value) % 2)
        length = struct.pack(f"{order}{'H' if frame.length_bytes == 2 else 'L'}", len(value))
        data = data[: frame.length_at] + length + value + data[frame.value + frame.length :]
        if frame.tag == _ROWS and case.rng.random() < 0.2 and case.layout.element(_NUMBER_OF_FRAMES) is None:
            count = case.rng.choice(_COUNTS)
            count += b" " * (len(count) % 2)
            tag = struct.pack(f"{order}HH", 0x0028, 0x0008) + (frame.vr and b"IS")
            length = struct.pack(f"{order}{'H' if frame.vr else 'L'}", len(count))
            data = data[: frame.start] + tag + length + count + data[frame.start :]
    return data


def table(case: Case) -> bytes:
    """Another offset table: entries that are wrong, too many or too few."""
    items, rng = case.layout.items, case.rng
    if not items:
        return dimensions(case)
    starts = [item.start - items[1].start for item in items[1:]]
    kind = rng.randrange(5)
    if kind == 0:
        starts = [start + rng.choice([0, 0, 2, -8, 1 << 31]) for start in starts]
    elif kind == 1:
        rng.shuffle(starts)
    elif kind == 2:
        starts = starts * 2
    elif kind == 3:
        starts = starts[: rng.randrange(len(starts) + 1)]
    else:
        starts = [rng.choice([0, 1 << 16, 0xFFFFFFFF]) for _ in range(rng.choice([1, 2, 3, 1000]))]
    value = b"".join(struct.pack("<L", start & 0xFFFFFFFF) for start in starts)[: rng.choice([-1, 1 << 20, 1 << 20])]
    return case.data[: items[0].start] + _item(value) + case.data[items[0].value + items[0].length :]


def unused(case: Case) -> bytes:
    """Values of elements that say nothing of the image."""
    harmless = [
        element
        for element in case.layout.elements
        if case.layout.is_followed
        and not element.is_nesting
        and element.length
        and element.tag >> 16 not in _USED_GROUPS
        and element.value < len(case.data)
    ]
    data = bytearray(case.data)
    for item in case.rng.sample(harmless, min(len(harmless), 3)):
        _disturb(data, case.rng, item.value, min(len(data), item.value + item.length))
    return bytes(data)


def behind(case: Case) -> bytes:
    """More behind the end: an element of nobody's that is whole."""
    padding = case.rng.randbytes(2 * case.rng.randrange(50))
    order = ">" if case.layout.is_big_endian else "<"
    tag = struct.pack(f"{order}HH", 0xFFFC, 0xFFFC)
    is_implicit = bool(case.layout.elements) and not case.layout.elements[-1].vr
    header = b"" if is_implicit else b"OB\0\0"
    return case.data + tag + header + struct.pack(f"{order}L", len(padding)) + padding


_NUMBER_OF_FRAMES = 0x00280008
_ROWS = 0x00280010
_PHOTOMETRIC_INTERPRETATION = 0x00280004
# Samples per pixel, planar configuration, frames, rows, columns, bits allocated and stored, high bit, representation.
_DIMENSIONS = [
    0x00280002,
    0x00280006,
    _NUMBER_OF_FRAMES,
    _ROWS,
    0x00280011,
    0x00280100,
    0x00280101,
    0x00280102,
    0x00280103,
    _PHOTOMETRIC_INTERPRETATION,
]
_NUMBERS = [0, 1, 2, 3, 8, 12, 16, 24, 32, 64, 255, 256, 32767, 65535]
_COUNTS = [b"0", b"1", b"2", b"99", b"-1", b"", b"1e3", b"4294967295", b"2147483648", b"1\\2", b"x"]
_COLOURS = [b"RGB", b"YBR_FULL", b"YBR_FULL_422", b"MONOCHROME1", b"PALETTE COLOR", b"", b"\0\xff"]
_USED_GROUPS = {0x0000, 0x0002, 0x0028, 0x7FE0, 0xFFFE}

_MUTATORS: list[Callable[[Case], bytes]] = [
    flip_header,
    flip_elements,
    flip_frames,
    flip_anywhere,
    truncate,
    cut_back,
    splice,
    swap_fragments,
    swap_headers,
    lengths,
    dimensions,
    table,
    unused,
    behind,
    flip_frames,
    truncate,
    dimensions,
]
_PROMISES = {
    truncate: Promise.WHOLE,
    cut_back: Promise.WHOLE,
    unused: Promise.UNCHANGED,
    behind: Promise.UNCHANGED,
}
_VALUES = [0, 1, 2, 0x10, 0x40, 0x7F, 0x80, 0xC3, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDD, 0xFE, 0xFF]


def _disturbed(case: Case, start: int, stop: int) -> bytes:
    data = bytearray(case.data)
    for _ in range(case.rng.choice([1, 1, 2, 5])):
        _disturb(data, case.rng, start, stop)
    return bytes(data)


def _disturb(data: bytearray, rng: random.Random, start: int, stop: int) -> None:
    """One byte of [start, stop): a bit of it, or all."""
    stop = min(stop, len(data))
    if start >= stop:
        return
    offset = rng.randrange(start, stop)
    if rng.random() < 0.6:
        data[offset] ^= 1 << rng.randrange(8)
    else:
        data[offset] = rng.choice(_VALUES)


def _item(value: bytes) -> bytes:
    return b"\xfe\xff\0\xe0" + struct.pack("<L", len(value)) + value
