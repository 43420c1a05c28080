"""`jpeg_lossless_encode`: read back by the decoder, a reference decoder and other packages."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import JPEGLossless

import dicoxide
from dicoxide import _numpy_backend
from support.encoder_inputs import UNSUPPORTED_BY_JPEG, Array, noise
from support.examples import examples

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="only the compiled extension encodes JPEG Lossless")


def extremes(shape: tuple[int, ...], precision: int) -> Array:
    """Return a checkerboard of the least and the greatest value, which has the greatest differences."""
    image = np.indices(shape).sum(axis=0) % 2 * ((1 << precision) - 1)
    return image.astype(np.uint8 if precision <= 8 else np.uint16)


def decode_jpeg_lossless(src: bytes, expected: Array) -> Array:
    """Decode a frame with the shape and dtype of `expected`."""
    rows, columns, *samples = expected.shape
    bits = expected.dtype.itemsize * 8
    frame = dicoxide.FrameSpec(
        transfer_syntax=JPEGLossless,
        rows=rows,
        columns=columns,
        samples_per_pixel=samples[0] if samples else 1,
        bits_allocated=bits,
        bits_stored=bits,
        high_bit=bits - 1,
    )
    return dicoxide.decode_frame(src, frame).reshape(expected.shape)


def assert_jpeg_lossless(image: Array, precision: int | None = None, **parameters: int) -> bytes:
    """Encode and decode with `decode_frame`, `jpeg_lossless_decode` and, if installed, libjpeg-turbo."""
    encoded = dicoxide.jpeg_lossless_encode(image, precision=precision, **parameters)
    mask = (1 << (precision or image.dtype.itemsize * 8)) - 1
    point_transform = parameters.get("point_transform", 0)
    expected = (image.astype(np.int64) & mask) >> point_transform << point_transform
    expected = expected.astype(np.uint8 if mask < 256 and image.dtype.itemsize == 1 else np.uint16)
    np.testing.assert_array_equal(decode_jpeg_lossless(encoded, expected), expected)
    decoded = dicoxide.jpeg_lossless_decode(encoded)
    assert decoded.dtype == (np.uint8 if mask < 256 else np.uint16)
    np.testing.assert_array_equal(decoded.reshape(expected.shape), expected)
    if (imagecodecs := _imagecodecs()) is not None:
        decoded = imagecodecs.jpeg8_decode(encoded).reshape(expected.shape)
        np.testing.assert_array_equal(decoded, expected)
    return encoded


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError:
        return None
    return imagecodecs if imagecodecs.JPEG8.available else None


@needs_core
class TestJpegLossless:
    """ITU-T T.81 Annex H."""

    @pytest.mark.parametrize("selection_value", range(1, 8))
    @pytest.mark.parametrize("precision", range(2, 17))
    def test_encode_with_every_precision_and_predictor_round_trips(self, precision: int, selection_value: int) -> None:
        shape = (9, 13)
        for image in (noise(shape, precision), extremes(shape, precision), np.zeros(shape, np.uint16)):
            assert_jpeg_lossless(image, precision, selection_value=selection_value)

    @pytest.mark.parametrize("precision", [2, 8, 12, 16])
    def test_encode_with_every_point_transform_round_trips(self, precision: int) -> None:
        for point_transform in range(precision):
            assert_jpeg_lossless(noise((6, 7), precision), precision, point_transform=point_transform)
            assert_jpeg_lossless(
                noise((6, 7), precision),
                precision,
                point_transform=point_transform,
                selection_value=7,
                restart_interval=14,
            )

    @pytest.mark.parametrize("samples", [1, 2, 3, 4])
    @pytest.mark.parametrize("selection_value", range(1, 8))
    @pytest.mark.parametrize("interval_rows", [0, 1, 3, 8, 9, 100])
    def test_encode_with_restart_interval_writes_markers_modulo_eight(
        self, samples: int, selection_value: int, interval_rows: int
    ) -> None:
        image = noise((19, 11, samples), 16)
        image[..., 0] //= 99
        encoded = assert_jpeg_lossless(image, selection_value=selection_value, restart_interval=11 * interval_rows)
        scan = encoded[encoded.index(b"\xff\xda") :]
        markers = [byte for mark, byte in pairwise(scan) if mark == 0xFF and 0xD0 <= byte <= 0xD7]
        expected = -(-19 // interval_rows) - 1 if interval_rows else 0
        assert markers == [0xD0 + index % 8 for index in range(expected)]

    @pytest.mark.parametrize(
        "shape", [(1, 1), (1, 2), (2, 1), (1, 65535), (65535, 1), (3, 4, 1), (1, 1, 3), (5, 1, 4), (65535, 1, 3)]
    )
    @pytest.mark.parametrize("selection_value", [1, 4, 6])
    def test_encode_of_extreme_sizes_round_trips(self, shape: tuple[int, ...], selection_value: int) -> None:
        assert_jpeg_lossless(noise(shape, 12), 12, selection_value=selection_value)

    def test_encode_of_every_difference_category_round_trips(self) -> None:
        # Each category occurs three times as often as the next, which needs the shortest and the longest codes.
        steps = np.concatenate([np.full(3**power, 1 << (10 - power)) for power in range(11)])
        image = np.cumsum(np.random.default_rng(1).permutation(steps)).astype(np.uint16)
        image = image[: image.size // 85 * 85].reshape(-1, 85)
        assert_jpeg_lossless(image)
        assert_jpeg_lossless(np.stack([image, image[::-1], image // 5], axis=-1))

    @pytest.mark.parametrize(
        ("dtype", "precision"), [(np.int8, 8), (np.int8, 11), (np.int16, 16), (np.int16, 12), (np.int16, 2)]
    )
    def test_encode_of_signed_samples_stores_their_bits(self, dtype: Any, precision: int) -> None:
        low = max(-(1 << (precision - 1)), np.iinfo(dtype).min)
        image = np.random.default_rng(3).integers(low, -low, (20, 30)).astype(dtype)
        image[0, 0] = low
        encoded = dicoxide.jpeg_lossless_encode(image, precision=precision)
        frame = dicoxide.FrameSpec(
            transfer_syntax=JPEGLossless,
            rows=20,
            columns=30,
            bits_allocated=8 if precision <= 8 else 16,
            bits_stored=precision,
            high_bit=precision - 1,
            pixel_representation=1,
        )
        np.testing.assert_array_equal(dicoxide.decode_frame(encoded, frame), image)

    def test_encode_of_any_array_layout_gives_equal_bytes(self) -> None:
        image = noise((12, 16), 16)
        expected = dicoxide.jpeg_lossless_encode(image)
        assert dicoxide.jpeg_lossless_encode(image.astype(">u2")) == expected
        assert dicoxide.jpeg_lossless_encode(np.asfortranarray(image)) == expected
        assert dicoxide.jpeg_lossless_encode(np.repeat(image, 2, axis=1)[:, ::2]) == expected
        read_only = image.copy()
        read_only.flags.writeable = False
        assert dicoxide.jpeg_lossless_encode(read_only) == expected

    def test_encoded_image_decodes_with_imagecodecs(self) -> None:
        imagecodecs = pytest.importorskip("imagecodecs")
        for precision in range(2, 17):
            for selection_value in range(1, 8):
                image = noise((16, 24), precision, selection_value)
                encoded = dicoxide.jpeg_lossless_encode(image, selection_value, precision=precision)
                np.testing.assert_array_equal(imagecodecs.ljpeg_decode(encoded), image)

    @pytest.mark.parametrize(("precision", "spread"), [(8, 2), (12, 12), (16, 60)])
    def test_encoded_image_is_not_larger_than_that_of_imagecodecs(self, precision: int, spread: int) -> None:
        imagecodecs = pytest.importorskip("imagecodecs")
        rows, columns = np.indices((200, 300))
        rng = np.random.default_rng(5)
        image = (rows + columns) * (1 << precision) // 600 + rng.normal(0, spread, rows.shape)
        image = image.clip(0, (1 << precision) - 1).astype(np.uint8 if precision == 8 else np.uint16)
        reference = imagecodecs.ljpeg_encode(image, bitspersample=precision)
        assert len(dicoxide.jpeg_lossless_encode(image, 6, precision=precision)) <= len(reference)

    @examples(200)
    @given(st.data())
    def test_encode_of_any_image_round_trips(self, data: st.DataObject) -> None:
        precision = data.draw(st.integers(2, 16))
        shape = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 4)))
        top = (1 << precision) - 1
        values = st.sampled_from([0, 1, top // 2, top // 2 + 1, top]) | st.integers(0, top)
        count = int(np.prod(shape))
        few = data.draw(st.lists(values, min_size=1, max_size=24))
        image = np.resize(np.array(few, np.uint16 if precision > 8 else np.uint8), count).reshape(shape)
        assert_jpeg_lossless(
            image,
            precision,
            selection_value=data.draw(st.integers(1, 7)),
            point_transform=data.draw(st.integers(0, precision - 1)),
            restart_interval=shape[1] * data.draw(st.integers(0, 25)),
        )

    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"selection_value": 0}, "selection value 0 found, 1 to 7 expected"),
            ({"selection_value": 8}, "selection value 8 found"),
            ({"selection_value": -1}, "selection_value must be 0 to 4294967295, not -1"),
            ({"selection_value": 1 << 40}, "selection_value must be"),
            ({"point_transform": 8}, "point transform 8 found, 0 to 7 expected"),
            ({"point_transform": 4, "precision": 4}, "0 to 3 expected"),
            ({"restart_interval": 4}, "multiple of the 3 columns expected"),
            ({"restart_interval": 65538}, "0 to 65535 expected"),
            ({"precision": 1}, "precision 1 found, 2 to 16 expected"),
            ({"precision": 17}, "precision 17 found"),
            ({"precision": 4}, r"value 99 of sample 4 needs more than the 4 bits of the precision \(ITU-T T.81 A.1\)"),
        ],
    )
    def test_encode_with_invalid_parameters_raises_value_error(self, parameters: dict[str, int], words: str) -> None:
        image = np.array([[1, 2, 15], [4, 99, 6]], np.uint8)
        with pytest.raises(ValueError, match=words) as caught:
            dicoxide.jpeg_lossless_encode(image, **parameters)
        assert not isinstance(caught.value, dicoxide.DecodeError)

    @pytest.mark.parametrize("name", ["selection_value", "point_transform", "restart_interval", "precision"])
    def test_encode_with_float_parameters_raises_type_error(self, name: str) -> None:
        with pytest.raises(TypeError):
            dicoxide.jpeg_lossless_encode(np.zeros((2, 2), np.uint8), **{name: 8.0})  # type: ignore[arg-type]

    @pytest.mark.parametrize("image", UNSUPPORTED_BY_JPEG, ids=lambda image: f"{image.dtype}-{image.shape}")
    def test_encode_of_unsupported_array_raises_value_error(self, image: Array) -> None:
        with pytest.raises(ValueError, match="expected"):
            dicoxide.jpeg_lossless_encode(image)

    def test_encode_releases_the_interpreter(self) -> None:
        image = noise((2000, 2000), 12)
        ticks, done = [], threading.Event()

        def tick() -> None:
            while not done.is_set():
                ticks.append(time.perf_counter())
                time.sleep(0.001)

        thread = threading.Thread(target=tick)
        thread.start()
        dicoxide.jpeg_lossless_encode(image)
        before = len(ticks)
        dicoxide.jpeg_lossless_encode(image)
        after = len(ticks)
        done.set()
        thread.join()
        assert after > before


def test_encode_on_the_numpy_backend_raises_unsupported() -> None:
    with pytest.raises(dicoxide.UnsupportedError, match="compiled extension"):
        _numpy_backend.jpeg_lossless_encode(np.zeros((1, 1), np.uint8), 1, 1, 1, 1, 0, 0, None)
