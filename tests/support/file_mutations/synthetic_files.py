"""Small files of rare encodings: look-up tables, dose, odd delimiters, packed bits, mosaics, and other formats."""

from __future__ import annotations

import atexit
import struct
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLossless, JPEGLosslessSV1, RLELossless

from support.encoders import rle
from support.encoders.dataset import (
    DEFLATED_IMAGE_FRAME,
    ENCAPSULATED_UNCOMPRESSED,
    IMPLICIT_VR,
    dataset,
    declared_as,
    to_bytes,
)
from support.file_mutations import (
    jpeg2000_files,
    jpeg_files,
    jpegls_files,
    jpegxl_files,
    rendering_files,
    series_files,
)

_WORDS = (np.arange(24).reshape(4, 6) * 2771 % 65536).astype("<u2")
_SIGNED = (np.arange(24).reshape(4, 6) * 2771 - 32000).astype("<i2")
_BYTES = (np.arange(24, dtype="u1") * 11).reshape(4, 6)
_BITS = (np.arange(256).reshape(16, 16) * 7 % 11 < 5).astype("u1")
_RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
_ITEM, _ITEM_END, _SEQUENCE_END = (struct.pack("<HHL", 0xFFFE, number, 0) for number in (0xE000, 0xE00D, 0xE0DD))
_OPEN_ITEM = _ITEM[:4] + b"\xff" * 4
_PRIVATE_SEQUENCE = bytes.fromhex("09001110") + b"SQ\0\0" + b"\xff" * 4
_SAMPLES_PER_PIXEL = bytes.fromhex("28000200")


@cache
def folder() -> Path:
    """Return the folder of the files, which is removed when the process ends. Its content is equal on every machine."""
    created = tempfile.TemporaryDirectory()
    atexit.register(created.cleanup)
    for name, data in _files():
        (Path(created.name) / f"{name}.dcm").write_bytes(data)
    return Path(created.name)


def _files() -> Iterator[tuple[str, bytes]]:
    yield from _modality_luts()
    yield from _rescales()
    yield from _real_world_values()
    yield from _headers()
    yield from _pixel_data()
    yield from jpeg_files.files()
    yield from jpegls_files.files()
    yield from jpeg2000_files.files()
    yield from jpegxl_files.files()
    yield from rendering_files.files()
    yield from series_files.files()
    yield "not_dicom_png", b"\x89PNG\r\n\x1a\n" + bytes(300)
    yield "not_dicom_html", b"<!DOCTYPE html>\n<html><head><title>404</title>" + b" " * 200


def _modality_luts() -> Iterator[tuple[str, bytes]]:
    """Yield files with each encoding of descriptor and data of a Modality LUT (PS3.3 C.11.1.1.1)."""
    words = (np.arange(50) * 1301 % 65536).astype("<u2")
    data = words.tobytes()
    packed = bytes(range(200, 250))
    yield "lut_words", _with_lut(_WORDS, [50, 20000, 16], data)
    yield "lut_signed", _with_lut(_SIGNED, [50, -9000, 16], data, "SS")
    yield "lut_signed_as_us", _with_lut(_SIGNED, [50, 0x10000 - 9000, 16], data)
    yield "lut_us_data", _with_lut(_WORDS, [50, 0, 16], words.tolist(), data_vr="US")
    yield "lut_ss_data", _with_lut(_WORDS, [50, 0, 16], words.view("<i2").tolist(), data_vr="SS")
    yield "lut_bytes_packed", _with_lut(_BYTES, [50, 100, 8], packed)
    yield "lut_bytes_packed_odd", _with_lut(_BYTES, [49, 100, 8], packed)
    yield "lut_bytes_in_words", _with_lut(_BYTES, [50, 100, 8], np.frombuffer(packed, "u1").astype("<u2").tobytes())
    yield "lut_bytes_ob", _with_lut(_BYTES, [50, 100, 8], packed, data_vr="OB")
    yield "lut_12_bits", _with_lut(_WORDS, [50, 100, 12], (words & 0xFFF).tobytes())
    yield "lut_longer_data", _with_lut(_WORDS, [40, 100, 16], data)
    yield "lut_shorter_data", _with_lut(_WORDS, [60, 100, 16], data)
    yield "lut_no_entries", _with_lut(_WORDS, [0, 0, 8], bytes(1 << 16))
    yield "lut_two_items", _with_lut(_WORDS, [50, 100, 16], data, items=2)
    yield "lut_implicit", _with_lut(_SIGNED, [50, -9000, 16], data, "SS", syntax=IMPLICIT_VR)
    yield "lut_deflated", _with_lut(_WORDS, [50, 100, 16], data, syntax=DeflatedExplicitVRLittleEndian)
    yield "lut_big_endian", _with_lut(_SIGNED, [50, -9000, 16], words.byteswap().tobytes(), syntax=ExplicitVRBigEndian)
    yield "lut_big_endian_packed", _with_lut(_BYTES, [50, 100, 8], packed, syntax=ExplicitVRBigEndian)
    yield "lut_rle", _with_lut(_WORDS, [50, 100, 16], data, syntax=RLELossless)
    yield "lut_jpeg_lossless", _with_lut(np.stack([_WORDS, _WORDS + 1]), [50, 100, 16], data, syntax=JPEGLosslessSV1)


