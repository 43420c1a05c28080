"""Mutators of element headers, delimiters, the transfer syntax, and of elements that transform stored values."""

from __future__ import annotations

import struct

from support.file_mutations.case import NUMBERS, Case, change_byte

_TRANSFER_SYNTAX = 0x00020010
_DELIMITERS = (0xFFFEE00D, 0xFFFEE0DD)
# Rescale Intercept, Rescale Slope, Dose Grid Scaling.
_DECIMAL_TAGS = (0x00281052, 0x00281053, 0x3004000E)
# Real World Value Mapping Sequence; first and last value mapped, as integer and double; LUT Data, intercept, slope.
_REAL_WORLD_TAGS = (0x00409096, 0x00409216, 0x00409211, 0x00409214, 0x00409213, 0x00409212, 0x00409224, 0x00409225)
# Modality LUT Sequence, LUT Descriptor, LUT Data, Pixel Value Transformation Sequence.
_TRANSFORM_TAGS = (0x00283000, 0x00283002, 0x00283006, 0x00289145, *_DECIMAL_TAGS, *_REAL_WORLD_TAGS)
_DECIMALS = [b"0", b"1", b"-1", b"1e400", b"1e-400", b"nan", b"inf", b"", b"1\\2", b"0x1", b"1e38", b" 2 "]
_SYNTAXES = [
    b"1.2.840.10008.1.2",
    b"1.2.840.10008.1.2.1",
    b"1.2.840.10008.1.2.2",
    b"1.2.840.10008.1.2.5",
    b"1.2.840.10008.1.2.1.98",
    b"1.2.840.10008.1.2.4.57",
    b"1.2.840.10008.1.2.4.70",
    b"1.2.840.10008.1.2.4.80",
    b"1.2.3",
]


def change_transform(case: Case) -> bytes:
    """Changes elements of look-up tables, rescale and dose: words, numbers, VR."""
    elements = [element for element in case.layout.elements if element.tag in _TRANSFORM_TAGS]
    if not elements:
        return change_vr(case)
    data, rng = bytearray(case.data), case.rng
    element = rng.choice(elements)
    order = ">" if case.layout.is_big_endian else "<"
    if element.vr and rng.random() < 0.2:
        _replace(data, element.start + 4, rng.choice([b"US", b"SS", b"OW", b"OB", b"UN", b"DS", b"FD", b"  "]))
    elif element.tag in _DECIMAL_TAGS:
        text = rng.choice(_DECIMALS)[: element.length]
        _replace(data, element.value_offset, text.ljust(element.length))
    elif element.length >= 2 and not element.is_nesting:
        offset = element.value_offset + 2 * rng.randrange(min(element.length // 2, 4))
        (current,) = struct.unpack_from(f"{order}H", data, offset)
        number = rng.choice([*NUMBERS, 0x8000, current - 1, current + 1, current ^ 0x8000])
        struct.pack_into(f"{order}H", data, offset, number & 0xFFFF)
    else:
        change_byte(data, rng, element.start, element.value_offset)
    return bytes(data)


def change_delimiters(case: Case) -> bytes:
    """Zeros, swaps, removes or repeats a delimiter of an item or a sequence, also that of the pixel data."""
    starts = [element.start for element in case.layout.elements if element.tag in _DELIMITERS]
    if case.layout.items:
        last = case.layout.items[-1]
        starts += [last.value_offset + last.length] * (1 + len(starts))
    if not starts:
        return change_vr(case)
    data, rng = case.data, case.rng
    start = rng.choice(starts)
    found = data[start : start + 8]
    swapped = bytearray(found)
    for offset, byte in enumerate(found[:4]):
        swapped[offset] = {0x0D: 0xDD, 0xDD: 0x0D}.get(byte, byte)
    new = rng.choice(
        [b"", bytes(2), bytes(8), bytes(16), bytes(swapped), found * 2, bytes(swapped) + found, found[:4] + b"\2\0\0\0"]
    )
    return data[:start] + new + data[start + 8 :]


def change_vr(case: Case) -> bytes:
    """Replaces a VR by an invalid or another one."""
    elements = [element for element in case.layout.elements if element.vr]
    data = bytearray(case.data)
    if not elements:
        change_byte(data, case.rng, 0, len(data))
    for element in case.rng.sample(elements, min(len(elements), case.rng.choice([1, 1, 2]))):
        vrs = [b"  ", b"??", b"\0\0", b"\xff\xfe", element.vr.lower(), b"UN", b"LO", b"SQ", b"OW"]
        _replace(data, element.start + 4, case.rng.choice(vrs))
    return bytes(data)


def change_syntax(case: Case) -> bytes:
    """Replaces the UID of the transfer syntax, so that native samples are declared as encapsulated and vice versa."""
    element = case.layout.element(_TRANSFER_SYNTAX)
    fitting = [uid for uid in _SYNTAXES if element is not None and len(uid) <= element.length]
    if element is None or not fitting or case.layout.deflated_from is not None:
        return change_vr(case)
    data = bytearray(case.data)
    _replace(data, element.value_offset, case.rng.choice(fitting).ljust(element.length, b"\0"))
    return bytes(data)


def _replace(data: bytearray, offset: int, value: bytes) -> None:
    data[offset : offset + len(value)] = value
