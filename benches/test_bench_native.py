"""Uncompressed frames, 12 bits in 16."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.pixels import pixel_array

import dicoxide

WAYS = {
    "dicoxide, warm out, 1 thread": lambda ds, out: dicoxide.decode(ds, out=out, threads=1),
    "dicoxide, fresh": lambda ds, out: dicoxide.decode(ds),
    "pydicom": lambda ds, out: pixel_array(ds),
}
WAYS_BY_INDEX = {
    "dicoxide": lambda ds: dicoxide.decode(ds, frames=137),
    "pydicom": lambda ds: pixel_array(ds, index=137),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_frames(benchmark, native_dataset, native_frames, way: str) -> None:
    benchmark.group = "native 200 × 512 × 512"
    out = np.zeros_like(native_frames)
    assert np.array_equal(WAYS[way](native_dataset, out), native_frames)
    benchmark(WAYS[way], native_dataset, out)


@pytest.mark.parametrize("way", WAYS_BY_INDEX)
def test_one_frame_by_index(benchmark, native_dataset, native_frames, way: str) -> None:
    benchmark.group = "native, one frame of 200"
    assert np.array_equal(WAYS_BY_INDEX[way](native_dataset), native_frames[137])
    benchmark(WAYS_BY_INDEX[way], native_dataset)