def _with_lut(
    frames: np.ndarray[Any, Any],
    descriptor: list[int],
    data: Any,
    descriptor_vr: str = "US",
    data_vr: str = "OW",
    *,
    items: int = 1,
    syntax: str | None = None,
) -> bytes:
    """Return a file with a Modality LUT Sequence."""
    ds = dataset(frames, *([] if syntax is None else [syntax]))
    signed = descriptor_vr == "US" and any(number < 0 for number in descriptor)
    lut = Dataset()
    lut.add_new(0x00283002, "SS" if signed else descriptor_vr, descriptor)
    lut.add_new(0x00283006, data_vr, data)
    ds.ModalityLUTSequence = Sequence([lut] * items)
    return to_bytes(ds)


def _rescales() -> Iterator[tuple[str, bytes]]:
    """Yield files with Dose Grid Scaling, and with rescale in functional groups."""
    for name, attributes in {
        "dose": {"DoseGridScaling": "0.25"},
        "dose_small": {"DoseGridScaling": "3.0517578125e-05"},
        "dose_missing": {},
        "dose_and_rescale": {"DoseGridScaling": "0.5", "RescaleSlope": "2", "RescaleIntercept": "1"},
        "dose_and_identity": {"DoseGridScaling": "0.5", "RescaleSlope": "1", "RescaleIntercept": "0"},
    }.items():
        ds = dataset(np.stack([_WORDS, _WORDS + 1]), attributes=attributes)
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = _RT_DOSE
        yield name, to_bytes(ds)
    ds = dataset(_WORDS.astype("<u4") * 65537, attributes={"DoseGridScaling": "1e-6"})
    yield "dose_32_bits", to_bytes(ds)
    ds = dataset(np.stack([_WORDS, _WORDS + 1, _WORDS + 2]))
    ds.SharedFunctionalGroupsSequence = Sequence([_group("2", "-1024")])
    ds.PerFrameFunctionalGroupsSequence = Sequence([_group("0.5", "3"), Dataset(), _group("1", "0")])
    yield "rescale_per_frame", to_bytes(ds)


def _group(slope: str, intercept: str) -> Dataset:
    """Return a functional group with Pixel Value Transformation."""
    rescale = Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, intercept, "US"
    group = Dataset()
    group.PixelValueTransformationSequence = Sequence([rescale])
    return group


def _real_world_values() -> Iterator[tuple[str, bytes]]:
    """Yield files with Real World Value Mapping: linear, by table, of several quantities, per frame (C.7.6.16.2.11)."""
    linear = _mapping(0, 60000, "ADC", slope=0.5, intercept=-10.0)
    table = _mapping(100, 149, "T1", data=[index / 4 for index in range(50)])
    signed = _mapping(-9000, 32000, "HU", slope=1.0, intercept=0.0)
    for name, frame, mappings in (
        ("linear", _WORDS, [linear]),
        ("table", _WORDS, [table]),
        ("signed", _SIGNED, [signed]),
        ("several", _WORDS, [linear, table]),
        ("short_table", _WORDS, [_mapping(100, 200, "T1", data=[1.0, 2.0])]),
        ("not_finite", _WORDS, [_mapping(0, 60000, "ADC", slope=float("nan"), intercept=float("inf"))]),
    ):
        ds = dataset(frame)
        ds.RealWorldValueMappingSequence = Sequence(mappings)
        yield f"real_world_{name}", to_bytes(ds)
    ds = dataset(np.stack([_WORDS, _WORDS + 1]))
    groups = [Dataset(), Dataset()]
    groups[0].RealWorldValueMappingSequence = Sequence([table])
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    shared = Dataset()
    shared.RealWorldValueMappingSequence = Sequence([linear])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    yield "real_world_per_frame", to_bytes(ds)


