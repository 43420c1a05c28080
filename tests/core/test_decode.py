"""`decode` and its relatives: selection, output, types, rescale, views, limits, errors, as API users see them."""

from __future__ import annotations

import io
import pickle
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

import dicoxide
from dicoxide import NonConformantWarning
from support.encoders.dataset import dataset, to_bytes

RNG = np.random.default_rng(7)
FRAMES = RNG.integers(-2048, 2048, (6, 5, 7), dtype=np.int16)
SYNTAXES = [ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]


def series(syntax: str = ExplicitVRLittleEndian, **options: Any) -> Dataset:
    return dataset(FRAMES, syntax, bits_stored=12, **options)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_frames_by_index_slice_and_list(syntax: str) -> None:
    ds = series(syntax)
    assert np.array_equal(dicoxide.decode(ds), FRAMES)
    for index in (0, 5, -1, -6, np.int64(3)):
        assert np.array_equal(dicoxide.decode(ds, frames=index), FRAMES[index])
    for chosen in ([3, 1, 5], [2], [], [0, 0, -1], (1, 2), np.array([4, 0])):
        assert np.array_equal(dicoxide.decode(ds, frames=chosen), FRAMES[list(chosen)])
    for chosen in (slice(1, 4), slice(None, None, -1), slice(4, 1, -2), slice(9, 12)):
        assert np.array_equal(dicoxide.decode(ds, frames=chosen), FRAMES[chosen])
    for missing in (6, -7, [0, 6]):
        with pytest.raises(IndexError, match="there are 6"):
            dicoxide.decode(ds, frames=missing)
    with pytest.raises(TypeError):
        dicoxide.decode(ds, frames=1.5)  # type: ignore[arg-type]


def test_one_frame_has_a_frame_axis_only_when_asked_for_as_several() -> None:
    ds = dataset(FRAMES[0])
    assert dicoxide.decode(ds).shape == (5, 7)
    assert dicoxide.decode(ds, frames=0).shape == (5, 7)
    assert dicoxide.decode(ds, frames=[0]).shape == (1, 5, 7)
    assert dicoxide.decode(ds, frames=slice(None)).shape == (1, 5, 7)
    colour = RNG.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    assert dicoxide.decode(dataset(colour, samples_per_pixel=3), frames=1).shape == (5, 7, 3)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("dtype", ["int16", "int32", "int64"])
def test_out_may_be_wider(syntax: str, dtype: str) -> None:
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
def test_an_out_that_cannot_hold_the_result_is_refused(out: Any) -> None:
    with pytest.raises(ValueError, match="out|type"):
        dicoxide.decode(series(), out=out)


def test_unsigned_samples_widen_to_signed_ones() -> None:
    values = np.array([[0, 1, 255]], np.uint8)
    assert dicoxide.decode(dataset(values), dtype="int16").tolist() == [[0, 1, 255]]
    assert dicoxide.decode(dataset(values), dtype="uint64").tolist() == [[0, 1, 255]]
    with pytest.raises(ValueError, match="wider"):
        dicoxide.decode(dataset(values), dtype="int8")


@cache
def large(syntax: str) -> Dataset:
    """Frames enough for several threads; made once, as the test encoder takes its time."""
    return dataset(np.repeat(np.arange(9 * 5 * 5, dtype=np.uint16).reshape(9, 5, 5) * 17, 4096, axis=2), syntax)


@pytest.mark.parametrize("threads", [1, 2, 3, None])
def test_threads_do_not_change_values(threads: int | None) -> None:
    for syntax in (ExplicitVRLittleEndian, RLELossless):
        ds = large(syntax)
        assert np.array_equal(dicoxide.decode(ds, threads=threads), ds.pixel_array)


def test_no_threads_is_no_number() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        dicoxide.decode(series(), threads=0)


