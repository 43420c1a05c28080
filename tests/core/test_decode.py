"""`decode` and `iter_frames`: frame selection, output arrays, dtypes, rescale and views."""

from __future__ import annotations

import io
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

import dicoxide
from support.encoders.dataset import dataset, to_bytes
from support.small_series import FRAMES, RNG, SYNTAXES, series


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_decode_without_selection_returns_all_frames(syntax: str) -> None:
    assert np.array_equal(dicoxide.decode(series(syntax)), FRAMES)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("index", [0, 5, -1, -6, np.int64(3)])
def test_decode_with_index_selects_a_frame(syntax: str, index: Any) -> None:
    assert np.array_equal(dicoxide.decode(series(syntax), frames=index), FRAMES[index])


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("indices", [[3, 1, 5], [2], [], [0, 0, -1], (1, 2), np.array([4, 0])], ids=str)
def test_decode_with_indices_selects_frames_in_order(syntax: str, indices: Any) -> None:
    assert np.array_equal(dicoxide.decode(series(syntax), frames=indices), FRAMES[list(indices)])


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("frames", [slice(1, 4), slice(None, None, -1), slice(4, 1, -2), slice(9, 12)], ids=str)
def test_decode_with_slice_selects_frames(syntax: str, frames: slice) -> None:
    assert np.array_equal(dicoxide.decode(series(syntax), frames=frames), FRAMES[frames])


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("frames", [6, -7, [0, 6]], ids=str)
def test_decode_with_index_out_of_range_raises_index_error(syntax: str, frames: Any) -> None:
    with pytest.raises(IndexError, match="out of range for 6 frames"):
        dicoxide.decode(series(syntax), frames=frames)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_decode_with_float_index_raises_type_error(syntax: str) -> None:
    with pytest.raises(TypeError):
        dicoxide.decode(series(syntax), frames=1.5)  # type: ignore[arg-type]


def test_decode_of_one_frame_has_a_frame_axis_only_for_lists_and_slices() -> None:
    ds = dataset(FRAMES[0])
    assert dicoxide.decode(ds).shape == (5, 7)
    assert dicoxide.decode(ds, frames=0).shape == (5, 7)
    assert dicoxide.decode(ds, frames=[0]).shape == (1, 5, 7)
    assert dicoxide.decode(ds, frames=slice(None)).shape == (1, 5, 7)
    colour = RNG.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    assert dicoxide.decode(dataset(colour, samples_per_pixel=3), frames=1).shape == (5, 7, 3)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_decode_into_wider_out_keeps_values(syntax: str, dtype: str) -> None:
    out = np.full(FRAMES.shape, 99, dtype)
    result = dicoxide.decode(series(syntax), out=out)
    assert result is out
    assert np.array_equal(out, FRAMES)
    assert dicoxide.decode(series(syntax), dtype=dtype).dtype == dtype


@pytest.mark.parametrize(
    "out",
    [
        np.empty((6, 5, 7), np.uint16),
        np.empty((6, 5, 7), np.int8),
        np.empty((6, 5, 7), np.float32),
        np.empty((6, 5, 7), np.uint64),
        np.empty((5, 7), np.int16),
        np.empty((6, 7, 5), np.int16).transpose(0, 2, 1),
        np.empty((6, 5, 7), ">i2"),
        np.frombuffer(bytes(420), np.int16).reshape(6, 5, 7),
        np.empty((6, 5, 7), "M8[s]"),
        [[0]],
        bytearray(420),
    ],
)
def test_decode_with_unsuitable_out_raises_value_error(out: Any) -> None:
    with pytest.raises(ValueError, match="out|type"):
        dicoxide.decode(series(), out=out)


def test_decode_of_unsigned_samples_converts_to_wider_signed_dtypes() -> None:
    values = np.array([[0, 1, 255]], np.uint8)
    assert dicoxide.decode(dataset(values), dtype="int16").tolist() == [[0, 1, 255]]
    assert dicoxide.decode(dataset(values), dtype="uint64").tolist() == [[0, 1, 255]]
    with pytest.raises(ValueError, match="wider"):
        dicoxide.decode(dataset(values), dtype="int8")


@cache
def large(syntax: str) -> Dataset:
    """Return frames large enough for several threads; cached because the test encoder is slow."""
    return dataset(np.repeat(np.arange(9 * 5 * 5, dtype=np.uint16).reshape(9, 5, 5) * 17, 4096, axis=2), syntax)


@pytest.mark.parametrize("threads", [1, 2, 3, None])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_decode_with_any_thread_count_gives_equal_values(threads: int | None, syntax: Any) -> None:
    ds = large(syntax)
    assert np.array_equal(dicoxide.decode(ds, threads=threads), ds.pixel_array)


def test_decode_with_zero_threads_raises_value_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        dicoxide.decode(series(), threads=0)


