"""Invalid data sets and files raise documented errors and never give other values."""

from __future__ import annotations

import array
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning, TruncatedFrameError, UnsupportedError
from support.encoders.dataset import dataset, to_bytes
from support.processes import run_script
from support.real_images import PYDICOM_FILES

RNG = np.random.default_rng(23)
FRAMES = RNG.integers(0, 4096, (3, 40, 60), dtype=np.uint16)


def with_raw(keyword: str, representation: str, value: bytes) -> Dataset:
    """Return three frames with one element as read from a file with invalid bytes."""
    ds = dataset(FRAMES)
    tag = Tag(keyword)
    ds._dict[tag] = RawDataElement(tag, representation, len(value), value, 0, False, True)
    return ds


def with_value(keyword: str, value: Any) -> Dataset:
    """Return three frames with one element whose value pydicom would not set."""
    ds = dataset(FRAMES)
    ds[keyword]._value = value
    return ds


class TestAttributes:
    @pytest.mark.filterwarnings("ignore::UserWarning")
    @pytest.mark.parametrize("value", [b"1A", b"-3", b"99999999999999999999", b"4294967296", b"inf", b"3\\3", b"3.5"])
    def test_invalid_number_of_frames_raises_corrupt_frame(self, value: bytes) -> None:
        for options in ({}, {"copy": False}):
            with pytest.raises(CorruptFrameError):
                dicoxide.decode(with_raw("NumberOfFrames", "IS", value), **options)
        with pytest.raises(CorruptFrameError):
            dicoxide.iter_frames(with_raw("NumberOfFrames", "IS", value))

    @pytest.mark.parametrize("keyword", ["Rows", "BitsStored", "HighBit", "PixelRepresentation"])
    def test_invalid_integers_raise_corrupt_frame(self, keyword: str) -> None:
        for ds in (
            with_raw(keyword, "US", b"\4"),
            with_raw(keyword, "ZZ", b"\4\0"),
            with_value(keyword, 3.5),
            with_value(keyword, 1 << 40),
            with_value(keyword, float("inf")),
        ):
            for options in ({}, {"copy": False}):
                with pytest.raises(CorruptFrameError):
                    dicoxide.decode(ds, **options)

    @pytest.mark.parametrize(
        ("keyword", "value"),
        [("Rows", 0), ("BitsStored", 17), ("BitsStored", 0), ("SamplesPerPixel", 5), ("PixelRepresentation", 2)],
    )
    def test_view_raises_the_errors_of_decode(self, keyword: str, value: int) -> None:
        with pytest.raises(CorruptFrameError) as expected:
            dicoxide.decode(with_value(keyword, value))
        with pytest.raises(CorruptFrameError) as caught:
            dicoxide.decode(with_value(keyword, value), copy=False)
        assert str(caught.value) == str(expected.value)

    @pytest.mark.parametrize("value", ["abc", 3 * 40 * 60 * 2, 10**15, [b"ab", b"cd"], object()])
    @pytest.mark.parametrize("options", [{}, {"copy": False}], ids=str)
    def test_pixel_data_of_other_types_raise_corrupt_frame(self, value: Any, options: dict[str, Any]) -> None:
        with pytest.raises(CorruptFrameError, match="bytes expected"):
            dicoxide.decode(with_value("PixelData", value), **options)

    @pytest.mark.filterwarnings("ignore:Invalid value:UserWarning")
    def test_surrogates_in_text_do_not_crash(self) -> None:
        ds = with_value("PhotometricInterpretation", "MONOCHROME2\udc80")
        assert np.array_equal(dicoxide.decode(ds), dicoxide.decode(with_value("Rows", ds.Rows)))
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1\udc80"
        with pytest.raises(UnsupportedError, match=r"1\.2\.840\.10008\.1\.2\.1\\udc80"):
            dicoxide.decode(ds)

    @pytest.mark.parametrize("fallback", [True, False])
    def test_ybr_with_16_bits_raises_unsupported(self, fallback: bool) -> None:
        # The header declares the colour, so the error is not a ValueError about arguments.
        ds = dataset(np.zeros((4, 4, 3), np.uint16), samples_per_pixel=3, photometric_interpretation="YBR_FULL")
        for src in (ds, to_bytes(ds)):
            with pytest.raises(UnsupportedError, match="three unsigned samples of 8 bits"):
                dicoxide.decode(src, fallback=fallback)
            assert dicoxide.decode(src, raw=True, fallback=fallback).shape == (4, 4, 3)

    @pytest.mark.parametrize(
        "keyword", ["PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "ModalityLUTSequence"]
    )
    def test_invalid_sequences_raise_corrupt_frame(self, keyword: str) -> None:
        with pytest.raises(CorruptFrameError):
            dicoxide.decode(with_raw(keyword, "SQ", b"\1\2\3\4"), rescale=True)
        with pytest.raises(CorruptFrameError):
            dicoxide.decode(with_raw(keyword, "LO", b"abcd"), rescale=True)

    def test_modality_lut_without_table_raises_corrupt_frame(self) -> None:
        ds = dataset(FRAMES, attributes={"ModalityLUTSequence": [Dataset()]})
        with pytest.raises(CorruptFrameError, match="Modality LUT"):
            dicoxide.decode(ds, rescale=True)

    @pytest.mark.parametrize(("slope", "intercept"), [("2", ""), ("", "-1024")])
    def test_incomplete_rescale_raises_corrupt_frame(self, slope: str, intercept: str) -> None:
        ds = dataset(FRAMES, attributes={"RescaleSlope": slope, "RescaleIntercept": intercept})
        with pytest.raises(CorruptFrameError, match="Rescale"):
            dicoxide.decode(ds, rescale=True)

    def test_huge_number_of_frames_raises_before_fallback(self) -> None:
        ds = pydicom.dcmread(PYDICOM_FILES / "test_files" / "SC_rgb_jpeg_dcmtk.dcm")
        ds.NumberOfFrames = 5_000_000
        with pytest.raises(TruncatedFrameError, match="1 fragments found, 5000000 frames expected"):
            dicoxide.decode(ds)


class TestTransferSyntax:
    @pytest.mark.parametrize("padding", [" ", "\0"])
    def test_padded_transfer_syntax_uid_is_accepted(self, padding: str) -> None:
        # 8-bit samples as OW: their bytes are swapped in big endian.
        samples = RNG.integers(0, 256, (4, 6), dtype=np.uint8)
        ds = dataset(samples, ExplicitVRBigEndian, ow=True)
        ds.file_meta["TransferSyntaxUID"]._value = ExplicitVRBigEndian + padding
        assert np.array_equal(dicoxide.decode(ds), samples)

    def test_encapsulated_value_under_native_syntax_raises(self) -> None:
        ds = pydicom.dcmread(io.BytesIO(to_bytes(dataset(FRAMES, RLELossless))))
        bare = DicomBytesIO()
        bare.is_little_endian, bare.is_implicit_VR = True, False
        write_dataset(bare, ds)
        for options in ({}, {"copy": False}):
            with pytest.raises(UnsupportedError, match="without a transfer syntax"):
                dicoxide.decode(bare.getvalue(), **options)
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            with pytest.raises(CorruptFrameError, match="native ones expected") as caught:
                dicoxide.decode(ds, **options)
            assert caught.value.kind == "Mismatch"
        # Native samples set in their place decode.
        ds.PixelData = FRAMES.tobytes()
        assert np.array_equal(dicoxide.decode(ds), FRAMES)


class TestSources:
    def test_decode_of_any_bytes_like_object(self) -> None:
        data = to_bytes(dataset(FRAMES))
        for src in (np.frombuffer(data, np.uint8), array.array("B", data), memoryview(data + data)[: len(data)]):
            assert np.array_equal(dicoxide.decode(src), FRAMES)
        encoded = FRAMES[0].tobytes()
        spec = dicoxide.FrameSpec(transfer_syntax=ExplicitVRLittleEndian, rows=40, columns=60)
        for src in (FRAMES[0], encoded, bytearray(encoded), memoryview(encoded)):
            assert np.array_equal(dicoxide.decode_frame(src, spec), FRAMES[0])

    @pytest.mark.parametrize("src", [None, 5, 10**15, ["a"], object()])
    def test_decode_of_other_types_raises_type_error(self, src: Any) -> None:
        spec = dicoxide.FrameSpec(transfer_syntax=ExplicitVRLittleEndian, rows=2, columns=2)
        with pytest.raises(TypeError):
            dicoxide.decode(src)
        with pytest.raises(TypeError):
            dicoxide.decode_frame(src, spec)
        with pytest.raises(TypeError):
            dicoxide.rle_decode(src, 2, 2)

    def test_truncated_sequence_raises_corrupt_frame(self, tmp_path: Path) -> None:
        # pydicom has OSError for it, as if the disk were to blame.
        data = to_bytes(dataset(FRAMES))
        path = tmp_path / "broken.dcm"
        before = data.rindex(b"\xe0\x7f\x10\x00")
        path.write_bytes(data[:before] + b"\x28\x00\x00\x30SQ\0\0\xff\xff\xff\xff\xfe\xff")
        for src in (path, path.read_bytes()):
            with pytest.raises(CorruptFrameError):
                dicoxide.decode(src)
        # A sequence that is not needed for stored values, as UN of undefined length (PS3.5 6.2.2).
        broken = b"\x28\x00\x00\x30UN\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff\x28\x00\x02\x30"
        path.write_bytes(data[:before] + broken)
        for src in (path, path.read_bytes()):
            with pytest.raises(CorruptFrameError):
                dicoxide.decode(src, rescale=True)

    @pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS as on Linux")
    def test_huge_element_length_allocates_little(self, tmp_path: Path) -> None:
        # Python allocates the requested length before it reads.
        data = to_bytes(dataset(FRAMES))
        before = data.rindex(b"\xe0\x7f\x10\x00")
        path = tmp_path / "long.dcm"
        path.write_bytes(data[:before] + b"\x29\x00\x01\x10OB\0\0\0\0\0\xf0" + bytes(100_000))
        done = run_script("read_header_within_64_mib", path, check=False)
        assert "MemoryError" not in done.stderr, done.stderr
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("cut", [8, 100])
    def test_truncated_deflated_file_raises_corrupt_frame(self, cut: int) -> None:
        with pytest.raises(CorruptFrameError, match="cannot be read|ends after"):
            dicoxide.decode(to_bytes(dataset(FRAMES, DeflatedExplicitVRLittleEndian))[:-cut])

    def test_view_of_truncated_file_raises_truncated(self, tmp_path: Path) -> None:
        path = tmp_path / "short.dcm"
        data = to_bytes(dataset(np.repeat(FRAMES, 20, axis=2)))
        for cut in (1, 1000, len(data) // 2):
            path.write_bytes(data[:-cut])
            with pytest.raises(TruncatedFrameError):
                dicoxide.decode(path, copy=False)

    def test_view_warns_of_deviations(self, tmp_path: Path) -> None:
        path = tmp_path / "more.dcm"
        path.write_bytes(to_bytes(dataset(np.repeat(FRAMES, 20, axis=2), number_of_frames=2)))
        with pytest.warns(NonConformantWarning) as requested:
            expected = dicoxide.decode(path)
        with pytest.warns(NonConformantWarning) as caught:
            assert np.array_equal(dicoxide.decode(path, copy=False), expected)
        assert [str(warning.message) for warning in caught] == [str(warning.message) for warning in requested]
        with pytest.raises(CorruptFrameError):
            dicoxide.decode(path, copy=False, strict=True)
