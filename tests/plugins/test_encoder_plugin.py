"""The pydicom encoder plugin: `Dataset.compress`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.pixels import get_encoder, pixel_array
from pydicom.uid import JPEGLossless, RLELossless

import dicoxide
from support.encoder_inputs import native_dataset, noise


class TestPlugin:
    """``ds.compress`` of pydicom."""

    @pytest.mark.parametrize("shape", [(12, 17), (9, 8, 3)])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_compress_encodes_as_rle_encode(self, shape: tuple[int, ...], dtype: Any) -> None:
        image = noise(shape, 4, dtype=dtype)
        ds = native_dataset(image)
        with dicoxide.enabled():
            ds.compress(RLELossless)
        assert dicoxide.rle_encode(image) in ds.PixelData
        ds._pixel_array = None
        np.testing.assert_array_equal(pixel_array(ds, decoding_plugin="pydicom", raw=True), image)
        np.testing.assert_array_equal(dicoxide.decode(ds, raw=True), image)

    def test_compress_finds_the_plugin_only_while_enabled(self) -> None:
        image = noise((20, 20), 12).astype(np.int16) - 2000
        ds = native_dataset(image)
        with pytest.raises(ValueError, match="No plugin named"):
            ds.compress(RLELossless, encoding_plugin="dicoxide")
        with dicoxide.enabled():
            ds.compress(RLELossless, encoding_plugin="dicoxide")
            np.testing.assert_array_equal(ds.pixel_array, image)

    def test_compress_of_array_round_trips(self) -> None:
        image = noise((3, 10, 11), 12)
        ds = native_dataset(image, bits_stored=12, high_bit=11, number_of_frames=3)
        with dicoxide.enabled():
            ds.compress(RLELossless, image, encoding_plugin="dicoxide")
        np.testing.assert_array_equal(pixel_array(ds, decoding_plugin="pydicom"), image)

    def test_compress_of_8_bits_stored_in_16_round_trips(self) -> None:
        # pydicom passes one byte per sample, although Bits Allocated is and stays 16.
        image = noise((10, 12), 7).astype(np.int16) - 64
        for source in (None, image):
            coded = native_dataset(image, bits_stored=8, high_bit=7)
            with dicoxide.enabled():
                coded.compress(RLELossless, source, encoding_plugin="dicoxide")
            np.testing.assert_array_equal(pixel_array(coded, decoding_plugin="pydicom"), image)

    def test_compress_of_planar_data_set_round_trips(self) -> None:
        image = noise((6, 5, 3), 8)
        ds = native_dataset(image, planar_configuration=1)
        with dicoxide.enabled():
            ds.compress(RLELossless, encoding_plugin="dicoxide")
        np.testing.assert_array_equal(pixel_array(ds, decoding_plugin="pydicom", raw=True), image)

    def test_encode_of_big_endian_buffer_equals_rle_encode(self) -> None:
        image = noise((6, 5), 12)
        options = {
            "rows": 6,
            "columns": 5,
            "samples_per_pixel": 1,
            "bits_allocated": 16,
            "bits_stored": 12,
            "pixel_representation": 0,
            "number_of_frames": 1,
            "photometric_interpretation": "MONOCHROME2",
        }
        with dicoxide.enabled():
            encoder = get_encoder(RLELossless)
            encoded = encoder.encode(
                image.astype(">u2").tobytes(), encoding_plugin="dicoxide", byteorder=">", **options
            )
        assert encoded == dicoxide.rle_encode(image)

    def test_compress_to_jpeg_lossless_raises_not_implemented(self) -> None:
        with dicoxide.enabled(), pytest.raises(NotImplementedError):
            native_dataset(noise((2, 2), 8)).compress(JPEGLossless)