class TestRescale:
    def test_rescale_to_float32_equals_float64_rounded_once(self) -> None:
        ds = series(attributes={"RescaleSlope": "0.1", "RescaleIntercept": "-1024.7"})
        expected = FRAMES.astype(np.float64) * 0.1 + -1024.7
        for dtype in (None, "float32"):
            values = dicoxide.decode(ds, rescale=True, dtype=dtype)
            assert values.dtype == np.float32
            assert np.array_equal(values, expected.astype(np.float32))
        assert np.array_equal(dicoxide.decode(ds, rescale=True, dtype="float64"), expected)
        out = np.empty(FRAMES.shape)
        assert np.array_equal(dicoxide.decode(ds, rescale=True, out=out), expected)

    @pytest.mark.parametrize("syntax", SYNTAXES)
    def test_rescale_without_attributes_is_identity(self, syntax: str) -> None:
        values = dicoxide.decode(series(syntax), rescale=True)
        assert values.dtype == np.float32
        assert np.array_equal(values, FRAMES)
        assert np.array_equal(dicoxide.decode(series(syntax), rescale=True, dtype="int16"), FRAMES)

    def test_rescale_to_integers_is_exact_or_raises(self) -> None:
        ds = series(attributes={"RescaleSlope": "1", "RescaleIntercept": "-1024"})
        values = dicoxide.decode(ds, rescale=True, dtype="int16")
        assert values.dtype == np.int16
        assert np.array_equal(values, FRAMES - 1024)
        with pytest.raises(ValueError, match="not exact in int8"):
            dicoxide.decode(ds, rescale=True, dtype="int8")
        with pytest.raises(ValueError, match="not exact in uint16"):
            dicoxide.decode(ds, rescale=True, dtype="uint16")
        ds.RescaleSlope = "0.5"
        with pytest.raises(ValueError, match="not exact in int32"):
            dicoxide.decode(ds, rescale=True, dtype="int32")
        even = dataset(np.array([[2, 4]], np.int16), attributes={"RescaleSlope": "0.5", "RescaleIntercept": "0"})
        assert dicoxide.decode(even, rescale=True, dtype="int16").tolist() == [[1, 2]]

    def test_rescale_with_slope_zero_gives_the_intercept(self) -> None:
        ds = series(attributes={"RescaleSlope": "0", "RescaleIntercept": "3"})
        assert (dicoxide.decode(ds, rescale=True) == 3).all()

    @pytest.mark.parametrize("dtype", ["float16", "complex64", "bool", "M8[s]", ">f4"])
    def test_rescale_to_unsupported_dtypes_raises_value_error(self, dtype: str) -> None:
        with pytest.raises(ValueError, match="float32, float64 or an integer type"):
            dicoxide.decode(series(), rescale=True, dtype=dtype)

    def test_rescale_per_frame_uses_functional_groups(self) -> None:
        ds = series(attributes={"RescaleSlope": "9", "RescaleIntercept": "9"})
        ds.PerFrameFunctionalGroupsSequence = Sequence([self.group(index + 1, -index) for index in range(6)])
        expected = FRAMES * np.arange(1.0, 7)[:, None, None] - np.arange(6.0)[:, None, None]
        assert np.array_equal(dicoxide.decode(ds, rescale=True, dtype="float64"), expected)
        assert np.array_equal(dicoxide.decode(ds, rescale=True, frames=[4, 2], dtype="f8"), expected[[4, 2]])
        assert np.array_equal(dicoxide.decode(ds, rescale=True, frames=3, dtype="f8"), expected[3])
        for frame, requested in zip(dicoxide.iter_frames(ds, rescale=True), expected, strict=True):
            assert np.array_equal(frame, requested.astype(np.float32))

    def test_rescale_of_shared_groups_precedes_the_data_set(self) -> None:
        ds = series(attributes={"RescaleSlope": "9", "RescaleIntercept": "9"})
        ds.SharedFunctionalGroupsSequence = Sequence([self.group(2, 1)])
        assert np.array_equal(dicoxide.decode(ds, rescale=True), FRAMES * 2.0 + 1)

    def test_rescale_of_colour_raises_value_error(self) -> None:
        colour = dataset(np.zeros((2, 2, 3), np.uint8), samples_per_pixel=3)
        with pytest.raises(ValueError, match="more than one sample per pixel"):
            dicoxide.decode(colour, rescale=True)

    def test_modality_lut_precedes_rescale_slope(self) -> None:
        ds = dataset(np.array([[0, 1, 2, 3]], np.uint8), attributes={"RescaleSlope": "9", "RescaleIntercept": "9"})
        lut = Dataset()
        lut.LUTDescriptor = [3, 1, 16]
        lut.LUTData = [100, 200, 60000]
        lut["LUTData"].VR = "US"
        ds.ModalityLUTSequence = Sequence([lut])
        values = dicoxide.decode(ds, rescale=True)
        assert values.dtype == np.float32
        assert values.tolist() == [[100, 100, 200, 60000]]
        assert dicoxide.decode(ds, rescale=True, dtype="uint16").tolist() == [[100, 100, 200, 60000]]
        with pytest.raises(ValueError, match="the value of sample 3 is not exact in int16"):
            dicoxide.decode(ds, rescale=True, dtype="int16")

    @staticmethod
    def group(slope: float, intercept: float) -> Dataset:
        transformation = Dataset()
        transformation.RescaleSlope = slope
        transformation.RescaleIntercept = intercept
        transformation.RescaleType = "US"
        group = Dataset()
        group.PixelValueTransformationSequence = Sequence([transformation])
        return group


