"""Files of other formats: an error of kind NotDicom that names the format, from every entry point (PS3.10 7.1)."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide._sources import looks_like_dicom
from support.real_images import pydicom_files

CT = next(path for path in pydicom_files() if path.name == "CT_small.dcm").read_bytes()


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.dcm", CT)
    return stream.getvalue()


def _nifti(magic: bytes, byte_order: str = "little") -> bytes:
    header_bytes = 540 if magic.startswith(b"n+2") else 348
    head = bytearray(header_bytes + 4)
    head[:4] = header_bytes.to_bytes(4, byte_order)  # type: ignore[arg-type]
    offset = 4 if header_bytes == 540 else 344
    head[offset : offset + len(magic)] = magic
    return bytes(head)


FORMATS: dict[str, tuple[bytes, str]] = {
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(300), "looks like PNG"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(300), "looks like JPEG"),
    "gzip": (gzip.compress(CT), "looks like gzip"),
    "zip": (_zip(), "looks like ZIP"),
    "zip-empty": (b"PK\x05\x06" + bytes(18), "looks like ZIP"),
    "nifti-1": (_nifti(b"n+1\0"), "looks like NIfTI"),
    "nifti-1-big": (_nifti(b"ni1\0", "big"), "looks like NIfTI"),
    "nifti-2": (_nifti(b"n+2\0\r\n\x1a\n"), "looks like NIfTI"),
    "html": (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><head><title>404</title>", "looks like HTML"),
    "html-upper": (b"<HTML>\n" + b" " * 200, "looks like HTML"),
    "xhtml": (b'<?xml version="1.0"?>\n<html xmlns="x">', "looks like HTML"),
    "xml": (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "looks like XML"),
    "json": (json.dumps({"00080005": {"vr": "CS"}}).encode(), "looks like JSON"),
    "json-array": (b'[\n {"a": 1}]', "looks like JSON"),
    "tiff": (b"II*\0" + bytes(200), "looks like TIFF"),
    "empty": (b"", "empty"),
    "text": (b"not an image", "starts with 6e 6f 74 20 61 6e 20 69"),
    "one-byte": (b"\0", "starts with 00"),
    "zeros": (bytes(4096), "starts with 00 00 00 00 00 00 00 00"),
    "counting": (bytes(range(256)) * 8, "starts with 00 01 02 03 04 05 06 07"),
}


@pytest.fixture(params=FORMATS)
def sample(request: pytest.FixtureRequest) -> tuple[bytes, str]:
    return FORMATS[request.param]


def _assert_not_dicom(error: BaseException, expected: str) -> None:
    assert isinstance(error, dicoxide.CorruptFrameError)
    assert (error.kind, error.clause) == ("NotDicom", "PS3.10 7.1")
    assert str(error) == f"not a DICOM file ({expected}) (PS3.10 7.1)"


@pytest.mark.parametrize("function", [dicoxide.decode, dicoxide.open, dicoxide.iter_frames], ids=lambda f: f.__name__)
def test_other_format_of_every_source_is_not_dicom(sample: tuple[bytes, str], function: Any, tmp_path: Path) -> None:
    data, expected = sample
    path = tmp_path / "file.dcm"
    path.write_bytes(data)
    with path.open("rb") as file:
        for source in (data, bytearray(data), path, str(path), io.BytesIO(data), file):
            with pytest.raises(dicoxide.CorruptFrameError) as raised:
                function(source)
            _assert_not_dicom(raised.value, expected)


def test_decode_many_other_format_is_not_dicom(sample: tuple[bytes, str], tmp_path: Path) -> None:
    data, expected = sample
    path = tmp_path / "file.dcm"
    path.write_bytes(data)
    sources = [data, CT, path, io.BytesIO(data)]
    results = list(dicoxide.decode_many(sources, on_error="return"))
    assert [source for source, _ in results] == sources
    for _, result in (results[0], *results[2:]):
        _assert_not_dicom(result, expected)
    np.testing.assert_array_equal(results[1][1], dicoxide.decode(CT))
    with pytest.raises(dicoxide.CorruptFrameError, match="not a DICOM file"):
        list(dicoxide.decode_many(sources))


def test_read_series_other_format_is_skipped(sample: tuple[bytes, str], tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(sample[0])
    (tmp_path / "ct.dcm").write_bytes(CT)
    volumes = dicoxide.read_series(tmp_path)
    assert len(volumes) == 1
    assert volumes.skipped == {"not DICOM": [str(tmp_path / "other")]}
    assert volumes.errors == []


def test_without_preamble_dicom_is_decoded_and_its_errors_stay(tmp_path: Path) -> None:
    bare = CT[132:]
    np.testing.assert_array_equal(dicoxide.decode(bare), dicoxide.decode(CT))
    # From the first element of the data set on: no file meta information, group 0008.
    data_set = CT[CT.index(b"\x08\x00\x05\x00CS") :]
    np.testing.assert_array_equal(dicoxide.decode(data_set), dicoxide.decode(CT))
    pixel_data = data_set.index(b"\xe0\x7f\x10\x00")
    for broken, kind in ((data_set[:pixel_data], "NoImage"), (CT[:pixel_data], "NoImage")):
        with pytest.raises(dicoxide.CorruptFrameError) as raised:
            dicoxide.decode(broken)
        assert raised.value.kind == kind
    # Group 0028 first, Rows missing: there is a pixel data element, so the file is DICOM.
    image_pixel = data_set[data_set.index(b"\x28\x00\x02\x00") :].replace(b"\x28\x00\x10\x00US", b"\x28\x00\x0f\x00US")
    with pytest.raises(dicoxide.CorruptFrameError, match="Rows"):
        dicoxide.decode(image_pixel)


def test_looks_like_dicom_any_first_group_with_a_vr() -> None:
    for group in (2, 8, 0x10, 0x18, 0x20, 0x28):
        for byte_order in ("little", "big"):
            tag = group.to_bytes(2, byte_order) + (16).to_bytes(2, byte_order)  # type: ignore[arg-type]
            assert looks_like_dicom(tag + b"US\x02\0\0\0", 10), (group, byte_order)
    assert not looks_like_dicom(b"\x30\0\x10\0US\x02\0\0\0", 10)
