"""Files that violate PS3.5, read by pydicom for the NumPy backend: the result of the extension, or an error."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import RLELossless

import dicoxide
from dicoxide import DecodeError, NonConformantWarning
from dicoxide._backend import backend
from dicoxide._sources import pydicom_reader
from support.encoders.dataset import dataset, to_bytes

pytestmark = [
    pytest.mark.skipif(backend != "rust", reason="compares with the extension"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

RAMP = (np.arange(20).reshape(4, 5) * 3 + 7).astype("<u2")
ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
ITEM_END, SEQUENCE_END = (struct.pack("<HHL", 0xFFFE, tag, 0) for tag in (0xE00D, 0xE0DD))
NUMBER = bytes.fromhex("18001260") + b"US\2\0\1\0"
SEQUENCE = struct.pack("<HH", 0x27, 0x1001) + b"SQ\0\0" + b"\xff" * 4


def with_element(element: bytes, before: bytes = b"\x28\0\2\0") -> bytes:
    """Return a file with an element before the one of the tag `before`."""
    data = to_bytes(dataset(RAMP))
    start = data.index(before)
    return data[:start] + element + data[start:]


def cases() -> dict[str, bytes]:
    files = {}
    for vr in (b"  ", b"??", b"\0\0", b"us", b"\xff\xfe"):
        for size in (0, 4, 300):
            tag = struct.pack("<HH", 0x27, 0x1001)
            files[f"VR {vr!r}, {size} bytes"] = with_element(tag + vr + struct.pack("<H", size) + bytes(size))
            files[f"VR {vr!r}, {size} bytes, long"] = with_element(tag + vr + struct.pack("<HL", 0, size) + bytes(size))
    for table in ("none", "basic"):
        for count in (1, 3):
            data = to_bytes(dataset(np.stack([RAMP] * count), RLELossless, table=table)).removesuffix(SEQUENCE_END)
            for name, end in (
                ("nothing", b""),
                ("zeros", bytes(40)),
                ("item delimiter", ITEM_END),
                ("text", b"abcdefgh"),
            ):
                files[f"{name} after {count} frames, table {table}"] = data + end
    items = {
        "swapped": ITEM + NUMBER + SEQUENCE_END + ITEM_END,
        "no item delimiter": ITEM + NUMBER + SEQUENCE_END,
        "no sequence delimiter": ITEM + NUMBER + ITEM_END,
    }
    for name, content in items.items():
        files[f"sequence, {name}"] = with_element(SEQUENCE + content)
        files[f"last sequence, {name}"] = with_element(SEQUENCE + content, b"\xe0\x7f\x10\0")
    data = to_bytes(dataset(RAMP))
    files |= {"cut in the value": data[:-6], "cut in a header": data[: data.index(b"\xe0\x7f\x10\0") + 6]}
    return files


CASES = cases()


def outcome(src: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            decoded: Any = dicoxide.decode(src).tolist()
        except DecodeError as error:
            decoded = error.kind
    return decoded, [str(warning.message) for warning in caught if warning.category is NonConformantWarning]


def outcome_by_pydicom(src: Any) -> tuple[Any, list[str]]:
    try:
        ds = pydicom_reader.read(src)
    except DecodeError as error:
        return error.kind, []
    return outcome(ds)


@pytest.mark.parametrize("name", CASES)
def test_violation_read_by_pydicom_gives_equal_result_or_error(name: str, tmp_path: Path) -> None:
    data = CASES[name]
    path = tmp_path / "image.dcm"
    path.write_bytes(data)
    expected = outcome(data)
    for src in (data, path):
        found = outcome_by_pydicom(src)
        if name.startswith("VR b'\\x00\\x00'") and found[0] == expected[0]:
            # pydicom reads the element as several ones of implicit VR, without a warning.
            continue
        # Not "NoImage": files of that kind are left out of a series.
        assert found in (expected, ("Malformed", []), ("Truncated", []), ("Mismatch", []))


@pytest.mark.parametrize("keyword", ["PixelData", "Rows"])
def test_valid_file_without_pixel_data_is_read(keyword: str, tmp_path: Path) -> None:
    ds = dataset(RAMP)
    del ds.PixelData
    if keyword in ds:
        del ds[keyword]
    assert "BitsStored" in pydicom_reader.read(to_bytes(ds))