class TestRescale:
    def test_float32_is_float64_rounded_once(self) -> None:
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
    def test_absent_attributes_mean_identity(self, syntax: str) -> None:
        values = dicoxide.decode(series(syntax), rescale=True)
        assert values.dtype == np.float32
        assert np.array_equal(values, FRAMES)
        assert np.array_equal(dicoxide.decode(series(syntax), rescale=True, dtype="int16"), FRAMES)

    def test_integers_are_exact_or_refused(self) -> None:
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

    def test_slope_zero_is_a_constant(self) -> None:
        ds = series(attributes={"RescaleSlope": "0", "RescaleIntercept": "3"})
        assert (dicoxide.decode(ds, rescale=True) == 3).all()

    @pytest.mark.parametrize("dtype", ["float16", "complex64", "bool", "M8[s]", ">f4"])
    def test_other_types_are_refused(self, dtype: str) -> None:
        with pytest.raises(ValueError, match="float32, float64 or an integer type"):
            dicoxide.decode(series(), rescale=True, dtype=dtype)

    def test_each_frame_has_the_rescale_of_its_functional_groups(self) -> None:
        ds = series(attributes={"RescaleSlope": "9", "RescaleIntercept": "9"})
        ds.PerFrameFunctionalGroupsSequence = Sequence([self.group(index + 1, -index) for index in range(6)])
        expected = FRAMES * np.arange(1.0, 7)[:, None, None] - np.arange(6.0)[:, None, None]
        assert np.array_equal(dicoxide.decode(ds, rescale=True, dtype="float64"), expected)
        assert np.array_equal(dicoxide.decode(ds, rescale=True, frames=[4, 2], dtype="f8"), expected[[4, 2]])
        assert np.array_equal(dicoxide.decode(ds, rescale=True, frames=3, dtype="f8"), expected[3])
        for frame, wanted in zip(dicoxide.iter_frames(ds, rescale=True), expected, strict=True):
            assert np.array_equal(frame, wanted.astype(np.float32))

    def test_shared_groups_come_before_the_data_set(self) -> None:
        ds = series(attributes={"RescaleSlope": "9", "RescaleIntercept": "9"})
        ds.SharedFunctionalGroupsSequence = Sequence([self.group(2, 1)])
        assert np.array_equal(dicoxide.decode(ds, rescale=True), FRAMES * 2.0 + 1)

    def test_colour_is_refused(self) -> None:
        colour = dataset(np.zeros((2, 2, 3), np.uint8), samples_per_pixel=3)
        with pytest.raises(ValueError, match="more than one sample per pixel"):
            dicoxide.decode(colour, rescale=True)

    def test_a_modality_lut_goes_before_a_rescale(self) -> None:
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
        with pytest.raises(ValueError, match="not all exact"):
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
    def test_a_view_has_the_values_of_decode_and_is_read_only(self, tmp_path: Path) -> None:
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
    def test_a_mapped_view_shows_the_file(self, tmp_path: Path, side: int) -> None:
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
    def test_what_is_no_view_is_refused(self, ds: Dataset) -> None:
        with pytest.raises(ValueError, match="copy=False"):
            dicoxide.decode(ds, copy=False)

    def test_options_that_make_new_values_do_not_go_with_a_view(self) -> None:
        for options in ({"rescale": True}, {"out": np.empty(FRAMES.shape, np.int16)}, {"dtype": "int32"}):
            with pytest.raises(ValueError, match="copy=False"):
                dicoxide.decode(series(), copy=False, **options)
        with pytest.raises(ValueError, match="not one view"):
            dicoxide.decode(series(), copy=False, frames=[2, 0])

    def test_fewer_frames_than_said_are_an_error(self) -> None:
        with pytest.raises(dicoxide.TruncatedFrameError):
            dicoxide.decode(series(number_of_frames=7), copy=False)


