"""`rle_encode`: read back by the decoder and by pydicom (PS3.5 Annex G)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels import get_encoder, pixel_array
from pydicom.pixels.decoders import rle as pydicom_rle
from pydicom.uid import RLELossless

import dicoxide
from dicoxide import _numpy_backend
from support.encoder_inputs import Array, native_dataset, noise
from support.examples import examples
from support.real_images import PYDICOM_FILES

INTEGERS = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64]


def assert_rle(image: Array) -> bytes:
    """Encode and decode with `rle_decode` and with pydicom; both backends encode to equal bytes."""
    rows, columns, *samples = image.shape
    count, bits = (samples or [1])[0], image.dtype.itemsize * 8
    encoded = dicoxide.rle_encode(image)
    unsigned = image.view(f"u{image.dtype.itemsize}").reshape(rows, columns, count)
    decoded = dicoxide.rle_decode(encoded, rows, columns, count, bits)
    np.testing.assert_array_equal(decoded.reshape(unsigned.shape), unsigned)
    # pydicom returns colour by plane.
    planes = np.frombuffer(pydicom_rle._rle_decode_frame(encoded, rows, columns, count, bits, ">"), f"<u{bits // 8}")
    if planes.size == unsigned.size:
        np.testing.assert_array_equal(planes.reshape(count, rows, columns).transpose(1, 2, 0), unsigned)
    assert len(encoded) % 2 == 0
    core = _numpy_backend.rle_encode(np.ascontiguousarray(image), rows, columns, count)
    assert core == encoded
    return encoded


class TestRle:
    """PS3.5 Annex G."""

    @pytest.mark.parametrize(
        ("dtype", "samples"),
        [(dtype, samples) for dtype in INTEGERS for samples in (1, 2, 3) if np.dtype(dtype).itemsize * samples <= 15],
    )
    def test_encode_of_every_integer_dtype_round_trips(self, dtype: Any, samples: int) -> None:
        rng = np.random.default_rng(0)
        info = np.iinfo(dtype)
        assert_rle(rng.integers(info.min, info.max, (7, 300, samples), dtype, endpoint=True))
        assert_rle(np.repeat(rng.integers(-3 if info.min else 0, 3, (9, 40, samples)), 5, axis=1).astype(dtype))

    @pytest.mark.parametrize(
        "shape", [(1, 1), (1, 2), (3, 1), (1, 128), (2, 129), (1, 130), (2, 257, 3), (2, 3, 1), (1, 65535)]
    )
    def test_encode_of_extreme_sizes_round_trips(self, shape: tuple[int, ...]) -> None:
        assert_rle(np.zeros(shape, np.uint16))
        assert_rle(noise(shape, 16))
        assert_rle(noise(shape, 1))

    @examples(200)
    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9) | st.integers(100, 300)), min_size=1),
        st.integers(1, 400),
    )
    def test_encode_of_any_runs_is_not_larger_than_pydicom(self, runs: list[tuple[int, int]], columns: int) -> None:
        row = np.concatenate([np.full(count, value, np.uint8) for value, count in runs])
        image = np.resize(row, (-(-row.size // columns), columns))
        encoded = assert_rle(image)
        assert len(encoded) <= len(_pydicom_rle(image))
        assert_rows_end_runs(encoded[64:], *image.shape)

    @pytest.mark.parametrize("singles", [1, 2, 3, 127, 128, 129])
    @pytest.mark.parametrize("pairs", [62, 63, 64, 65, 130])
    def test_encode_full_literal_run_does_not_split_a_pair(self, singles: int, pairs: int) -> None:
        # Splitting a pair costs one more run header and saves nothing.
        row = np.concatenate([np.arange(singles) % 251, np.arange(pairs).repeat(2) % 251]).astype(np.uint8)
        image = np.tile(row, (4, 1))
        assert len(assert_rle(image)) <= len(_pydicom_rle(image))

    @pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "ExplVR_BigEnd.dcm", "SC_rgb_rle.dcm"])
    def test_encode_of_real_image_is_not_larger_than_pydicom(self, name: str) -> None:
        image = pixel_array(PYDICOM_FILES / "test_files" / name, raw=True)
        assert len(assert_rle(image)) <= len(_pydicom_rle(image.astype(image.dtype.newbyteorder("="))))

    @pytest.mark.parametrize("encode", [dicoxide.rle_encode, dicoxide.jpeg_lossless_encode, dicoxide.jpegls_encode])
    @pytest.mark.parametrize("shape", [(), (4,), (2, 2, 2, 2)])
    def test_encode_of_unsupported_shape_raises_value_error(self, encode: Any, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="shape"):
            encode(np.zeros(shape, np.uint8))

    @pytest.mark.parametrize(
        ("image", "words"),
        [
            (np.zeros((2, 2), np.float32), "integers expected"),
            (np.zeros((2, 2), bool), "integers expected"),
            (np.zeros((2, 2), object), "integers expected"),
            (np.zeros((2, 2, 16), np.uint8), r"16 segments found, at most 15 expected: .* \(PS3.5 Annex G.5\)"),
            (np.zeros((2, 2, 2), np.uint64), "16 segments found"),
            (np.zeros((65536, 1), np.uint8), "rows 65536 found, 1 to 65535 expected"),
            (np.zeros((1, 65536), np.uint8), "columns 65536 found"),
            (np.zeros((0, 2), np.uint8), "rows 0 found"),
            (np.zeros((2, 0), np.uint8), "columns 0 found"),
            (np.zeros((2, 2, 0), np.uint8), "samples per pixel 0 found"),
        ],
        ids=lambda value: f"{value.dtype}-{value.shape}" if isinstance(value, np.ndarray) else "",
    )
    def test_encode_of_unsupported_array_raises_value_error(self, image: Array, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            dicoxide.rle_encode(image)
        if image.dtype.kind in "iuf":
            rows, columns, *samples = image.shape
            with pytest.raises(ValueError, match=words):
                _numpy_backend.rle_encode(image, rows, columns, samples[0] if samples else 1)

    def test_core_encode_with_wrong_sample_count_raises_value_error(self) -> None:
        from dicoxide._backend import core

        for encode in (core.rle_encode, _numpy_backend.rle_encode):
            with pytest.raises(ValueError, match="4 samples found, 2 rows x 3 columns x 1 samples per pixel expected"):
                encode(np.zeros((2, 2), np.uint8), 2, 3, 1)


def assert_rows_end_runs(segment: bytes, rows: int, columns: int) -> None:
    """Assert that no run crosses the end of a row (PS3.5 G.3.1)."""
    offset = 0
    for _ in range(rows):
        decoded = 0
        while decoded < columns:
            header = segment[offset]
            assert header != 128
            decoded += header + 1 if header < 128 else 257 - header
            offset += header + 2 if header < 128 else 2
        assert decoded == columns
    assert segment[offset:] in (b"", b"\0")


def _pydicom_rle(image: Array) -> bytes:
    ds = native_dataset(image)
    return get_encoder(RLELossless).encode(ds, encoding_plugin="pydicom")
