"""`decode` and `decode_frame`: limits, deviations and errors."""

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
    def test_decode_over_max_bytes_raises_limit_error(self) -> None:
        assert dicoxide.decode(series(), max_bytes=FRAMES.nbytes).shape == FRAMES.shape
        with pytest.raises(dicoxide.LimitError, match=f"output has {FRAMES.nbytes} bytes"):
            dicoxide.decode(series(), max_bytes=FRAMES.nbytes - 1)
        with pytest.raises(MemoryError):
            dicoxide.decode(series(), max_bytes=0)
        with pytest.raises(dicoxide.LimitError):
            dicoxide.decode(series(), out=np.empty(FRAMES.shape, np.int64), max_bytes=FRAMES.nbytes)

    def test_header_that_declares_too_much_raises_before_allocation(self) -> None:
        ds = dataset(np.zeros((4, 4), np.uint16), RLELossless)
        ds.Rows = ds.Columns = 65535
        with pytest.raises(dicoxide.TruncatedFrameError, match="at least"):
            dicoxide.decode(ds)
        # An error in the RLE header takes precedence, as it does for a small image.
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
    def test_high_bit_above_bits_stored_warns_and_aligns_values_right(self) -> None:
        ds = dataset(FRAMES[0], bits_stored=12, high_bit=15)
        with pytest.warns(NonConformantWarning, match="high bit 15 found, 11 expected") as caught:
            assert np.array_equal(dicoxide.decode(ds), FRAMES[0])
        assert caught[0].filename == __file__
        with pytest.raises(dicoxide.CorruptFrameError, match="high bit"):
            dicoxide.decode(ds, strict=True)

    def test_decode_of_more_frames_than_declared_warns_and_gives_all(self) -> None:
        for syntax in SYNTAXES:
            ds = series(syntax, number_of_frames=4, table="basic")
            with pytest.warns(NonConformantWarning, match="number of frames is 4, 6 frames found"):
                assert np.array_equal(dicoxide.decode(ds), FRAMES)
            with pytest.raises(dicoxide.CorruptFrameError):
                dicoxide.decode(ds, strict=True)

    def test_decode_of_fewer_frames_than_declared_raises_truncated(self) -> None:
        for syntax in SYNTAXES:
            for frames in (None, 0):
                with pytest.raises(dicoxide.TruncatedFrameError):
                    dicoxide.decode(series(syntax, number_of_frames=7), frames=frames)


class TestErrors:
    def test_decode_error_attributes_give_kind_offset_and_frame(self) -> None:
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
    def test_error_class_pickles_with_attributes(self, name: str) -> None:
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
    def test_decode_with_invalid_attribute_raises_corrupt_frame(self, change: dict[str, Any], message: str) -> None:
        ds = series()
        for keyword, value in change.items():
            setattr(ds, keyword, value)
        with pytest.raises(dicoxide.CorruptFrameError, match=message):
            dicoxide.decode(ds)

    def test_decode_without_exactly_one_pixel_element_raises_corrupt_frame(self) -> None:
        with pytest.raises(dicoxide.CorruptFrameError, match="none found"):
            dicoxide.decode(Dataset())
        ds = series()
        ds.FloatPixelData = bytes(4)
        with pytest.raises(dicoxide.CorruptFrameError, match="PixelData and FloatPixelData found"):
            dicoxide.decode(ds)

    def test_bits_allocated_without_dtype_raises_unsupported(self) -> None:
        ds = series()
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 24, 24, 23
        ds.PixelData = bytes(FRAMES.size * 3)
        with pytest.raises(dicoxide.UnsupportedError, match="24"):
            dicoxide.decode(ds, fallback=False)
        with pytest.raises(NotImplementedError):
            dicoxide.decode(ds)

    @pytest.mark.parametrize("src", [None, 3, object(), ["path"]])
    def test_decode_of_unknown_source_type_raises_type_error(self, src: Any) -> None:
        with pytest.raises(TypeError, match="src must be"):
            dicoxide.decode(src)

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("data", [b"", b"DICM", b"\0" * 200, b"no image at all" * 50])
    def test_decode_of_bytes_that_are_not_dicom_raises_decode_error(self, data: bytes) -> None:
        with pytest.raises(dicoxide.DecodeError):
            dicoxide.decode(data)

    def test_decode_of_missing_file_raises_file_not_found(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            dicoxide.decode(tmp_path / "none.dcm")


class TestDecodeFrame:
    def spec(self, **changes: Any) -> dicoxide.FrameSpec:
        options = {"transfer_syntax": ExplicitVRLittleEndian, "rows": 2, "columns": 2, "pixel_representation": 1}
        return dicoxide.FrameSpec(**(options | changes))

    def test_decode_frame_of_native_bytes_follows_the_syntax(self) -> None:
        values = np.array([[-1, 2], [3, -4]], np.int16)
        assert np.array_equal(dicoxide.decode_frame(values.tobytes(), self.spec()), values)
        swapped = values.byteswap().tobytes()
        spec = self.spec(transfer_syntax=ExplicitVRBigEndian)
        assert np.array_equal(dicoxide.decode_frame(bytearray(swapped), spec), values)
        out = np.empty((2, 2), np.int32)
        assert dicoxide.decode_frame(memoryview(values.tobytes()), self.spec(), out=out) is out
        assert np.array_equal(out, values)

    def test_decode_frame_of_too_few_bytes_gives_the_offset(self) -> None:
        with pytest.raises(dicoxide.TruncatedFrameError) as caught:
            dicoxide.decode_frame(bytes(7), self.spec())
        assert caught.value.offset == 7

    def test_decode_frame_does_not_convert_colour(self) -> None:
        spec = self.spec(
            samples_per_pixel=3, bits_allocated=8, pixel_representation=0, photometric_interpretation="YBR_FULL"
        )
        values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        assert np.array_equal(dicoxide.decode_frame(values.tobytes(), spec), values)

    def test_decode_frame_without_codec_raises_unsupported(self) -> None:
        with pytest.raises(dicoxide.UnsupportedError, match="MPEG2MPML"):
            dicoxide.decode_frame(b"", self.spec(transfer_syntax="1.2.840.10008.1.2.4.100"))
        with pytest.raises(dicoxide.UnsupportedError, match="1.2.3"):
            dicoxide.decode_frame(b"", self.spec(transfer_syntax="1.2.3"))


def test_capabilities_name_a_decoder_or_give_the_reason() -> None:
    result = dicoxide.capabilities()
    assert result[RLELossless].decoder == "dicoxide"
    assert result["1.2.840.10008.1.2.4.94"].decoder is None
    assert all(capability.why for capability in result.values())
    assert all(c.decoder == "dicoxide" for uid, c in result.items() if uid in SYNTAXES)


def test_decode_does_not_change_the_data_set() -> None:
    for syntax in SYNTAXES:
        ds = series(syntax)
        before = ds.to_json()
        dicoxide.decode(ds)
        assert ds.to_json() == before


def test_decode_of_a_mutable_value_copies_it() -> None:
    ds = series()
    ds["PixelData"]._value = bytearray(ds.PixelData)
    assert np.array_equal(dicoxide.decode(ds), FRAMES)
    ds = pydicom.dcmread(io.BytesIO(to_bytes(series())))
    assert np.array_equal(dicoxide.decode(ds), FRAMES)
