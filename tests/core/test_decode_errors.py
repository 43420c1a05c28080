"""`decode` and its relatives: limits, deviations and errors."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

import dicoxide
from dicoxide import NonConformantWarning
from support.encoders.dataset import dataset, to_bytes
from support.small_series import FRAMES, SYNTAXES, series


class TestLimits:
    def test_output_over_the_budget_is_refused(self) -> None:
        assert dicoxide.decode(series(), max_bytes=FRAMES.nbytes).shape == FRAMES.shape
        with pytest.raises(dicoxide.LimitError, match=f"output has {FRAMES.nbytes} bytes"):
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
            with pytest.warns(NonConformantWarning, match="number of frames is 4, 6 frames found"):
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

    @pytest.mark.parametrize(
        "name", ["DecodeError", "CorruptFrameError", "TruncatedFrameError", "UnsupportedError", "LimitError"]
    )
    def test_every_class_pickles(self, name: str) -> None:
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
