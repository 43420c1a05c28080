"""Deflated Image Frame Compression (PS3.5 A.4.13): decoded as the native samples that each frame holds."""

from __future__ import annotations

import io
import warnings
import zlib
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

import dicoxide
from dicoxide import CorruptFrameError, LimitError, NonConformantWarning, TruncatedFrameError
from support.encoders.dataset import DEFLATED_IMAGE_FRAME, dataset, random_values, to_bytes
from support.real_images import SHARED

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend does not inflate frames")

RNG = np.random.default_rng(821)
LAYOUTS: dict[str, tuple[tuple[int, ...], np.dtype[Any], dict[str, Any]]] = {
    "bits": ((3, 7, 9), np.dtype("u1"), {"bits_allocated": 1}),
    "u8": ((3, 7, 9), np.dtype("u1"), {}),
    "u12_in_16": ((2, 33, 31), np.dtype("u2"), {"bits_stored": 12}),
    "i16": ((2, 33, 31), np.dtype("i2"), {}),
    "high_bit_14": ((2, 8, 8), np.dtype("u2"), {"bits_stored": 12, "high_bit": 14}),
    "u32": ((5, 6), np.dtype("u4"), {}),
    "u64": ((5, 6), np.dtype("u8"), {}),
    "rgb": ((2, 12, 10, 3), np.dtype("u1"), {"samples_per_pixel": 3}),
    "rgb_planes": ((2, 12, 10, 3), np.dtype("u2"), {"samples_per_pixel": 3, "planar_configuration": 1}),
    "ybr_full": (
        (2, 12, 10, 3),
        np.dtype("u1"),
        {"samples_per_pixel": 3, "photometric_interpretation": "YBR_FULL"},
    ),
    "ybr_full_422": (
        (2, 12, 10, 3),
        np.dtype("u1"),
        {"samples_per_pixel": 3, "photometric_interpretation": "YBR_FULL_422"},
    ),
}
FRAME = np.arange(64, dtype=np.uint8).reshape(8, 8)


def pair(layout: str) -> tuple[pydicom.Dataset, pydicom.Dataset]:
    """Return a deflated Dataset and a native one of the same values."""
    shape, dtype, options = LAYOUTS[layout]
    bits = options.get("bits_allocated", options.get("bits_stored", dtype.itemsize * 8))
    values = random_values(RNG, shape, bits, dtype)
    if "422" in layout:
        values[..., 1::2, 1:] = values[..., ::2, 1:]
    return dataset(values, DEFLATED_IMAGE_FRAME, **options), dataset(values, ExplicitVRLittleEndian, **options)


def coded(*frames: bytes, **options: Any) -> bytes:
    """Return a file whose frames are 8 × 8 bytes, encoded as given."""
    pixels = np.stack([FRAME] * len(frames)) if len(frames) > 1 else FRAME
    return to_bytes(dataset(pixels, DEFLATED_IMAGE_FRAME, coded=list(frames), **options))


def deflate(data: bytes) -> bytes:
    return zlib.compress(data, 9, wbits=-15)


def deflate_without_end(data: bytes) -> bytes:
    """Return a stream whose last block is not marked as the last one."""
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.filterwarnings("ignore:high bit 14 found")
class TestEveryLayout:
    @pytest.fixture(params=LAYOUTS)
    def datasets(self, request: pytest.FixtureRequest) -> tuple[pydicom.Dataset, pydicom.Dataset]:
        return pair(request.param)

    @pytest.mark.parametrize("raw", [False, True], ids=["rgb", "raw"])
    def test_decode_of_dataset_and_file_equals_native(
        self, datasets: tuple[pydicom.Dataset, pydicom.Dataset], raw: bool
    ) -> None:
        deflated, native = datasets
        expected = dicoxide.decode(native, raw=raw)
        for source in (deflated, to_bytes(deflated), io.BytesIO(to_bytes(deflated))):
            found = dicoxide.decode(source, raw=raw, fallback=False)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)

    def test_frames_many_and_out_equal_native(self, datasets: tuple[pydicom.Dataset, pydicom.Dataset]) -> None:
        deflated, native = datasets
        expected = dicoxide.decode(native)
        [(_, found)] = dicoxide.decode_many([to_bytes(deflated)], fallback=False)
        np.testing.assert_array_equal(found, expected)
        out = np.empty_like(expected)
        assert dicoxide.decode(deflated, out=out, threads=2) is out
        np.testing.assert_array_equal(out, expected)
        with dicoxide.open(deflated) as image:
            np.testing.assert_array_equal(image[-1], expected[-1] if image.number_of_frames > 1 else expected)

    def test_pixel_array_of_enabled_pydicom_equals_native(
        self, datasets: tuple[pydicom.Dataset, pydicom.Dataset]
    ) -> None:
        deflated, native = datasets
        if deflated.HighBit != deflated.BitsStored - 1:
            pytest.skip("pydicom ignores High Bit")
        with dicoxide.enabled():
            found = deflated.pixel_array
        np.testing.assert_array_equal(found, native.pixel_array)


