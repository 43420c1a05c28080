"""Rendering of damaged files: one clear exception, or a result, in time."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pydicom
import pytest

import dicoxide
from dicoxide import DecodeError
from support.rendering_datasets import file_bytes, item, lut_item, make_dataset

MUTANTS = 100
STORED = np.arange(64, dtype=np.uint8).reshape(8, 8)


def add_overlay(dataset: Any) -> None:
    for element, vr, value in (
        (0x10, "US", 8),
        (0x11, "US", 8),
        (0x15, "IS", 1),
        (0x40, "CS", "G"),
        (0x50, "SS", [1, 1]),
        (0x51, "US", 1),
        (0x100, "US", 1),
        (0x102, "US", 0),
        (0x3000, "OW", bytes(range(8))),
    ):
        dataset.add_new(0x60000000 | element, vr, value)


def gray() -> bytes:
    dataset = make_dataset(
        STORED,
        WindowCenter=[10, 20],
        WindowWidth=[30, 40],
        WindowCenterWidthExplanation=["A", "B"],
        RescaleSlope=2,
        RescaleIntercept=-5,
        VOILUTFunction="SIGMOID",
        PixelPaddingValue=3,
        PixelPaddingRangeLimit=5,
        PresentationLUTShape="INVERSE",
    )
    add_overlay(dataset)
    return file_bytes(dataset)


def tables() -> bytes:
    modality = lut_item(0, np.arange(64, dtype=np.uint16), 16)
    modality.ModalityLUTType = "US"
    voi = lut_item(0, np.arange(64, dtype=np.uint16), 10, explanation="A")
    return file_bytes(make_dataset(STORED, ModalityLUTSequence=[modality], VOILUTSequence=[voi]))


def groups() -> bytes:
    shared = [item(FrameVOILUTSequence=[item(WindowCenter=500, WindowWidth=600)])]
    frames = [
        item(
            FrameVOILUTSequence=[item(WindowCenter=1, WindowWidth=5)],
            PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=2, RescaleType="US")],
        ),
        item(),
    ]
    dataset = make_dataset(
        np.stack([STORED, STORED]),
        frames=2,
        SharedFunctionalGroupsSequence=shared,
        PerFrameFunctionalGroupsSequence=frames,
    )
    add_overlay(dataset)
    return file_bytes(dataset)


def palette(*, is_segmented: bool) -> bytes:
    dataset = make_dataset(STORED, photometric="PALETTE COLOR")
    data = np.array([0, 2, 0, 100, 1, 30, 65535, 2, 1, 8, 0, 0, 1, 7], "<u2") if is_segmented else np.arange(64)
    for color in ("Red", "Green", "Blue"):
        dataset.add_new(f"{color}PaletteColorLookupTableDescriptor", "US", [63 if is_segmented else 64, 0, 16])
        prefix = "Segmented" if is_segmented else ""
        dataset.add_new(f"{prefix}{color}PaletteColorLookupTableData", "OW", data.astype("<u2").tobytes())
    return file_bytes(dataset)


def segments() -> bytes:
    dataset = make_dataset(
        STORED,
        SegmentationType="LABELMAP",
        SegmentSequence=[item(SegmentNumber=number, RecommendedDisplayCIELabValue=[1, 2, 3]) for number in (1, 60)],
        SharedFunctionalGroupsSequence=[item(SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)])],
    )
    return file_bytes(dataset)


def colors() -> bytes:
    samples = np.zeros((8, 8, 3), np.uint8)
    return file_bytes(make_dataset(samples, samples=3, ICCProfile=b"\0\0\1\0" + bytes(200)))


FILES = {
    "gray": gray(),
    "tables": tables(),
    "groups": groups(),
    "palette": palette(is_segmented=False),
    "segmented palette": palette(is_segmented=True),
    "segments": segments(),
    "colors": colors(),
}


def source_of(data: bytes, is_file: bool) -> Any:
    """Return the bytes of a file, or its data set as pydicom reads it; None if it does not."""
    if is_file:
        return data
    try:
        return pydicom.dcmread(io.BytesIO(data), force=True)
    except Exception:
        return None


@pytest.mark.parametrize("is_file", [True, False], ids=["file", "data set"])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_render_of_mutated_file_returns_or_raises_one_error(name: str, is_file: bool) -> None:
    rng = np.random.default_rng(len(name))
    data = FILES[name]
    dicoxide.render(data, overlays=True)
    windows = ["first", "full", "range", 0, 1, "A", ("percentile", 1, 99), (5, 9)]
    for _ in range(MUTANTS):
        mutant = bytearray(data)
        for position in rng.integers(132, len(data), rng.integers(1, 6)):
            mutant[position] = rng.integers(0, 256)
        window = windows[rng.integers(len(windows))]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if (source := source_of(bytes(mutant), is_file)) is not None:
                    dicoxide.render(source, overlays=True, window=window, icc=True, max_size=6, max_bytes=1 << 24)
        except (DecodeError, ValueError):
            pass
