"""The pydicom 3 decoder plugin: buffers, as pydicom's own plugins return them, and the layout of arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import get_decoder, iter_pixels, pixel_array
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGLossless, JPEGLosslessSV1, RLELossless

import dicoxide
from dicoxide.plugins import pydicom_v3
from support.encoders.dataset import dataset
from support.real_images import ROOT, pydicom_files

rng = np.random.default_rng(16)

# Plugins to compare with, in order of preference. That of pydicom decodes RLE Lossless only.
HOST_PLUGINS = ("pydicom", "pylibjpeg", "gdcm")


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    with dicoxide.enabled():
        yield


@cache
def files() -> list[Path]:
    """Return the RLE and JPEG Lossless files of pydicom, and of pydicom-data among the vectors."""
    vectors = sorted((ROOT / "tests" / "vectors").glob("*.dcm"))
    return [path for path in [*pydicom_files(), *vectors] if is_rle_or_jpeg_lossless(path)]


def is_rle_or_jpeg_lossless(path: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = dcmread(path, stop_before_pixels=True)
            return ds.file_meta.TransferSyntaxUID in (RLELossless, JPEGLossless, JPEGLosslessSV1)
        except Exception:
            return False


def host_plugin(ds: Any) -> str:
    """Return the plugin of pydicom that decodes `ds`; skip the test if none does."""
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    for label in HOST_PLUGINS:
        if label in decoder.available_plugins:
            try:
                decoder.as_buffer(ds, decoding_plugin=label)
            except Exception:
                continue
            return label
    pytest.skip("no plugin of pydicom decodes the file")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_as_buffer_equals_the_plugin_of_pydicom(path: Path) -> None:
    ds = dcmread(path)
    plugin, decoder = host_plugin(ds), get_decoder(ds.file_meta.TransferSyntaxUID)
    for index in [None, *range(int(ds.get("NumberOfFrames", 1)))]:
        expected, properties = decoder.as_buffer(ds, index=index, decoding_plugin=plugin)
        for label in ("", "dicoxide"):
            found, found_properties = decoder.as_buffer(ds, index=index, decoding_plugin=label)
            assert bytes(found) == bytes(expected)
            assert found_properties == properties


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_iter_buffer_equals_the_plugin_of_pydicom(path: Path) -> None:
    ds = dcmread(path)
    plugin, decoder = host_plugin(ds), get_decoder(ds.file_meta.TransferSyntaxUID)
    last = int(ds.get("NumberOfFrames", 1)) - 1
    for indices in (None, [0], [last, 0]):
        expected = list(decoder.iter_buffer(ds, indices=indices, decoding_plugin=plugin))
        for label in ("", "dicoxide"):
            found = list(decoder.iter_buffer(ds, indices=indices, decoding_plugin=label))
            assert len(found) == len(expected)
            for (frame, properties), (expected_frame, expected_properties) in zip(found, expected, strict=True):
                assert bytes(frame) == bytes(expected_frame)
                assert properties == expected_properties


@pytest.mark.parametrize("planar_configuration", [0, 1])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4"])
def test_rle_colour_buffer_has_planes(dtype: str, frames: int, planar_configuration: int) -> None:
    images = rng.integers(0, 100, (frames, 5, 7, 3)).astype(dtype)
    ds = dataset(images, RLELossless, samples_per_pixel=3, planar_configuration=planar_configuration, table="basic")
    decoder = get_decoder(RLELossless)
    planes = np.moveaxis(images, -1, 1).astype(f"<{dtype}")
    buffer, properties = decoder.as_buffer(ds)
    assert bytes(buffer) == planes.tobytes()
    assert planar_configurations(properties) == {1}
    found = list(decoder.iter_buffer(ds, decoding_plugin="dicoxide"))
    assert [bytes(frame) for frame, _ in found] == [frame.tobytes() for frame in planes]
    assert {properties["planar_configuration"] for _, properties in found} == {1}


def planar_configurations(properties: dict[Any, Any]) -> set[Any]:
    """Return the values of a result of `as_buffer`: one dictionary in pydicom 3.0, one for each frame in 3.1."""
    rows = properties.values() if 0 in properties else [properties]
    return {row["planar_configuration"] for row in rows}


@pytest.mark.parametrize("planar_configuration", [0, 1])
@pytest.mark.parametrize("frames", [1, 3])
def test_rle_colour_array_is_interleaved_in_memory(frames: int, planar_configuration: int) -> None:
    images = rng.integers(0, 256, (frames, 5, 7, 3), dtype=np.uint8)
    ds = dataset(images, RLELossless, samples_per_pixel=3, planar_configuration=planar_configuration, table="basic")
    expected = images if frames > 1 else images[0]
    decoder = get_decoder(RLELossless)
    arrays = [ds.pixel_array, pixel_array(ds), decoder.as_array(ds)[0]]
    for array in arrays:
        assert np.array_equal(array, expected)
        assert array.flags.c_contiguous
    each = [pixel_array(ds, index=frames - 1), *decoder_frames(ds), *iter_pixels(ds, indices=[0])]
    for array, image in zip(each, [images[-1], *images, images[0]], strict=True):
        assert np.array_equal(array, image)
        assert array.flags.c_contiguous


def decoder_frames(ds: Any) -> list[Any]:
    return [array for array, _ in get_decoder(RLELossless).iter_array(ds)]


def test_runner_used_directly_gets_planes_with_their_planar_configuration() -> None:
    images = rng.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    ds = dataset(images, RLELossless, samples_per_pixel=3, table="basic")
    runner = DecodeRunner(RLELossless)
    runner.set_source(ds)
    runner.set_decoders({"dicoxide": pydicom_v3.decode_frame})
    assert [bytes(frame) for frame in runner.iter_decode()] == [np.moveaxis(image, -1, 0).tobytes() for image in images]
    assert runner.pixel_properties(0)["planar_configuration"] == 1