class TestIterFrames:
    @pytest.mark.parametrize("threads", [1, 2, None])
    def test_frames_come_in_order(self, threads: int | None) -> None:
        for syntax in SYNTAXES:
            frames = list(dicoxide.iter_frames(series(syntax), threads=threads))
            assert np.array_equal(frames, FRAMES)
        chosen = list(dicoxide.iter_frames(series(), frames=[5, 0], threads=threads))
        assert np.array_equal(chosen, FRAMES[[5, 0]])

    def test_frames_before_a_broken_one_are_given(self) -> None:
        ds = series(RLELossless, table="basic")
        value = bytearray(ds.PixelData)
        at = value.index(b"\xfe\xff\x00\xe0", len(value) // 2)
        value[at + 8] = 99
        ds.PixelData = bytes(value)
        frames = dicoxide.iter_frames(ds, threads=3)
        good = 0
        with pytest.raises(dicoxide.CorruptFrameError) as caught:
            for good, frame in enumerate(frames):
                assert np.array_equal(frame, FRAMES[good])
        assert caught.value.frame_index == good + 1

    def test_leaving_early_leaves_no_thread(self) -> None:
        before = threading.active_count()
        frames = dicoxide.iter_frames(series())
        next(frames)
        frames.close()
        assert threading.active_count() == before

    def test_arguments_are_checked_at_once(self) -> None:
        with pytest.raises(IndexError):
            dicoxide.iter_frames(series(), frames=[99])
        with pytest.raises(dicoxide.CorruptFrameError):
            dicoxide.iter_frames(Dataset())


class TestLimits:
    def test_output_over_the_budget_is_refused(self) -> None:
        assert dicoxide.decode(series(), max_bytes=FRAMES.nbytes).shape == FRAMES.shape
        with pytest.raises(dicoxide.LimitError, match=f"{FRAMES.nbytes} bytes of output needed"):
            dicoxide.decode(series(), max_bytes=FRAMES.nbytes - 1)
        with pytest.raises(MemoryError):
            dicoxide.decode(series(), max_bytes=0)
        with pytest.raises(dicoxide.LimitError):
            dicoxide.decode(series(), out=np.empty(FRAMES.shape, np.int64), max_bytes=FRAMES.nbytes)

    def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken(self) -> None:
        ds = dataset(np.zeros((4, 4), np.uint16), RLELossless)
        ds.Rows = ds.Columns = 65535
        with pytest.raises(dicoxide.TruncatedFrameError, match="at least"):
            dicoxide.decode(ds)
        # What is wrong with its header is told as it is told of a small one.
        ds = dataset(np.zeros((4, 4), np.uint16), RLELossless, coded=[bytes(66)])
        ds.Rows = ds.Columns = 65535
        with pytest.raises(dicoxide.CorruptFrameError, match="number of segments 0 found"):
            dicoxide.decode(ds)
        ds = dataset(np.zeros((4, 4), np.uint16))
        ds.Rows = ds.Columns = 65535
        ds.NumberOfFrames = 2**31 - 1
        with pytest.raises(dicoxide.TruncatedFrameError, match="expected for 2147483647 frames"):
            dicoxide.decode(ds)


class TestNonConformance:
    def test_high_bit_elsewhere_is_right_aligned_with_a_warning(self) -> None:
        ds = dataset(FRAMES[0], bits_stored=12, high_bit=15)
        with pytest.warns(NonConformantWarning, match="high bit 15 found, 11 expected") as caught:
            assert np.array_equal(dicoxide.decode(ds), FRAMES[0])
        assert caught[0].filename == __file__
        with pytest.raises(dicoxide.CorruptFrameError, match="high bit"):
            dicoxide.decode(ds, strict=True)

    def test_more_frames_than_said_are_all_given(self) -> None:
        for syntax in SYNTAXES:
            ds = series(syntax, number_of_frames=4, table="basic")
            with pytest.warns(NonConformantWarning, match="number of frames is 4, 6 are there"):
                assert np.array_equal(dicoxide.decode(ds), FRAMES)
            with pytest.raises(dicoxide.CorruptFrameError):
                dicoxide.decode(ds, strict=True)

    def test_fewer_frames_than_said_are_an_error(self) -> None:
        for syntax in SYNTAXES:
            for frames in (None, 0):
                with pytest.raises(dicoxide.TruncatedFrameError):
                    dicoxide.decode(series(syntax, number_of_frames=7), frames=frames)


class TestErrors:
    def test_attributes_tell_what_and_where(self) -> None:
        ds = series(RLELossless, table="basic")
        ds.SamplesPerPixel, ds.PlanarConfiguration = 3, 0
        with pytest.raises(dicoxide.CorruptFrameError) as caught:
            dicoxide.decode(ds, frames=2)
        error = caught.value
        assert (error.kind, error.offset, error.frame_index) == ("Mismatch", 0, 2)
        assert error.clause.startswith("PS3.5 Annex G")
        assert error.transfer_syntax == RLELossless
        assert "\n" not in str(error)
        assert isinstance(error, ValueError)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))

    def test_every_class_pickles(self) -> None:
        for name in ("DecodeError", "CorruptFrameError", "TruncatedFrameError", "UnsupportedError", "LimitError"):
            error = getattr(dicoxide, name)("what", kind="Malformed", clause="PS3.5", offset=3, frame_index=1)
            again = pickle.loads(pickle.dumps(error))
            assert (type(again), vars(again)) == (type(error), vars(error))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"Rows": 0}, "rows 0"),
            ({"Rows": None}, "Rows is missing"),
            ({"BitsStored": 17}, "bits stored 17"),
            ({"HighBit": 3}, "high bit 3"),
            ({"PixelRepresentation": 2}, "pixel representation 2"),
            ({"SamplesPerPixel": 9, "PlanarConfiguration": 0}, "samples per pixel 9"),
            ({"BitsAllocated": 12}, "bits allocated 12"),
            ({"PhotometricInterpretation": None}, "PhotometricInterpretation is missing"),
        ],
    )
    def test_attributes_that_no_image_has(self, change: dict[str, Any], message: str) -> None:
        ds = series()
        for keyword, value in change.items():
            setattr(ds, keyword, value)
        with pytest.raises(dicoxide.CorruptFrameError, match=message):
            dicoxide.decode(ds)

    def test_no_pixel_data(self) -> None:
        with pytest.raises(dicoxide.CorruptFrameError, match="found none"):
            dicoxide.decode(Dataset())
        ds = series()
        ds.FloatPixelData = bytes(4)
        with pytest.raises(dicoxide.CorruptFrameError, match="found PixelData and FloatPixelData"):
            dicoxide.decode(ds)

    def test_bits_allocated_without_an_array_type_are_unsupported(self) -> None:
        ds = series()
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 24, 24, 23
        ds.PixelData = bytes(FRAMES.size * 3)
        with pytest.raises(dicoxide.UnsupportedError, match="24"):
            dicoxide.decode(ds, fallback=False)
        with pytest.raises(NotImplementedError):
            dicoxide.decode(ds)

    @pytest.mark.parametrize("src", [None, 3, object(), ["path"]])
    def test_what_is_no_source(self, src: Any) -> None:
        with pytest.raises(TypeError, match="src must be"):
            dicoxide.decode(src)

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("data", [b"", b"DICM", b"\0" * 200, b"no image at all" * 50])
    def test_bytes_that_are_no_dicom(self, data: bytes) -> None:
        with pytest.raises(dicoxide.DecodeError):
            dicoxide.decode(data)

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            dicoxide.decode(tmp_path / "none.dcm")


