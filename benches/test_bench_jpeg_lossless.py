"""JPEG Lossless: each decoder on each real frame, series, and data sets by plugin; `ratios.py` compares fairly."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import JPEGLossless

import adapters_jpeg
import corpus_jpeg
import dicoxide


@pytest.fixture
def decodes() -> None:
    """Nothing of ours to measure where NumPy is the backend."""
    if reason := adapters_jpeg.OURS.missing():
        pytest.skip(reason)


def test_frame(
    benchmark, jpeg_decoder: adapters_jpeg.JpegLosslessDecoder, jpeg_frame: corpus_jpeg.JpegLosslessFrame
) -> None:
    if jpeg_decoder.module != "dicoxide" and (verdict := jpeg_decoder.verdict(jpeg_frame)):
        pytest.skip(f"{jpeg_decoder.name}: {verdict}")
    benchmark.group = f"JPEG Lossless {jpeg_frame.name}"
    benchmark.extra_info["decoded_bytes"] = jpeg_frame.reference.nbytes
    decode = jpeg_decoder.bind(jpeg_frame, np.zeros_like(jpeg_frame.reference))
    assert jpeg_decoder.is_right(jpeg_frame, decode())
    benchmark(decode)


@pytest.mark.parametrize("threads", [1, 2])
def test_series(benchmark, decodes, jpeg_series, threads: int) -> None:
    ds, frames = jpeg_series
    benchmark.group = "JPEG Lossless 50 × 512 × 512"
    out = np.zeros_like(frames)
    assert np.array_equal(dicoxide.decode(ds, out=out, threads=threads), frames)
    benchmark(dicoxide.decode, ds, out=out, threads=threads)


def test_series_rescaled(benchmark, decodes, jpeg_series) -> None:
    ds, frames = jpeg_series
    benchmark.group = "JPEG Lossless 50 × 512 × 512"
    out = np.zeros(frames.shape, np.float32)
    assert np.array_equal(dicoxide.decode(ds, rescale=True, out=out, threads=1), frames.astype(np.float32) - 1024)
    benchmark(dicoxide.decode, ds, rescale=True, out=out, threads=1)


@pytest.mark.parametrize("plugin", ["dicoxide", "pylibjpeg", "gdcm"])
def test_plugin(benchmark, jpeg_series, enabled, plugin: str) -> None:
    benchmark.group = "JPEG Lossless, one of 50 frames, a data set's pixels"
    if plugin not in get_decoder(JPEGLossless).available_plugins:
        pytest.skip(f"pydicom's plugin {plugin} is not available")
    ds, frames = jpeg_series
    assert np.array_equal(pixel_array(ds, index=7, decoding_plugin=plugin), frames[7])
    benchmark(pixel_array, ds, index=7, decoding_plugin=plugin)