def test_decode_rescale_returns_modality_values() -> None:
    ds = dataset(FRAME, DEFLATED_IMAGE_FRAME, attributes={"RescaleSlope": 2, "RescaleIntercept": -10})
    np.testing.assert_array_equal(dicoxide.decode(ds, rescale=True), FRAME * np.float32(2) - 10)


def test_real_segmentation_equals_its_native_file() -> None:
    folder = SHARED / "files" / "pydicom+pydicom-data" / "data_store" / "data"
    if not folder.is_dir():
        pytest.skip("no real files")
    found = dicoxide.decode(folder / "liver_deflate.dcm", fallback=False)
    assert found.shape == (3, 512, 512)
    np.testing.assert_array_equal(found, dicoxide.decode(folder / "liver.dcm"))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (zlib.compress(FRAME.tobytes()), "zlib header"),
        (deflate(FRAME.tobytes() + b"\0\0"), "more than 64 bytes"),
        (deflate(FRAME.tobytes()) + b"\0\1", "follow the end"),
        (deflate_without_end(FRAME.tobytes()), "no end"),
    ],
    ids=["zlib", "long", "trailing", "endless"],
)
def test_recoverable_violation_has_a_warning_and_is_an_error_if_strict(frame: bytes, message: str) -> None:
    data = coded(frame)
    with pytest.warns(NonConformantWarning, match=message):
        np.testing.assert_array_equal(dicoxide.decode(data), FRAME)
    with pytest.raises(CorruptFrameError, match=message):
        dicoxide.decode(data, strict=True)


def test_padding_byte_has_no_warning() -> None:
    frame = deflate(FRAME.tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(dicoxide.decode(coded(frame + b"\0"), strict=True), FRAME)


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (deflate(FRAME.tobytes()[:-1]), TruncatedFrameError, "63 bytes of samples, 64 expected"),
        (deflate(FRAME.tobytes())[:20], TruncatedFrameError, "64 expected"),
        (FRAME.tobytes()[7:], CorruptFrameError, "deflate stream is invalid"),
    ],
    ids=["short", "cut", "native"],
)
def test_broken_stream_is_an_error_with_its_frame(frame: bytes, error: type[Exception], message: str) -> None:
    data = coded(deflate(FRAME.tobytes()), frame)
    np.testing.assert_array_equal(dicoxide.decode(data, frames=0), FRAME)
    with pytest.raises(error, match=message) as caught:
        dicoxide.decode(data)
    assert caught.value.frame_index == 1  # type: ignore[attr-defined]
    assert "PS3.5 A.4.13" in str(caught.value)


def test_fragments_beyond_number_of_frames_are_frames() -> None:
    frame = deflate(FRAME.tobytes())
    data = coded(frame, frame, frame, number_of_frames=2)
    with pytest.warns(NonConformantWarning, match="number of frames is 2, 3 frames found"):
        assert dicoxide.decode(data).shape == (3, 8, 8)


def test_tiny_frame_of_a_large_image_is_refused_without_allocation() -> None:
    data = to_bytes(dataset(FRAME, DEFLATED_IMAGE_FRAME, attributes={"Rows": 60000, "Columns": 60000}))
    with pytest.raises(TruncatedFrameError, match="at least 3488373 expected"):
        dicoxide.decode(data)


def test_max_bytes_counts_the_scratch_of_planes() -> None:
    ds = dataset(np.zeros((64, 64, 3), np.uint8), DEFLATED_IMAGE_FRAME, samples_per_pixel=3, planar_configuration=1)
    with pytest.raises(LimitError):
        dicoxide.decode(ds, max_bytes=64 * 64 * 3 * 2 - 1, threads=1)
    assert dicoxide.decode(ds, max_bytes=64 * 64 * 3 * 2, threads=1).shape == (64, 64, 3)
