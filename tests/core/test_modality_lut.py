"""Modality LUT Sequence: every encoding of descriptor and data, by every function that rescales (PS3.3 C.11.1.1.1)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import dicoxide
from dicoxide import _numpy_backend
from support.encoders.dataset import to_bytes

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
SIGNED_FRAME = (np.arange(20, dtype="<i2").reshape(4, 5) * 3000 - 30000).astype("<i2")
BYTE_FRAME = np.arange(20, dtype="u1").reshape(4, 5)


def image(frame: np.ndarray, uid: str = ExplicitVRLittleEndian, **attributes: Any) -> Dataset:
    """Return a data set with one native grayscale frame."""
    ds = Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = "1.2.4"
    ds.Rows, ds.Columns = frame.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = frame.dtype.itemsize * 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(frame.dtype.kind == "i")
    if frame.ndim == 3:
        ds.NumberOfFrames = len(frame)
    order = ">" if uid == ExplicitVRBigEndian else "<"
    ds.PixelData = frame.astype(frame.dtype.newbyteorder(order)).tobytes()
    ds["PixelData"].VR = "OB" if frame.dtype.itemsize == 1 else "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def table(descriptor: list[int], data: Any, descriptor_vr: str = "US", data_vr: str = "OW") -> Sequence:
    """Return a Modality LUT Sequence of one item."""
    item = Dataset()
    item.add_new(0x00283002, descriptor_vr, descriptor)
    item.add_new(0x00283006, data_vr, data)
    return Sequence([item])


def words(entries: np.ndarray, uid: str) -> bytes:
    """Return entries as words of 16 bits in the byte order of a transfer syntax."""
    return entries.astype(">u2" if uid == ExplicitVRBigEndian else "<u2").tobytes()


def rescaled(ds: Dataset, **options: Any) -> list[np.ndarray]:
    """Return the modality values of a data set, of its bytes, and of the data set that pydicom reads from these."""
    data = to_bytes(ds)
    sources = [ds, data, pydicom.dcmread(io.BytesIO(data), force=True)]
    return [dicoxide.decode(source, rescale=True, **options) for source in sources]


def assert_values(ds: Dataset, expected: np.ndarray, **options: Any) -> None:
    for values in rescaled(ds, **options):
        assert values.dtype == options.get("dtype", np.float32)
        assert np.array_equal(values, expected)


def assert_error(ds: Dataset, match: str) -> None:
    data = to_bytes(ds)
    for source in (ds, data, pydicom.dcmread(io.BytesIO(data), force=True)):
        with pytest.raises(dicoxide.CorruptFrameError, match=match) as caught:
            dicoxide.decode(source, rescale=True)
        assert caught.value.clause == "PS3.3 C.11.1.1.1"
    (_, result), *_ = dicoxide.decode_many([data], rescale=True, on_error="return")
    assert isinstance(result, dicoxide.CorruptFrameError)


def assert_deviation(ds: Dataset, match: str, expected: np.ndarray) -> None:
    data = to_bytes(ds)
    for source in (ds, data):
        with pytest.warns(dicoxide.NonConformantWarning, match=match) as caught:
            assert np.array_equal(dicoxide.decode(source, rescale=True), expected)
        assert len(caught) == 1
        with pytest.raises(dicoxide.CorruptFrameError, match=match):
            dicoxide.decode(source, rescale=True, strict=True)
    with pytest.warns(dicoxide.NonConformantWarning, match=match):
        ((_, values),) = dicoxide.decode_many([data], rescale=True)
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("descriptor_vr", ["US", "SS"])
@pytest.mark.parametrize("data_vr", ["OW", "US"])
@pytest.mark.parametrize("is_undefined", [False, True], ids=["defined", "undefined"])
def test_lut_of_65536_entries_from_negative_value(
    uid: str, descriptor_vr: str, data_vr: str, is_undefined: bool
) -> None:
    if data_vr == "US" and uid != ImplicitVRLittleEndian:
        entries = np.arange(30000, dtype="u2")[::-1]
    else:
        entries = np.arange(65536).astype("u2")
    first = -32768 if descriptor_vr == "SS" else 32768
    count = len(entries) % 65536
    descriptor = [count - 65536 if descriptor_vr == "SS" and count > 32767 else count, first, 16]
    data = words(entries, uid) if data_vr == "OW" else entries.tolist()
    ds = image(SIGNED_FRAME, uid, ModalityLUTSequence=table(descriptor, data, descriptor_vr, data_vr))
    ds["ModalityLUTSequence"].is_undefined_length = is_undefined
    ds.ModalityLUTSequence[0].is_undefined_length_sequence_item = is_undefined
    assert_values(ds, entries[np.clip(SIGNED_FRAME.astype(int) + 32768, 0, len(entries) - 1)])


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("count", [256, 19, 1])
@pytest.mark.parametrize("is_packed", [True, False], ids=["packed", "word-per-entry"])
def test_lut_of_8_bit_entries(uid: str, count: int, is_packed: bool) -> None:
    entries = np.arange(count, dtype="u1")[::-1] + np.uint8(3)
    if is_packed:
        pairs = np.frombuffer(entries.tobytes() + bytes(count % 2), "<u2")
        data = words(pairs, uid)
    else:
        data = words(entries, uid)
    ds = image(BYTE_FRAME, uid, ModalityLUTSequence=table([count, 1, 8], data))
    assert_values(ds, entries[np.clip(BYTE_FRAME.astype(int) - 1, 0, count - 1)])


def test_lut_of_8_bit_entries_in_ob_big_endian_is_not_swapped() -> None:
    entries = np.arange(20, dtype="u1") * 3
    sequence = table([20, 0, 8], entries.tobytes(), data_vr="OB")
    assert_values(image(BYTE_FRAME, ExplicitVRBigEndian, ModalityLUTSequence=sequence), entries[BYTE_FRAME])


@pytest.mark.parametrize("uid", SYNTAXES)
def test_lut_data_of_vr_ss_is_unsigned(uid: str) -> None:
    entries = [-1, -32768, 7]
    ds = image(BYTE_FRAME, uid, ModalityLUTSequence=table([3, 0, 16], entries, data_vr="SS"))
    assert_values(ds, np.array([65535, 32768, 7])[np.clip(BYTE_FRAME, 0, 2)])


@pytest.mark.parametrize("first", [0, 5, 32768, 65535])
def test_first_mapped_value_of_unsigned_samples_is_unsigned(first: int) -> None:
    frame = np.array([[0, first], [min(first + 1, 65535), 65535]], "u2")
    ds = image(frame, ModalityLUTSequence=table([2, first, 16], words(np.array([10, 20]), ExplicitVRLittleEndian)))
    assert_values(ds, np.where(frame > first, 20, 10))


def test_lut_of_high_bits_uses_stored_values() -> None:
    # PS3.5 8.1.1: bits above Bits Stored are no part of the stored value.
    ds = image(np.array([[0xF800, 0x07FF]], "u2"), ModalityLUTSequence=table([0, -2048, 16], bytes(131072), "SS"))
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 1
    entries = np.arange(65536).astype("u2")
    ds.ModalityLUTSequence[0].LUTData = entries.tobytes()
    assert_values(ds, np.array([[0, 4095]]))


def test_lut_takes_precedence_over_rescale() -> None:
    sequence = table([2, 0, 16], words(np.array([10, 20]), ExplicitVRLittleEndian))
    ds = image(BYTE_FRAME, ModalityLUTSequence=sequence, RescaleSlope="2", RescaleIntercept="1")
    assert_values(ds, np.where(BYTE_FRAME > 0, 20, 10))


def test_empty_sequence_is_no_lut() -> None:
    ds = image(BYTE_FRAME, ModalityLUTSequence=Sequence([]), RescaleSlope="2", RescaleIntercept="1")
    assert_values(ds, BYTE_FRAME * 2.0 + 1)


@pytest.mark.parametrize("dtype", ["u2", "i4", "u8", "f8"])
def test_lut_to_other_dtypes_is_exact(dtype: str) -> None:
    sequence = table([0, -32768, 16], np.arange(65536).astype("<u2").tobytes(), "SS")
    ds = image(SIGNED_FRAME, ModalityLUTSequence=sequence)
    assert_values(ds, SIGNED_FRAME.astype(int) + 32768, dtype=dtype)


def test_lut_to_integers_that_do_not_hold_a_present_value_raises_value_error() -> None:
    sequence = table([0, -32768, 16], np.arange(65536).astype("<u2").tobytes(), "SS")
    ds = image(SIGNED_FRAME, ModalityLUTSequence=sequence)
    for source in (ds, to_bytes(ds)):
        with pytest.raises(ValueError, match="the value of sample 10 is not exact in int16"):
            dicoxide.decode(source, rescale=True, dtype="i2")
    assert_values(image(np.full((2, 2), -32768, "<i2"), ModalityLUTSequence=sequence), np.zeros((2, 2)), dtype="i2")


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
@pytest.mark.parametrize("first", [-(2**40), -70000, -3, 0, 100, 2**40])
def test_backends_agree_on_every_stored_type(dtype: str, first: int) -> None:
    limits = np.iinfo(dtype)
    samples = np.array([limits.min, 0, 1, 2, 50, 99, 100, 101, 102, limits.max], dtype)
    entries = np.array([5, 65535, 0, 257, 3], "u2")
    for out_dtype in ("f4", "f8"):
        outputs = []
        for core in (dicoxide._backend.core, _numpy_backend):
            out = np.empty(samples.shape, out_dtype)
            core.rescale_into(samples, core.LookupTable(first, entries), out)
            outputs.append(out)
        expected = [entries[min(max(int(sample) - first, 0), 4)] for sample in samples]
        assert np.array_equal(outputs[0], np.array(expected).astype(out_dtype))
        assert np.array_equal(*outputs)


@pytest.mark.parametrize("uid", [RLELossless, JPEGLosslessSV1, JPEGLSLossless])
def test_lut_of_compressed_frames_by_every_function(uid: str, tmp_path: Path) -> None:
    frames = (np.arange(3 * 20).reshape(3, 4, 5) * 60).astype("<u2")
    entries = np.arange(4096)[::-1] * 5
    ds = image(frames, uid)
    if uid == JPEGLSLossless:
        codestreams = [dicoxide_jpegls(frame) for frame in frames]
    else:
        encode = dicoxide.rle_encode if uid == RLELossless else dicoxide.jpeg_lossless_encode
        codestreams = [encode(frame) for frame in frames]
    ds.PixelData = encapsulate(codestreams)
    ds["PixelData"].VR = "OB"
    ds.ModalityLUTSequence = table([4096, 0, 16], entries.astype("<u2").tobytes())
    expected = entries[frames].astype(np.float32)
    assert_values(ds, expected)
    assert_values(ds, expected[1], frames=1)
    path = tmp_path / "lut.dcm"
    path.write_bytes(to_bytes(ds))
    assert np.array_equal(list(dicoxide.iter_frames(path, rescale=True)), expected)
    for source in (path, ds):
        ((_, values),) = dicoxide.decode_many([source], rescale=True)
        assert np.array_equal(values, expected)
        ((_, values),) = dicoxide.decode_many([source], rescale=True, dtype="u2", frames=2)
        assert np.array_equal(values, expected[2])
    (volume,) = dicoxide.read_series(tmp_path, rescale=True)
    assert np.array_equal(volume.array, expected)
    pytest.importorskip("dask.array")
    from dicoxide.dask import from_series

    (lazy,) = from_series(tmp_path, rescale=True)
    assert np.array_equal(lazy.array.compute(), expected)


def dicoxide_jpegls(frame: np.ndarray) -> bytes:
    return pytest.importorskip("imagecodecs").jpegls_encode(frame)


def test_lut_of_many_single_files_equals_decode() -> None:
    files = []
    for index in range(9):
        frame = (np.arange(20).reshape(4, 5) * 60 + index).astype("<u2")
        ds = image(frame, JPEGLosslessSV1)
        ds.PixelData = encapsulate([dicoxide.jpeg_lossless_encode(frame)])
        ds["PixelData"].VR = "OB"
        if index != 4:
            entries = (np.arange(4096) * (index + 1)).astype("<u2")
            ds.ModalityLUTSequence = table([4096, 0, 16], entries.tobytes())
        files.append(to_bytes(ds))
    for data, values in dicoxide.decode_many(files, rescale=True):
        assert np.array_equal(values, dicoxide.decode(data, rescale=True))


class TestInvalidTables:
    @pytest.mark.parametrize("descriptor", [[256, 0], [256], [256, 0, 8, 8], []], ids=str)
    def test_descriptor_of_other_multiplicity_is_an_error(self, descriptor: list[int]) -> None:
        ds = image(BYTE_FRAME, ModalityLUTSequence=table(descriptor, bytes(256)))
        assert_error(ds, f"LUT Descriptor has {len(descriptor)} values, 3 values expected")

    @pytest.mark.parametrize("bits", [0, 1, 7, 17, 32, 65535])
    def test_bits_per_entry_out_of_range_is_an_error(self, bits: int) -> None:
        ds = image(BYTE_FRAME, ModalityLUTSequence=table([256, 0, bits], bytes(512)))
        assert_error(ds, f"LUT Descriptor has {bits} bits per entry, 8 or 16 expected")

    @pytest.mark.parametrize(
        ("descriptor", "length", "needed"),
        [([256, 0, 16], 510, 512), ([256, 0, 8], 254, 256), ([0, 0, 16], 0, 131072), ([0, 0, 8], 65534, 65536)],
    )
    def test_fewer_entries_than_declared_is_an_error(self, descriptor: list[int], length: int, needed: int) -> None:
        ds = image(BYTE_FRAME, ModalityLUTSequence=table(descriptor, bytes(length)))
        assert_error(ds, f"LUT Data has {length} bytes, {needed} expected")

    def test_entry_of_more_than_8_bits_is_an_error(self) -> None:
        data = np.array([0, 5, 300], "<u2").tobytes()
        assert_error(image(BYTE_FRAME, ModalityLUTSequence=table([3, 0, 8], data)), "LUT Data has an entry 300")

    @pytest.mark.parametrize("keyword", ["LUTDescriptor", "LUTData"])
    def test_missing_element_is_an_error(self, keyword: str) -> None:
        ds = image(BYTE_FRAME, ModalityLUTSequence=table([256, 0, 8], bytes(256)))
        del ds.ModalityLUTSequence[0][keyword]
        assert_error(ds, "is missing")

    def test_more_entries_than_declared_is_a_deviation(self) -> None:
        entries = np.arange(30) * 7
        ds = image(BYTE_FRAME, ModalityLUTSequence=table([20, 0, 16], entries.astype("<u2").tobytes()))
        assert_deviation(ds, "LUT Data has 60 bytes, 40 expected", entries[BYTE_FRAME])

    def test_bits_per_entry_between_8_and_16_is_a_deviation(self) -> None:
        entries = np.arange(20) * 7
        ds = image(BYTE_FRAME, ModalityLUTSequence=table([20, 0, 12], entries.astype("<u2").tobytes()))
        assert_deviation(ds, "LUT Descriptor has 12 bits per entry", entries[BYTE_FRAME])

    def test_several_items_is_a_deviation(self) -> None:
        first, second = (table([2, 0, 16], np.array(entries, "<u2").tobytes()) for entries in ([1, 2], [3, 4]))
        ds = image(BYTE_FRAME, ModalityLUTSequence=Sequence([*first, *second]))
        assert_deviation(ds, "Modality LUT Sequence has 2 items", np.where(BYTE_FRAME > 0, 2, 1))

    def test_deviation_is_reported_once_per_image(self) -> None:
        frames = np.zeros((6, 2, 2), "u1")
        ds = image(frames, ModalityLUTSequence=table([1, 0, 12], b"\1\0"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            list(dicoxide.iter_frames(ds, rescale=True, threads=1, max_bytes=64))
        assert len(caught) == 1

    def test_lut_of_float_samples_raises_value_error(self) -> None:
        ds = image(BYTE_FRAME, ModalityLUTSequence=table([256, 0, 8], bytes(256)))
        del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
        ds.BitsAllocated, ds.FloatPixelData = 32, np.zeros(20, "<f4").tobytes()
        for source in (ds, to_bytes(ds)):
            with pytest.raises(ValueError, match="look-up table for float samples"):
                dicoxide.decode(source, rescale=True)
