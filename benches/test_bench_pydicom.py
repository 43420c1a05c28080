"""Whole data sets through pydicom's interfaces, by plugin, and through other packages that read them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import RLELossless

import dicoxide
import generated

SIDE = 1024


@pytest.fixture(scope="module")
def rle_1024():
    frame = generated.ct_frames(1, SIDE, SIDE)
    return generated.dataset(frame, rle=True, bits_stored=12), frame[0]


@pytest.mark.parametrize("plugin", ["dicoxide", "pylibjpeg", "pydicom"])
def test_plugin(benchmark, rle_1024, enabled, plugin: str) -> None:
    benchmark.group = f"RLE {SIDE} × {SIDE}, a data set's pixels"
    if plugin not in get_decoder(RLELossless).available_plugins:
        pytest.skip(f"pydicom's plugin {plugin} is not available")
    ds, expected = rle_1024
    assert np.array_equal(pixel_array(ds, decoding_plugin=plugin), expected)
    benchmark(pixel_array, ds, decoding_plugin=plugin)


def test_gdcm_handler(benchmark, rle_1024) -> None:
    benchmark.group = f"RLE {SIDE} × {SIDE}, a data set's pixels"
    pytest.importorskip("gdcm", reason="gdcm is not installed")
    from pydicom.pixel_data_handlers import gdcm_handler

    ds, expected = rle_1024
    assert np.array_equal(gdcm_handler.get_pixeldata(ds).reshape(SIDE, SIDE), expected)
    benchmark(gdcm_handler.get_pixeldata, ds)


def test_dicomsdl(benchmark, rle_1024) -> None:
    benchmark.group = f"RLE {SIDE} × {SIDE}, a data set's pixels"
    dicomsdl = pytest.importorskip("dicomsdl", reason="dicomsdl is not installed")
    ds, expected = rle_1024
    file, out = io.BytesIO(), np.zeros_like(expected)
    ds.save_as(file, enforce_file_format=True)
    opened = dicomsdl.open_memory(file.getvalue())
    opened.copyFrameData(0, out)
    assert np.array_equal(out, expected)
    benchmark(opened.copyFrameData, 0, out)


def test_direct(benchmark, rle_1024) -> None:
    benchmark.group = f"RLE {SIDE} × {SIDE}, a data set's pixels"
    ds, expected = rle_1024
    assert np.array_equal(dicoxide.decode(ds), expected)
    benchmark(dicoxide.decode, ds)