class TestView:
    def test_view_equals_decode_and_is_read_only(self, tmp_path: Path) -> None:
        ds = dataset(FRAMES)
        path = tmp_path / "series.dcm"
        path.write_bytes(to_bytes(ds))
        big = dataset(RNG.integers(0, 4096, (3, 400, 400), dtype=np.uint16), bits_stored=12)
        big_path = tmp_path / "big.dcm"
        big_path.write_bytes(to_bytes(big))
        for src, expected in ((ds, FRAMES), (path, FRAMES), (to_bytes(ds), FRAMES), (big_path, dicoxide.decode(big))):
            for frames in (None, 1, slice(0, 2), slice(None, None, -1)):
                view = dicoxide.decode(src, copy=False, frames=frames)
                assert np.array_equal(view, expected if frames is None else expected[frames])
                assert not view.flags.writeable
                assert not view.flags.owndata

    @pytest.mark.parametrize("side", [4, 400])
    def test_view_of_a_path_shows_later_changes_of_the_file(self, tmp_path: Path, side: int) -> None:
        path = tmp_path / "image.dcm"
        path.write_bytes(to_bytes(dataset(np.zeros((side, side), np.uint16))))
        view = dicoxide.decode(path, copy=False)
        with path.open("r+b") as file:
            file.seek(-2, io.SEEK_END)
            file.write(b"\x07\x00")
        assert view[-1, -1] == 7

    @pytest.mark.parametrize(
        "ds",
        [
            series(RLELossless),
            series(ExplicitVRBigEndian),
            dataset(np.zeros((2, 8), np.uint8), bits_allocated=1),
            dataset(np.zeros((2, 2, 3), np.uint8), samples_per_pixel=3, planar_configuration=1),
            dataset(np.zeros((2, 2, 3), np.uint8), samples_per_pixel=3, photometric_interpretation="YBR_FULL"),
            dataset(np.zeros((2, 2, 3), np.uint8), samples_per_pixel=3, photometric_interpretation="YBR_FULL_422"),
            dataset(np.full((2, 2), 5, np.uint16), bits_stored=12, garbage=np.full((2, 2), 1 << 12, np.uint16)),
        ],
    )
    def test_view_of_values_that_need_conversion_raises_value_error(self, ds: Dataset) -> None:
        with pytest.raises(ValueError, match="copy=False"):
            dicoxide.decode(ds, copy=False)

    def test_view_with_converting_options_raises_value_error(self) -> None:
        for options in ({"rescale": True}, {"out": np.empty(FRAMES.shape, np.int16)}, {"dtype": "int32"}):
            with pytest.raises(ValueError, match="copy=False"):
                dicoxide.decode(series(), copy=False, **options)
        with pytest.raises(ValueError, match="not one view"):
            dicoxide.decode(series(), copy=False, frames=[2, 0])

    def test_view_of_fewer_frames_than_declared_raises_truncated(self) -> None:
        with pytest.raises(dicoxide.TruncatedFrameError):
            dicoxide.decode(series(number_of_frames=7), copy=False)


class TestIterFrames:
    @pytest.mark.parametrize("threads", [1, 2, None])
    def test_iter_frames_yields_frames_in_order(self, threads: int | None) -> None:
        for syntax in SYNTAXES:
            frames = list(dicoxide.iter_frames(series(syntax), threads=threads))
            assert np.array_equal(frames, FRAMES)
        chosen = list(dicoxide.iter_frames(series(), frames=[5, 0], threads=threads))
        assert np.array_equal(chosen, FRAMES[[5, 0]])

    def test_iter_frames_yields_frames_before_a_corrupt_one(self) -> None:
        ds = series(RLELossless, table="basic")
        value = bytearray(ds.PixelData)
        offset = value.index(b"\xfe\xff\x00\xe0", len(value) // 2)
        value[offset + 8] = 99
        ds.PixelData = bytes(value)
        frames = dicoxide.iter_frames(ds, threads=3)
        good = 0
        with pytest.raises(dicoxide.CorruptFrameError) as caught:
            for good, frame in enumerate(frames):
                assert np.array_equal(frame, FRAMES[good])
        assert caught.value.frame_index == good + 1

    def test_iter_frames_closed_early_ends_its_threads(self) -> None:
        before = threading.active_count()
        frames = dicoxide.iter_frames(series())
        next(frames)
        frames.close()
        assert threading.active_count() == before

    def test_iter_frames_checks_arguments_when_called(self) -> None:
        with pytest.raises(IndexError):
            dicoxide.iter_frames(series(), frames=[99])
        with pytest.raises(dicoxide.CorruptFrameError):
            dicoxide.iter_frames(Dataset())
