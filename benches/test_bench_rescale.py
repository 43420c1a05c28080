"""Rescale of stored values to modality values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.pixels import apply_rescale

import dicoxide
import generated_datasets


@pytest.fixture(scope="module")
def stored() -> npt.NDArray[np.int16]:
    """100 frames of 512 × 512."""
    return generated_datasets.ct_frames(100).astype(np.int16)


@pytest.mark.parametrize(
    "function", ["dicoxide, reused out=", "dicoxide, new array", "pydicom", "np.copyto of the result"]
)
def test_rescale(benchmark, stored: npt.NDArray[np.int16], function: str) -> None:
    benchmark.group = "rescale 100 × 512 × 512, int16 to float32"
    ds = generated_datasets.dataset(stored[:1])
    expected = (stored.astype(np.float64) - 1024).astype(np.float32)
    out = np.zeros_like(expected)

    def copy():
        np.copyto(out, expected)
        return out

    call = {
        "dicoxide, reused out=": lambda: dicoxide.rescale(stored, 1, -1024, out=out),
        "dicoxide, new array": lambda: dicoxide.rescale(stored, 1, -1024),
        "pydicom": lambda: apply_rescale(stored, ds),
        "np.copyto of the result": copy,
    }[function]
    assert np.array_equal(call(), expected)
    benchmark(call)
