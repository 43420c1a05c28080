"""Small files with the attributes that rendering reads: windows, VOI LUTs, palettes, overlays, segments, padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from support.encoders.dataset import dataset, to_bytes

Array = np.ndarray[Any, Any]

_WORDS = (np.arange(24).reshape(4, 6) * 171 % 4096).astype("<u2")
_SIGNED = (np.arange(24).reshape(4, 6) * 171 - 2000).astype("<i2")
_BYTES = (np.arange(24, dtype="u1") * 11).reshape(4, 6)
_BITS = (np.arange(48).reshape(2, 4, 6) * 7 % 11 < 5).astype("u1")
# Red, green, blue: (0028,1101) to (0028,1103) have the descriptors, (0028,1201) the data, (0028,1221) segmented data.
_COLOURS = 3


def files() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file."""
    for name, ds in (*_windows(), *_palettes(), *_overlays(), *_frames()):
        yield f"render_{name}", to_bytes(ds)


def _windows() -> Iterator[tuple[str, Dataset]]:
    several = {"WindowCenter": [40, 50], "WindowWidth": [400, 2], "WindowCenterWidthExplanation": ["A", "B"]}
    for name, attributes in {
        "window": {"WindowCenter": "1000", "WindowWidth": "800"},
        "windows": several,
        "sigmoid": {"WindowCenter": "1000.5", "WindowWidth": "3", "VOILUTFunction": "SIGMOID"},
        "exact_inverse": {**several, "VOILUTFunction": "LINEAR_EXACT", "PresentationLUTShape": "INVERSE"},
        "rescaled": {**several, "RescaleSlope": "0.5", "RescaleIntercept": "-3", "PixelPaddingValue": 171},
        "invalid_window": {"WindowCenter": "0", "WindowWidth": "0"},
    }.items():
        yield name, dataset(_WORDS, bits_stored=12, attributes=attributes)
    padding = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1000}
    yield "padding_range", dataset(_SIGNED, RLELossless, attributes=padding)
    for name, (frame, first, bits, entries) in {
        "words": (_WORDS, 100, 12, np.arange(50, dtype="<u2") * 80),
        "signed": (_SIGNED, 0x10000 - 900, 16, np.arange(50, dtype="<u2") * 1300),
        "bytes": (_BYTES, 0, 8, np.arange(50, dtype="u1")),
    }.items():
        ds = dataset(frame)
        ds.VOILUTSequence = Sequence([_lut(len(entries), first, bits, entries.tobytes())])
        yield f"voi_lut_{name}", ds


def _lut(count: int, first: int, bits: int, data: bytes) -> Dataset:
    lut = Dataset()
    lut.add_new(0x00283002, "US", [count, first, bits])
    lut.add_new(0x00283006, "OW", data)
    return lut


def _palettes() -> Iterator[tuple[str, Dataset]]:
    ramp = np.arange(60, dtype="<u2")
    segments = np.array([0, 3, 1, 2, 3, 1, 50, 999, 2, 2, 0, 0], "<u2")
    for name, (bits, data, offset) in {
        "words": (16, (ramp * 1000).tobytes(), 0x100),
        "bytes": (8, bytes(range(60)), 0x100),
        "bytes_in_words": (8, ramp.tobytes(), 0x100),
        "segmented": (16, segments.tobytes(), 0x120),
        "segmented_bytes": (8, segments.astype("u1").tobytes(), 0x120),
    }.items():
        ds = dataset(_BYTES, photometric_interpretation="PALETTE COLOR")
        yield f"palette_{name}", _with_palette(ds, [60, 10, bits], data, offset)
    ds = dataset(
        _WORDS, bits_stored=12, attributes={"PixelPresentation": "COLOR", "WindowCenter": "5", "WindowWidth": "9"}
    )
    yield "palette_supplemental", _with_palette(ds, [60, 2000, 16], (ramp * 1000).tobytes(), 0x100)


def _with_palette(ds: Dataset, descriptor: list[int], data: bytes, offset: int) -> Dataset:
    for colour in range(_COLOURS):
        ds.add_new(0x00281101 + colour, "US", descriptor)
        ds.add_new(0x00281101 + offset + colour, "OW", data)
    return ds


def _overlays() -> Iterator[tuple[str, Dataset]]:
    for name, (rows, columns, origin, count) in {
        "whole": (4, 6, [1, 1], 1),
        "off_edge": (3, 5, [-1, 4], 1),
        "frames": (2, 3, [2, 2], 2),
    }.items():
        ds = dataset(np.stack([_WORDS, _WORDS + 1]), bits_stored=13)
        _add_overlay(ds, rows, columns, origin, count)
        ds.add_new(0x60003000, "OW", bytes([0xA5, 0x5A, 0x3C]) + bytes(5))
        yield f"overlay_{name}", ds
    # A plane in the unused high bits of the stored values (retired).
    ds = dataset(_WORDS | 0x8000, bits_stored=12)
    _add_overlay(ds, 4, 6, [1, 1], 1, position=15)
    yield "overlay_embedded", ds
    ds = dataset(_WORDS, ExplicitVRBigEndian, bits_stored=12)
    _add_overlay(ds, 4, 6, [1, 1], 1)
    ds.add_new(0x60003000, "OW", bytes([0xA5, 0x5A, 0x3C, 0]))
    yield "overlay_big_endian", ds


def _add_overlay(ds: Dataset, rows: int, columns: int, origin: list[int], count: int, *, position: int = 0) -> None:
    ds.add_new(0x60000010, "US", rows)
    ds.add_new(0x60000011, "US", columns)
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", origin)
    ds.add_new(0x60000100, "US", 16 if position else 1)
    ds.add_new(0x60000102, "US", position)
    if count > 1:
        ds.add_new(0x60000015, "IS", count)
        ds.add_new(0x60000051, "US", 1)


def _frames() -> Iterator[tuple[str, Dataset]]:
    """Yield windows per frame, and segmentations of each type."""
    ds = dataset(np.stack([_WORDS, _WORDS + 1, _WORDS + 2]))
    ds.SharedFunctionalGroupsSequence = Sequence([_voi_group("100", "1")])
    ds.PerFrameFunctionalGroupsSequence = Sequence([_voi_group("1000", "500"), Dataset(), _voi_group("2000", "0.5")])
    yield "window_per_frame", ds
    for kind, stored, bits in (("BINARY", _BITS, 1), ("FRACTIONAL", _BITS * 100, 8), ("LABELMAP", _BITS * 2, 8)):
        ds = dataset(stored, bits_allocated=bits, attributes={"SegmentationType": kind})
        if kind == "FRACTIONAL":
            ds.MaximumFractionalValue = 200
        ds.SegmentSequence = Sequence([_segment(1, [40000, 20000, 50000]), _segment(2, None)])
        ds.PerFrameFunctionalGroupsSequence = Sequence([_segment_group(1), _segment_group(2)])
        yield f"segments_{kind.lower()}", ds


def _voi_group(center: str, width: str) -> Dataset:
    voi, group = Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth = center, width
    group.FrameVOILUTSequence = Sequence([voi])
    return group


def _segment(number: int, lab: list[int] | None) -> Dataset:
    segment = Dataset()
    segment.SegmentNumber = number
    if lab is not None:
        segment.RecommendedDisplayCIELabValue = lab
    return segment


def _segment_group(number: int) -> Dataset:
    identification, group = Dataset(), Dataset()
    identification.ReferencedSegmentNumber = number
    group.SegmentIdentificationSequence = Sequence([identification])
    return group