def _mapping(
    first: int, last: int, label: str, *, slope: float = 0.0, intercept: float = 0.0, data: list[float] | None = None
) -> Dataset:
    """Return an item of the Real World Value Mapping Sequence, linear unless `data` are the entries of a table."""
    mapping = Dataset()
    vr = "SS" if first < 0 else "US"
    mapping.add_new(0x00409216, vr, first)
    mapping.add_new(0x00409211, vr, last)
    mapping.LUTLabel = label
    if data is None:
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = slope, intercept
    else:
        mapping.RealWorldValueLUTData = data
    units = Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = "um2/s", "UCUM", "um2/s"
    mapping.MeasurementUnitsCodeSequence = Sequence([units])
    return mapping


def _headers() -> Iterator[tuple[str, bytes]]:
    """Yield files with recoverable violations of PS3.5 6.2 and 7.5."""
    plain = to_bytes(dataset(_WORDS))
    for name, vr in {"blank": b"  ", "unknown": b"??", "zero": b"\0\0", "lower": b"lo"}.items():
        yield f"vr_{name}", _insert(plain, b"\x27\0\1\x10" + vr + b"\4\0abcd")
    yield "vr_rows_lower", plain.replace(b"\x28\0\x10\0US", b"\x28\0\x10\0us")
    number = b"\x09\0\x12\x10US\2\0\1\0"
    for name, content in {
        "swapped": _OPEN_ITEM + number + _SEQUENCE_END + _ITEM_END,
        "item_missing": _OPEN_ITEM + number + _SEQUENCE_END,
        "sequence_twice": _OPEN_ITEM + number + _SEQUENCE_END + _SEQUENCE_END,
        "item_twice": _OPEN_ITEM + number + _ITEM_END + _ITEM_END,
        "zero_item_end": _OPEN_ITEM + number + bytes(8) + _SEQUENCE_END,
        "zero_sequence_end": _OPEN_ITEM + number + _ITEM_END + bytes(8),
    }.items():
        inner = _PRIVATE_SEQUENCE + content
        nested = _PRIVATE_SEQUENCE + _OPEN_ITEM + inner + _ITEM_END + _SEQUENCE_END
        yield f"delimiters_{name}", _insert(plain, inner)
        yield f"delimiters_{name}_nested", _insert(plain, nested)


def _insert(data: bytes, element: bytes) -> bytes:
    """Return the file with an element before Samples per Pixel."""
    start = data.index(_SAMPLES_PER_PIXEL)
    return data[:start] + element + data[start:]


def _pixel_data() -> Iterator[tuple[str, bytes]]:
    """Yield files with recoverable violations of PS3.5 A.4, and packed and unpacked bits in RLE Lossless."""
    frames = np.stack([_WORDS, _WORDS + 1])
    for name, syntax in {"rle": RLELossless, "jpeg": JPEGLossless}.items():
        data = to_bytes(dataset(frames, syntax, table="basic"))
        for end, content in {"missing": b"", "zero": bytes(8), "zeros": bytes(64), "item": _ITEM_END}.items():
            yield f"end_{end}_{name}", data[:-8] + content
    for syntax in (RLELossless, JPEGLossless, JPEGLosslessSV1, ENCAPSULATED_UNCOMPRESSED, DEFLATED_IMAGE_FRAME):
        yield f"native_as_{syntax.rpartition('.')[2]}", declared_as(syntax, to_bytes(dataset(frames)))
    for name, packed in {"bytes": False, "packed": True}.items():
        coded = [rle.encode(frame, 1, "greedy", packed=packed) for frame in (_BITS, 1 - _BITS)]
        ds = dataset(np.stack([_BITS, 1 - _BITS]), RLELossless, bits_allocated=1, coded=coded)
        yield f"single_bit_{name}", to_bytes(ds)
    yield "single_bit_deflated", to_bytes(dataset(np.stack([_BITS, 1 - _BITS]), DEFLATED_IMAGE_FRAME, bits_allocated=1))
    yield "words_deflated", to_bytes(dataset(frames, DEFLATED_IMAGE_FRAME, table="basic"))
    planes = np.stack([_WORDS, _WORDS + 1, _WORDS + 2], axis=-1)
    yield (
        "planes_deflated",
        to_bytes(dataset(planes, DEFLATED_IMAGE_FRAME, samples_per_pixel=3, planar_configuration=1)),
    )
    yield "single_bit_native", to_bytes(dataset(np.stack([_BITS, 1 - _BITS]), bits_allocated=1))
