"""The pydicom encoder plugin: `Dataset.compress`."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import get_encoder, pixel_array
from pydicom.uid import JPEGLossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

import dicoxide
from support.encoder_inputs import native_dataset, noise

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="only the compiled extension encodes JPEG-LS")


class TestPlugin:
    """``ds.compress`` to RLE Lossless."""

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


def with_pyjpegls(ds: Dataset, uid: str, source: Any = None, **options: Any) -> Dataset:
    """Compress a copy of `ds` with pydicom's own plugin."""
    coded = copy.deepcopy(ds)
    coded.compress(uid, source, encoding_plugin="pyjpegls", generate_instance_uid=False, **options)
    return coded


@needs_core
class TestJpegLs:
    """``ds.compress`` to JPEG-LS: equal to pydicom's plugin for pyjpegls, which uses CharLS."""

    @pytest.fixture(autouse=True)
    def _pyjpegls(self) -> None:
        pytest.importorskip("jpeg_ls")

    @pytest.mark.parametrize("from_array", [False, True], ids=["data set", "array"])
    @pytest.mark.parametrize("bits_stored", [2, 7, 8, 9, 12, 16])
    @pytest.mark.parametrize("dtype", [np.uint16, np.int16])
    def test_compress_equals_pyjpegls(self, dtype: Any, bits_stored: int, from_array: bool) -> None:
        image = noise((40, 50), bits_stored, dtype=np.int64) >> 1
        if dtype == np.int16:
            image -= 1 << (bits_stored - 2)
        image = image.astype(dtype)
        ds = native_dataset(image, bits_stored=bits_stored, high_bit=bits_stored - 1)
        for uid, options in ((JPEGLSLossless, {}), (JPEGLSNearLossless, {"jls_error": 1 if bits_stored > 2 else 0})):
            source = image if from_array else None
            expected = with_pyjpegls(ds, uid, source, **options)
            coded = copy.deepcopy(ds)
            with dicoxide.enabled():
                coded.compress(uid, source, **options)
            assert coded.PixelData == expected.PixelData
            pixels = pixel_array(coded, decoding_plugin="pyjpegls")
            assert np.abs(pixels.astype(int) - image).max() <= options.get("jls_error", 0)

    @pytest.mark.parametrize("from_array", [False, True], ids=["data set", "array"])
    @pytest.mark.parametrize("planar_configuration", [0, 1])
    @pytest.mark.parametrize("bits_stored", [8, 12])
    def test_compress_of_colour_equals_pyjpegls(
        self, bits_stored: int, planar_configuration: int, from_array: bool
    ) -> None:
        image = noise((30, 40, 3), bits_stored)
        high_bit = bits_stored - 1
        ds = native_dataset(
            image, bits_stored=bits_stored, high_bit=high_bit, planar_configuration=planar_configuration
        )
        source = image if from_array else None
        coded = copy.deepcopy(ds)
        with dicoxide.enabled():
            coded.compress(JPEGLSLossless, source)
        assert coded.PixelData == with_pyjpegls(ds, JPEGLSLossless, source).PixelData
        np.testing.assert_array_equal(pixel_array(coded, decoding_plugin="pyjpegls", raw=True), image)

    @pytest.mark.parametrize("interleave", ["none", "line", "sample"])
    def test_compress_with_interleave_writes_that_mode(self, interleave: str) -> None:
        image = noise((30, 40, 3), 8)
        ds = native_dataset(image)
        with dicoxide.enabled():
            ds.compress(JPEGLSLossless, encoding_plugin="dicoxide", jls_interleave=interleave)
        assert dicoxide.jpegls_encode(image, interleave=interleave) in ds.PixelData

    def test_compress_drops_bits_above_bits_stored(self) -> None:
        image = noise((40, 50), 16)
        ds = native_dataset(image, bits_stored=12, high_bit=11)
        coded = copy.deepcopy(ds)
        with dicoxide.enabled():
            coded.compress(JPEGLSLossless)
        assert coded.PixelData == with_pyjpegls(ds, JPEGLSLossless).PixelData
        assert dicoxide.jpegls_encode(image & 4095, precision=12) in coded.PixelData

    def test_compress_of_several_frames_encodes_each(self) -> None:
        image = noise((3, 40, 50), 12)
        ds = native_dataset(image, bits_stored=12, high_bit=11, number_of_frames=3)
        with dicoxide.enabled():
            ds.compress(JPEGLSLossless, encoding_plugin="dicoxide")
        np.testing.assert_array_equal(pixel_array(ds, decoding_plugin="pyjpegls"), image)

    def test_encode_of_big_endian_buffer_equals_jpegls_encode(self) -> None:
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
        src = image.astype(">u2").tobytes()
        with dicoxide.enabled():
            encoder = get_encoder(JPEGLSLossless)
            encoded = encoder.encode(src, encoding_plugin="dicoxide", byteorder=">", **options)
        assert encoded == dicoxide.jpegls_encode(image, precision=12)

    @pytest.mark.parametrize("value", [-2048, -2046, 2045, 2047])
    def test_compress_of_signed_value_whose_sign_could_change_raises(self, value: int) -> None:
        # pydicom checks arrays, but not the values of a data set.
        image = np.tile(np.array([0, value], np.int16), (20, 20))
        ds = native_dataset(image, bits_stored=12, high_bit=11)
        text = f"value {value} of sample 1 found, .* so that no sign changes"
        with dicoxide.enabled(), pytest.raises(RuntimeError, match=text):
            copy.deepcopy(ds).compress(JPEGLSNearLossless, encoding_plugin="dicoxide", jls_error=3)
        with dicoxide.enabled():
            ds.compress(JPEGLSNearLossless, encoding_plugin="dicoxide", jls_error=0)
        np.testing.assert_array_equal(dicoxide.decode(ds), image)

    @pytest.mark.parametrize("dtype", [np.int8, np.int16])
    @pytest.mark.parametrize("bits_stored", [7, 8])
    def test_compress_of_extreme_signed_values_keeps_their_sign(self, bits_stored: int, dtype: Any) -> None:
        high = (1 << (bits_stored - 1)) - 4
        image = np.random.default_rng(9).choice([-high - 1, -1, 0, high], (20, 30)).astype(dtype)
        ds = native_dataset(image, bits_stored=bits_stored, high_bit=bits_stored - 1)
        with dicoxide.enabled():
            ds.compress(JPEGLSNearLossless, encoding_plugin="dicoxide", jls_error=3)
        assert np.abs(dicoxide.decode(ds).astype(int) - image).max() <= 3

    def test_encode_one_bit_stored_writes_two_bits(self) -> None:
        image = noise((40, 50), 1)
        ds = native_dataset(image, bits_stored=1, high_bit=0)
        with dicoxide.enabled():
            encoded = get_encoder(JPEGLSLossless).encode(ds, encoding_plugin="dicoxide", validate=False)
        assert encoded == get_encoder(JPEGLSLossless).encode(ds, encoding_plugin="pyjpegls", validate=False)

    @pytest.mark.parametrize(
        ("uid", "options", "words"),
        [
            (JPEGLSLossless, {"jls_error": 1}, r"jls_error is 1, 0 expected for JPEG-LS Lossless \(PS3.5 A.4.3\)"),
            (JPEGLSNearLossless, {"jls_error": 128}, "near 128 found, 0 to 127 expected"),
            (JPEGLSNearLossless, {"jls_error": -1}, "near must be"),
            (JPEGLSLossless, {"jls_interleave": "planes"}, "interleave must be"),
        ],
    )
    def test_encode_with_invalid_options_raises(self, uid: str, options: dict[str, Any], words: str) -> None:
        with dicoxide.enabled(), pytest.raises(RuntimeError, match=words):
            get_encoder(uid).encode(native_dataset(noise((9, 9), 8)), encoding_plugin="dicoxide", **options)
