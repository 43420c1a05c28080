"""The JPEG 2000 test encoder: its frames as OpenJPEG and OpenJPH decode them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import opj_decompress
from support.encoders.jpeg2000_cases import FEATURES, HT_FEATURES, Frame, random_blocks, random_frame
from support.examples import count

imagecodecs = pytest.importorskip("imagecodecs", reason="decoders to compare with")
needs_openjpeg = pytest.mark.skipif(opj_decompress.DECODER is None, reason="a decoder to compare with")

BLOCKS = range(10)
ALL_FEATURES = {**FEATURES, **HT_FEATURES}
# OpenJPEG 2.5 refuses frames without EOC, and HT sets without data.
OPENJPEG_FEATURES = [name for name, frame in ALL_FEATURES.items() if frame.has_eoc and not frame.has_placeholders]
# Features with a number of discarded resolutions; it does not change code-block styles and precisions.
REDUCED_FEATURES = [
    (name, 1 + index % 2)
    for index, name in enumerate(OPENJPEG_FEATURES)
    if ALL_FEATURES[name].min_levels >= 2 and not re.search("style|precision|bits", name)
]


def assert_equal_or_close(found: Any, frame: Frame) -> None:
    """Assert equal samples, or for 9/7 samples that differ by the rounding errors of 32-bit floats and constants."""
    expected = frame.encoded.planes
    assert len(found) == len(expected)
    for plane, values in zip(found, expected, strict=True):
        assert plane.shape == values.shape
        if frame.is_lossless:
            assert np.array_equal(plane, values), frame
        else:
            assert np.abs(plane.astype(int) - values).max(initial=0) <= frame.tolerance, frame


def planes_of(values: Any, frame: Frame) -> list[Any]:
    """Return the planes of interleaved or planar samples."""
    if values.ndim == 2:
        return [values]
    shape = frame.encoded.planes[0].shape
    return list(np.moveaxis(values, -1, 0) if values.shape[:2] == shape else values)


def decoded_by_openjph(frame: Frame) -> list[Any]:
    """Return the planes of OpenJPH, which does not clip them."""
    planes = planes_of(imagecodecs.htj2k_decode(frame.src), frame)
    precision, is_signed = frame.precision, frame.samples.dtype.kind == "i"
    low = -(1 << precision - 1) if is_signed else 0
    signed = [plane.view(f"i{plane.dtype.itemsize}") for plane in planes]
    # Unsigned samples of all bits are not out of range.
    is_full = not is_signed and precision == planes[0].dtype.itemsize * 8
    return planes if is_full else [np.clip(plane, low, low + (1 << precision) - 1) for plane in signed]


@needs_openjpeg
@pytest.mark.parametrize("name", OPENJPEG_FEATURES)
def test_feature_decodes_equally_with_openjpeg(name: str, tmp_path: Path) -> None:
    frame = ALL_FEATURES[name]
    assert_equal_or_close(opj_decompress.decode_planes(frame.src, tmp_path, len(frame.encoded.planes)), frame)


@needs_openjpeg
@pytest.mark.parametrize(("name", "reduce"), REDUCED_FEATURES)
def test_reduced_feature_decodes_equally_with_openjpeg(name: str, reduce: int, tmp_path: Path) -> None:
    frame = ALL_FEATURES[name].reduced(reduce)
    planes = opj_decompress.decode_planes(frame.src, tmp_path, len(frame.encoded.planes), reduce=reduce)
    assert_equal_or_close(planes, frame)


@pytest.mark.parametrize("name", [name for name in HT_FEATURES if name not in ("HT and EBCOT components", "HT layers")])
def test_ht_feature_decodes_equally_with_openjph(name: str) -> None:
    frame = HT_FEATURES[name]
    assert_equal_or_close(planes_of(imagecodecs.htj2k_decode(frame.src), frame), frame)


@pytest.mark.parametrize("is_ht", [False, True], ids=["EBCOT", "HT"])
@pytest.mark.parametrize("block", BLOCKS)
def test_random_frame_decodes_equally_with_openjpeg(block: int, is_ht: bool) -> None:
    for seed in range(block, count(250), len(BLOCKS)):
        frame = random_frame(seed, is_ht=is_ht)
        if frame.is_decoded_by_openjpeg:
            assert_equal_or_close(planes_of(imagecodecs.jpeg2k_decode(frame.src), frame), frame)


@pytest.mark.parametrize("block", BLOCKS)
def test_random_ht_blocks_decode_equally_with_openjph(block: int) -> None:
    for seed in range(block, count(250), len(BLOCKS)):
        frame = random_blocks(seed, is_ht=True)
        assert_equal_or_close(decoded_by_openjph(frame), frame)
