"""Objects of many frames, functional groups or items take time that is proportional to their number."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

import dicoxide
from dicoxide._backend import backend
from support.encoders.dataset import dataset, to_bytes

pytestmark = [
    pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning"),
    pytest.mark.skipif(backend != "rust", reason="files are read by pydicom"),
]

COUNT = 100_000
# The larger input has 4 times as many parts; quadratic time would be 16 times as long.
GROWTH, MAX_RATIO = 4, 9
ITEM_END, SEQUENCE_END = (struct.pack("<HHL", 0xFFFE, number, 0) for number in (0xE00D, 0xE0DD))


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Return an element of explicit VR with a defined length."""
    length = struct.pack("<HL", 0, len(value)) if vr in (b"SQ", b"OB", b"OW") else struct.pack("<H", len(value))
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + length + value


def item(content: bytes, *, is_delimited: bool = False) -> bytes:
    """Return an item of defined length, or one that a delimiter ends."""
    header = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF if is_delimited else len(content))
    return header + content + (ITEM_END if is_delimited else b"")


def group(index: int, *, is_delimited: bool) -> bytes:
    """Return the functional group of a frame: slope is frame index + 1."""
    rescale = element(0x00281052, b"DS", b"0 ") + element(0x00281053, b"DS", f"{index + 1:<8}".encode())
    transformation = element(0x00289145, b"SQ", item(rescale, is_delimited=is_delimited))
    return item(transformation, is_delimited=is_delimited)


def many_frames(count: int, *, syntax: str = ExplicitVRLittleEndian, before: bytes = b"", after: bytes = b"") -> bytes:
    """Return a file of `count` frames of one pixel each, with elements before group 0028 and before the pixel data."""
    values = np.arange(1, count + 1, dtype="<u4").astype("u1").reshape(count, 1, 1)
    if syntax == RLELossless:
        coded = [struct.pack("<16L2B2x", 1, 64, *[0] * 14, 0, value) for value in values.ravel().tolist()]
        ds = dataset(values, RLELossless, coded=coded)
    else:
        ds = dataset(values)
    data = to_bytes(ds)
    start, pixels = data.index(b"\x28\0\x02\0US"), data.index(b"\xe0\x7f\x10\0O")
    return data[:start] + before + data[start:pixels] + after + data[pixels:]


def with_groups(count: int, *, is_delimited: bool = False, syntax: str = ExplicitVRLittleEndian) -> bytes:
    groups = b"".join(group(index, is_delimited=is_delimited) for index in range(count))
    return many_frames(count, syntax=syntax, after=element(0x52009230, b"SQ", groups))


def with_lut(count: int) -> bytes:
    table = element(0x00283002, b"US", struct.pack("<3H", 256, 0, 16))
    table += element(0x00283006, b"OW", np.arange(256, dtype="<u2").tobytes())
    return many_frames(count, after=element(0x00283000, b"SQ", item(table)))


def with_empty_groups(count: int) -> bytes:
    return many_frames(count, after=element(0x52009230, b"SQ", item(b"") * count))


def with_delimited_items(count: int) -> bytes:
    items = item(b"", is_delimited=True) * count + SEQUENCE_END
    return many_frames(1, before=struct.pack("<HH", 9, 0x1010) + b"SQ\0\0" + b"\xff" * 4 + items)


def with_swapped_delimiters(count: int) -> bytes:
    items = (item(b"", is_delimited=True)[:8] + SEQUENCE_END) * count + SEQUENCE_END
    return many_frames(1, before=struct.pack("<HH", 9, 0x1010) + b"SQ\0\0" + b"\xff" * 4 + items)


def with_invalid_vrs(count: int) -> bytes:
    tags = (0x00090010 + (index // 60_000 << 17) + index % 60_000 for index in range(count))
    return many_frames(1, before=b"".join(element(tag, b"??", b"ab") for tag in tags))


def each_frame(data: bytes) -> None:
    with dicoxide.open(data) as image:
        for index in range(0, len(image), 10):
            image.decode(index, rescale=True)


def all_iterated(data: bytes) -> None:
    for _ in dicoxide.iter_frames(data, rescale=True, threads=1):
        pass


def decoded(data: bytes) -> Any:
    return dicoxide.decode(data, threads=1)


def rescaled(data: bytes) -> Any:
    return dicoxide.decode(data, rescale=True, threads=1)


def decoded_by_batch(data: bytes) -> Any:
    return list(dicoxide.decode_many([data], rescale=True, threads=1))


def read_attributes(data: bytes) -> Any:
    with dicoxide.open(data) as image:
        return len(image.attributes.get("PerFrameFunctionalGroupsSequence") or ())


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


CASES: dict[str, tuple[Callable[[int], bytes], Callable[[Any], Any]]] = {
    "rescale of each frame": (with_groups, rescaled),
    "rescale of each frame, delimited": (lambda count: with_groups(count, is_delimited=True), rescaled),
    "rescale of each RLE frame": (lambda count: with_groups(count, syntax=RLELossless), rescaled),
    "decode_many": (with_groups, decoded_by_batch),
    "frames by index": (with_groups, each_frame),
    "iter_frames": (with_groups, all_iterated),
    "attributes": (with_groups, read_attributes),
    "look-up table": (with_lut, rescaled),
    "look-up table, iter_frames": (with_lut, all_iterated),
    "fragments": (lambda count: many_frames(count, syntax=RLELossless), decoded),
    "empty groups": (with_empty_groups, rescaled),
    "delimited items": (with_delimited_items, decoded),
    "swapped delimiters": (with_swapped_delimiters, decoded),
    "invalid VRs": (with_invalid_vrs, decoded),
}


@pytest.mark.serial
@pytest.mark.parametrize(("make", "work"), CASES.values(), ids=CASES)
def test_many_parts_take_linear_time(make: Callable[[int], bytes], work: Callable[[Any], Any]) -> None:
    small, large = make(COUNT // GROWTH), make(COUNT)

    def seconds(data: bytes) -> float:
        started_at = time.process_time()
        work(data)
        return time.process_time() - started_at

    # The shortest of several, because another process may slow one down.
    assert any(seconds(large) < MAX_RATIO * max(seconds(small), 1e-3) for _ in range(4))


def test_rescale_of_many_frames_is_that_of_each_frame() -> None:
    count = 1000
    expected = np.arange(1, count + 1).astype("u1") * np.arange(1, count + 1, dtype=float)
    for data in (with_groups(count), with_groups(count, is_delimited=True), with_groups(count, syntax=RLELossless)):
        for source in (data, read(data)):
            assert np.array_equal(dicoxide.decode(source, rescale=True).ravel(), expected)