class TestDecodeFrame:
    def spec(self, **changes: Any) -> dicoxide.FrameSpec:
        options = {"transfer_syntax": ExplicitVRLittleEndian, "rows": 2, "columns": 2, "pixel_representation": 1}
        return dicoxide.FrameSpec(**(options | changes))

    def test_native_bytes(self) -> None:
        values = np.array([[-1, 2], [3, -4]], np.int16)
        assert np.array_equal(dicoxide.decode_frame(values.tobytes(), self.spec()), values)
        swapped = values.byteswap().tobytes()
        spec = self.spec(transfer_syntax=ExplicitVRBigEndian)
        assert np.array_equal(dicoxide.decode_frame(bytearray(swapped), spec), values)
        out = np.empty((2, 2), np.int32)
        assert dicoxide.decode_frame(memoryview(values.tobytes()), self.spec(), out=out) is out
        assert np.array_equal(out, values)

    def test_too_few_bytes(self) -> None:
        with pytest.raises(dicoxide.TruncatedFrameError) as caught:
            dicoxide.decode_frame(bytes(7), self.spec())
        assert caught.value.offset == 7

    def test_colour_stays_as_it_is(self) -> None:
        spec = self.spec(
            samples_per_pixel=3, bits_allocated=8, pixel_representation=0, photometric_interpretation="YBR_FULL"
        )
        values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        assert np.array_equal(dicoxide.decode_frame(values.tobytes(), spec), values)

    def test_a_syntax_without_a_codec(self) -> None:
        with pytest.raises(dicoxide.UnsupportedError, match="JPEG2000"):
            dicoxide.decode_frame(b"", self.spec(transfer_syntax="1.2.840.10008.1.2.4.90"))
        with pytest.raises(dicoxide.UnsupportedError, match="1.2.3"):
            dicoxide.decode_frame(b"", self.spec(transfer_syntax="1.2.3"))


