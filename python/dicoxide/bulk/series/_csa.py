"""Parses the CSA headers of Siemens MR images: private elements that hold a table of named values.

    "SV10", 4 bytes   (second version only)
    count, 77         number of tags, two 32-bit integers in little endian
    for each tag:     name (64 bytes), value multiplicity, VR (4 bytes), data type, number of items, 77 or 205
    for each item:    four 32-bit integers with its length, then its text, padded to a multiple of 4 bytes

The layout is not part of the DICOM Standard. It is taken from the conformance statements and from public files.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from typing import Any

__all__ = ["parse_csa"]

_MAGIC = b"SV10"
_TAG = struct.Struct("<64si4siii")
_ITEM = struct.Struct("<2i8x")
# Headers of real images have about 100 tags with up to 100 items each.
_MAX_TAGS = 1024
_MAX_ITEMS = 4096


def parse_csa(data: Any, names: Container[str]) -> dict[str, tuple[str, ...]]:
    """Return the values of a CSA header that are in `names`, by name and without empty ones.

    `data` is the element's value. Anything that is not a CSA header has no values, and of a header that is cut short,
    the values before its end are returned.
    """
    values: dict[str, tuple[str, ...]] = {}
    if not isinstance(data, bytes):
        return values
    is_second_version = data.startswith(_MAGIC)
    position = 8 if is_second_version else 0
    if len(data) < position + 8:
        return values
    (count,) = struct.unpack_from("<I", data, position)
    position += 8
    if count > _MAX_TAGS:
        return values
    # In the first version, the length of an item is counted from the number of items of the first tag.
    first_item_count: int | None = None
    end = len(data)
    for _ in range(count):
        if end < position + _TAG.size:
            break
        name, multiplicity, _, _, item_count, _ = _TAG.unpack_from(data, position)
        position += _TAG.size
        if first_item_count is None:
            first_item_count = item_count
        if not 0 <= item_count <= _MAX_ITEMS:
            break
        text = _text(name)
        # Only the wanted values are converted: a header has some 600 items.
        used_count = 0 if text not in names else multiplicity if multiplicity > 0 else item_count
        items = []
        for index in range(item_count):
            if end < position + _ITEM.size:
                return values
            first, second = _ITEM.unpack_from(data, position)
            position += _ITEM.size
            length = second if is_second_version else first - first_item_count
            if not 0 <= length <= end - position:
                return values
            # Most items are empty.
            if length and index < used_count and (item := _text(data[position : position + length])):
                items.append(item)
            position += length + -length % 4
        if items:
            values[text] = tuple(items)
    return values


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("latin_1").strip()
