"""Mutators: functions that change a valid file, reproducibly by case number.

Each mutator takes a :class:`Case` and returns the changed bytes. A :class:`Mutant` has them and the
expected outcome.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from support.file_mutations.case import NUMBERS, Case, Expectation, Mutant, change_byte
from support.file_mutations.file_layout import Layout
from support.file_mutations.header_mutators import change_delimiters, change_syntax, change_transform, change_vr


def mutant(layout: Layout, donor: Layout, rng: random.Random, number: int) -> Mutant:
    """Return case `number` of a file."""
    mutator = _MUTATORS[number % len(_MUTATORS)]
    data = mutator(Case(layout, number, rng, donor))
    expectation = _EXPECTATIONS.get(mutator, Expectation.ANY)
    if mutator is append_element and not layout.pixels_are_ended:
        # The appended bytes become pixel data.
        expectation = Expectation.ANY
    return Mutant(layout.to_file(data), mutator.__name__, expectation)


def flip_header(case: Case) -> bytes:
    """Changes bytes before the pixel data."""
    stop = len(case.data) if case.layout.pixels is None else case.layout.pixels.value_offset
    return _change_random_bytes(case, 0, min(stop + 1, len(case.data)))


def flip_elements(case: Case) -> bytes:
    """Changes headers and the first 16 bytes of values of elements that decoding reads."""
    candidates = [
        element for element in case.layout.elements if element.tag >> 16 in (0x0002, 0x0028, 0x7FE0, 0x5200, 0xFFFE)
    ]
    if not candidates:
        return flip_header(case)
    data = bytearray(case.data)
    for _ in range(case.rng.choice([1, 1, 2])):
        element = case.rng.choice(candidates)
        value_bytes = min(element.length, 16) if not element.is_nesting else 0
        change_byte(data, case.rng, element.start, element.value_offset + value_bytes)
    return bytes(data)


def flip_frames(case: Case) -> bytes:
    """Changes items, frame headers and marker segments."""
    if not case.layout.fragments:
        return flip_header(case)
    data = bytearray(case.data)
    for _ in range(case.rng.choice([1, 1, 2, 3])):
        if case.layout.items and case.rng.random() < 0.3:
            item = case.rng.choice(case.layout.items[:3])
            change_byte(data, case.rng, item.start, item.value_offset + min(item.length, 16))
        else:
            start, stop = case.rng.choice(case.layout.fragments)
            change_byte(data, case.rng, start, min(stop, start + case.rng.choice([16, 64, 200, 1 << 20])))
    return bytes(data)


def flip_anywhere(case: Case) -> bytes:
    """Changes bytes anywhere."""
    return _change_random_bytes(case, 0, len(case.data))


def truncate(case: Case) -> bytes:
    """Truncates the file at each structure offset cyclically, one byte before it, or one byte after it."""
    round_index = case.number // len(_MUTATORS)
    offsets = case.layout.structure_offsets
    offset = offsets[round_index // 3 % len(offsets)] + round_index % 3 - 1
    return case.data[: max(0, offset)]


def remove_last_bytes(case: Case) -> bytes:
    """Removes 1 to 1000 bytes at the end."""
    return case.data[: -case.rng.choice([1, 2, 3, 4, 7, 8, 9, 16, 100, 1000])]


def splice(case: Case) -> bytes:
    """Deletes, repeats, moves or replaces a range of bytes."""
    data, rng = case.data, case.rng
    start, stop = sorted((case.random_offset(), case.random_offset()))
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
            source = case.donor.data
            first = rng.choice(case.donor.structure_offsets)
            return data[:start] + source[first : first + rng.choice([1, 8, 64, 1000])] + data[stop:]
        case _:
            return data[:start] + bytes(rng.choice([1, 2, 8, 300])) + data[start:]


def swap_fragments(case: Case) -> bytes:
    """Reorders, repeats, removes, splits or replaces fragments."""
    layout, rng = case.layout, case.rng
    if not layout.items:
        return swap_headers(case)
    items = [case.data[item.start : item.value_offset + item.length] for item in layout.items]
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
            fragments = [case.donor.data[start:stop] for start, stop in case.donor.fragments]
            frame = rng.choice(fragments)[: 1 << 16]
            offset = rng.randrange(len(rest) or 1)
            rest[offset : offset + 1] = [_item(frame)]
        case _:
            # Split a fragment at a random byte.
            offset = rng.randrange(len(rest) or 1)
            if offset < len(rest):
                value = rest[offset][8:]
                cut = rng.randrange(len(value) + 1)
                rest[offset : offset + 1] = [_item(value[:cut]), _item(value[cut:])]
    last = layout.items[-1]
    return case.data[: layout.items[0].start] + table + b"".join(rest) + case.data[last.value_offset + last.length :]


def swap_headers(case: Case) -> bytes:
    """Replaces the pixel data and everything after them by those of the donor."""
    pixels, donor_pixels = case.layout.pixels, case.donor.pixels
    if pixels is None or donor_pixels is None:
        return splice(case)
    return case.data[: pixels.start] + case.donor.data[donor_pixels.start :]


def change_length(case: Case) -> bytes:
    """Changes the length of an element or an item, by a few bytes or to an extreme value."""
    candidates = [*case.layout.elements, *case.layout.items[:20]]
    if not candidates:
        return flip_anywhere(case)
    pixels = [item for item in (case.layout.pixels, *case.layout.items[:3]) if item is not None]
    item = case.rng.choice(pixels if pixels and case.rng.random() < 0.3 else candidates)
    max_length = (1 << 8 * item.length_bytes) - 1
    near = item.length + case.rng.choice([-2, -1, 1, 2, 8])
    length = (
        case.rng.choice(
            [near, near, 0, max_length, max_length - 1, max_length >> 1, len(case.data) - item.value_offset, 0xFFFFFFF0]
        )
        & max_length
    )
    data = bytearray(case.data)
    size = "H" if item.length_bytes == 2 else "L"
    # Encapsulated pixel data, and so items, are always little-endian.
    struct.pack_into(f"{'>' if case.layout.is_big_endian else '<'}{size}", data, item.length_offset, length)
    return bytes(data)


def change_attributes(case: Case) -> bytes:
    """Changes attributes of the image to extreme, empty or slightly wrong values."""
    data = case.data
    order = ">" if case.layout.is_big_endian else "<"
    elements = [
        item
        for item in map(case.layout.element, case.rng.sample(_IMAGE_ATTRIBUTES, case.rng.choice([1, 1, 2, 3])))
        if item
    ]
    # In descending order, so that the offsets of the remaining elements stay valid.
    for element in sorted(elements, key=lambda element: -element.start):
        if element.tag == _NUMBER_OF_FRAMES:
            value = case.rng.choice(_COUNTS)
        elif element.tag == _PHOTOMETRIC_INTERPRETATION:
            value = case.rng.choice(_COLOURS)
        elif element.length == 2:
            (current,) = struct.unpack_from(f"{order}H", data, element.value_offset)
            number = case.rng.choice([*NUMBERS, current - 1, current + 1, 2 * current, current // 2])
            value = struct.pack(f"{order}H", number & 0xFFFF)
        else:
            value = case.rng.choice([b"", b"\1\0\2\0"])
        value += b" " * (len(value) % 2)
        length = struct.pack(f"{order}{'H' if element.length_bytes == 2 else 'L'}", len(value))
        data = data[: element.length_offset] + length + value + data[element.value_offset + element.length :]
        if element.tag == _ROWS and case.rng.random() < 0.2 and case.layout.element(_NUMBER_OF_FRAMES) is None:
            count = case.rng.choice(_COUNTS)
            count += b" " * (len(count) % 2)
            tag = struct.pack(f"{order}HH", 0x0028, 0x0008) + (element.vr and b"IS")
            length = struct.pack(f"{order}{'H' if element.vr else 'L'}", len(count))
            data = data[: element.start] + tag + length + count + data[element.start :]
    return data


def change_offset_table(case: Case) -> bytes:
    """Replaces the Basic Offset Table: entries are wrong, too many or too few."""
    items, rng = case.layout.items, case.rng
    if not items:
        return change_attributes(case)
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
    return case.data[: items[0].start] + _item(value) + case.data[items[0].value_offset + items[0].length :]


def change_unused_values(case: Case) -> bytes:
    """Changes values of elements that decoding does not use."""
    unused = [
        element
        for element in case.layout.elements
        if case.layout.is_complete
        and not element.is_nesting
        and element.length
        and element.tag >> 16 not in _USED_GROUPS
        and element.value_offset < len(case.data)
    ]
    data = bytearray(case.data)
    for item in case.rng.sample(unused, min(len(unused), 3)):
        change_byte(data, case.rng, item.value_offset, min(len(data), item.value_offset + item.length))
    return bytes(data)


def append_element(case: Case) -> bytes:
    """Appends an element, Data Set Trailing Padding."""
    padding = case.rng.randbytes(2 * case.rng.randrange(50))
    order = ">" if case.layout.is_big_endian else "<"
    tag = struct.pack(f"{order}HH", 0xFFFC, 0xFFFC)
    is_implicit = bool(case.layout.elements) and not case.layout.elements[-1].vr
    header = b"" if is_implicit else b"OB\0\0"
    return case.data + tag + header + struct.pack(f"{order}L", len(padding)) + padding


_NUMBER_OF_FRAMES = 0x00280008
_ROWS = 0x00280010
_PHOTOMETRIC_INTERPRETATION = 0x00280004
# Samples per Pixel, Planar Configuration, Number of Frames, Rows, Columns, Bits Allocated, Bits Stored, High Bit, Pixel
# Representation, Photometric Interpretation.
_IMAGE_ATTRIBUTES = [
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
_COUNTS = [b"0", b"1", b"2", b"99", b"-1", b"", b"1e3", b"4294967295", b"2147483648", b"1\\2", b"x"]
_COLOURS = [b"RGB", b"YBR_FULL", b"YBR_FULL_422", b"MONOCHROME1", b"PALETTE COLOR", b"", b"\0\xff"]
_USED_GROUPS = {0x0000, 0x0002, 0x0028, 0x7FE0, 0xFFFE}

_MUTATORS: list[Callable[[Case], bytes]] = [
    flip_header,
    flip_elements,
    flip_frames,
    flip_anywhere,
    truncate,
    remove_last_bytes,
    splice,
    swap_fragments,
    swap_headers,
    change_length,
    change_attributes,
    change_offset_table,
    change_unused_values,
    append_element,
    flip_frames,
    truncate,
    change_attributes,
    change_transform,
    change_delimiters,
    change_vr,
    change_syntax,
]
_EXPECTATIONS = {
    truncate: Expectation.UNCHANGED_OR_ERROR,
    remove_last_bytes: Expectation.UNCHANGED_OR_ERROR,
    change_unused_values: Expectation.UNCHANGED,
    append_element: Expectation.UNCHANGED,
}


def _change_random_bytes(case: Case, start: int, stop: int) -> bytes:
    data = bytearray(case.data)
    for _ in range(case.rng.choice([1, 1, 2, 5])):
        change_byte(data, case.rng, start, stop)
    return bytes(data)


def _item(value: bytes) -> bytes:
    return b"\xfe\xff\0\xe0" + struct.pack("<L", len(value)) + value