class TestBits:
    def test_round_trip_at_every_offset(self) -> None:
        bits = RNG.integers(0, 2, 1003, dtype=np.uint8)
        packed = dicoxide.pack_bits(bits)
        assert np.array_equal(packed, np.packbits(bits, bitorder="little"))
        for offset in (0, 1, 7, 8, 13, 1003):
            expected = bits[offset:]
            assert np.array_equal(dicoxide.unpack_bits(packed, 1003 - offset, offset), expected)
        assert dicoxide.unpack_bits(packed).size == 1008
        out = np.empty((17, 59), np.uint8)
        assert dicoxide.unpack_bits(packed.tobytes(), out=out) is out
        assert np.array_equal(out.reshape(-1), bits)
        assert np.array_equal(dicoxide.pack_bits(out.astype(bool)), packed)
        assert np.array_equal(dicoxide.pack_bits(out * 3.5), packed)

    def test_what_is_not_there_is_an_error(self) -> None:
        with pytest.raises(dicoxide.TruncatedFrameError):
            dicoxide.unpack_bits(b"\xff", 9)
        with pytest.raises(ValueError, match="offset_bits"):
            dicoxide.unpack_bits(b"\xff", 1, -1)
        with pytest.raises(ValueError, match="out must be"):
            dicoxide.unpack_bits(b"\xff", 8, out=np.empty(7, np.uint8))
        with pytest.raises(ValueError, match="out must be"):
            dicoxide.pack_bits([1, 0], out=np.empty(2, np.uint8))


class TestRescaleFunction:
    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">i2", ">f4"])
    def test_every_type_in(self, dtype: str) -> None:
        values = np.array([[0, 1, 100]], dtype)
        expected = values.astype(np.float64) * 1.5 + -3
        for wanted in ("float32", "float64"):
            result = dicoxide.rescale(values, 1.5, -3, wanted)
            assert result.dtype == wanted
            assert np.array_equal(result, expected.astype(wanted))
        assert np.array_equal(dicoxide.rescale(values[:, ::-1], 2, 1, "int64"), [[201, 3, 1]])

    def test_integers_of_64_bits_are_exact(self) -> None:
        values = np.array([2**62 + 1, -(2**62) - 1])
        assert dicoxide.rescale(values, 1, 1, "int64").tolist() == [2**62 + 2, -(2**62)]
        with pytest.raises(ValueError, match="sample 0 is not exact"):
            dicoxide.rescale(values, 2, 0, "int64")

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match="float16"):
            dicoxide.rescale(np.zeros(2), 1, 0, "float16")
        with pytest.raises(ValueError, match="cannot be rescaled"):
            dicoxide.rescale(np.zeros(2, np.complex64), 1, 0)
        with pytest.raises(ValueError, match="out is of"):
            dicoxide.rescale(np.zeros(2), 1, 0, "float32", out=np.empty(2))


def test_capabilities_name_a_decoder_or_say_why_not() -> None:
    found = dicoxide.capabilities()
    assert found[RLELossless].decoder == "dicoxide"
    assert found["1.2.840.10008.1.2.4.100"].decoder is None
    assert all(capability.why for capability in found.values())
    assert all(c.decoder == "dicoxide" for uid, c in found.items() if uid in SYNTAXES)


def test_the_data_set_is_not_changed() -> None:
    for syntax in SYNTAXES:
        ds = series(syntax)
        before = ds.to_json()
        dicoxide.decode(ds)
        assert ds.to_json() == before


def test_a_mutable_value_is_copied_not_borrowed() -> None:
    ds = series()
    ds["PixelData"]._value = bytearray(ds.PixelData)
    assert np.array_equal(dicoxide.decode(ds), FRAMES)
    ds = pydicom.dcmread(io.BytesIO(to_bytes(series())))
    assert np.array_equal(dicoxide.decode(ds), FRAMES)
