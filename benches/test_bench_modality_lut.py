"""Modality LUT: look-up of an array in memory, and decoding with look-up, against pydicom."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut
from pydicom.sequence import Sequence

import dicoxide
import generated_datasets
from dicoxide._pixels import transform_into
from dicoxide._sources import open_source


@pytest.fixture(scope="module", params=[4096, 65536], ids=["12-bit", "16-bit"])
def ds(request: pytest.FixtureRequest) -> Dataset:
    """One frame of 512 × 512: of 12 bits, or random values of 16 bits, with a table of 16-bit entries."""
    count = request.param
    rng = np.random.default_rng(0)
    frames = generated_datasets.ct_frames(1) if count == 4096 else rng.integers(0, count, (1, 512, 512))
    ds = generated_datasets.dataset(np.clip(frames, 0, count - 1).astype(np.uint16))
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        ds.pop(keyword, None)
    ds.BitsStored, ds.HighBit = 16, 15
    item = Dataset()
    item.LUTDescriptor = [count % 65536, 0, 16]
    item["LUTDescriptor"].VR = "US"
    item.add_new("LUTData", "OW", rng.permutation(count).astype("<u2").tobytes())
    ds.ModalityLUTSequence = Sequence([item])
    return ds


@pytest.mark.parametrize("function", ["dicoxide", "pydicom"])
def test_look_up(benchmark, ds: Dataset, function: str) -> None:
    benchmark.group = f"Modality LUT of {ds.ModalityLUTSequence[0].LUTDescriptor[0] or 65536} entries, array in memory"
    stored = dicoxide.decode(ds)
    modality_lut = open_source(ds).modality_lut()
    assert modality_lut is not None
    out = np.empty(stored.shape, np.float32)

    def look_up():
        transform_into(stored, modality_lut[0], out, is_warm=True)
        return out

    call = {"dicoxide": look_up, "pydicom": lambda: apply_modality_lut(stored, ds)}[function]
    assert np.array_equal(call(), dicoxide.decode(ds, rescale=True))
    benchmark(call)


@pytest.mark.parametrize("function", ["dicoxide", "pydicom"])
def test_decode_and_look_up(benchmark, ds: Dataset, function: str) -> None:
    benchmark.group = f"Modality LUT of {ds.ModalityLUTSequence[0].LUTDescriptor[0] or 65536} entries, decode Dataset"

    def by_pydicom():
        # Otherwise the second call returns the array of the first one.
        ds._pixel_array = None
        return apply_modality_lut(ds.pixel_array, ds)

    call = {"dicoxide": lambda: dicoxide.decode(ds, rescale=True), "pydicom": by_pydicom}[function]
    assert np.array_equal(call(), dicoxide.decode(ds, rescale=True))
    benchmark(call)
