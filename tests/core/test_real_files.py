"""Real images: every value is that of pydicom, and of the manifest."""

from __future__ import annotations

import hashlib
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_modality_lut, get_decoder

import dicoxide
from support.real_images import Reference, manifest, pydicom_files, shared_files

OURS = {uid for uid, capability in dicoxide.capabilities().items() if capability.decoder == "dicoxide"}
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# What pydicom refuses and we read, and why we may.
WE_READ = {
    # PS3.5 G: packed bits are one segment of bytes; pydicom wants Bits Allocated to be a multiple of 8.
    "liver_rle.dcm",
    # No file meta: the encoding that the data set was read in is the transfer syntax.
    "OT-PAL-8-face.dcm",
}
# What neither reads, and what we say.
NOBODY_READS = {
    "MR_truncated.dcm": "8130 bytes found, 8192 expected",
    "badVR.dcm": "NumberOfFrames",
    "meta_missing_tsyntax.dcm": "is missing",
    "nested_priv_SQ.dcm": "is missing",
}


def read(path: Path) -> Any:
    """The data set, if it has pixel data in a transfer syntax of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(path, force=True)
        except Exception:
            return None
        if not any(keyword in ds for keyword in PIXELS):
            return None
        uid = getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", None)
        return ds if uid is None or uid in OURS else None


def rescaled(path: Path) -> bool:
    """Whether it is a monochrome image of ours with a rescale or a Modality LUT of its own."""
    ds = read(path)
    if ds is None or ds.get("SamplesPerPixel") != 1 or decoded_by_pydicom(ds) is None:
        return False
    return "RescaleSlope" in ds or "ModalityLUTSequence" in ds


def pydicom_has_a_decoder(ds: Any) -> bool:
    """Whether pydicom decodes the transfer syntax at all, for which it may need packages that are not here."""
    uid = getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", None)
    return uid is None or not uid.is_encapsulated or get_decoder(uid).is_available


def decoded_by_pydicom(ds: Any) -> Any:
    logging.disable(logging.CRITICAL)
    try:
        return ds.pixel_array
    except Exception:
        return None
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "path", [path for path in pydicom_files() + shared_files() if read(path) is not None], ids=lambda path: path.name
)
def test_decode_equals_pydicom(path: Path) -> None:
    ds = read(path)
    reference = decoded_by_pydicom(ds)
    if reference is None and path.name not in WE_READ and pydicom_has_a_decoder(ds):
        with pytest.raises(dicoxide.CorruptFrameError, match=NOBODY_READS[path.name]):
            dicoxide.decode(ds, fallback=False)
        return
    ours = dicoxide.decode(ds, fallback=False)
    assert ours.dtype.isnative
    if reference is None:
        # Others have said what the values are: the manifest has them.
        return
    assert path.name not in WE_READ
    assert ours.shape == reference.shape
    assert ours.dtype == reference.dtype.newbyteorder("=")
    assert np.array_equal(ours, reference, equal_nan=reference.dtype.kind == "f")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "path", [path for path in pydicom_files() + shared_files() if rescaled(path)], ids=lambda path: path.name
)
def test_rescale_equals_pydicom(path: Path) -> None:
    ds = pydicom.dcmread(path, force=True)
    try:
        values = apply_modality_lut(ds.pixel_array, ds)
    except TypeError:
        # A Modality LUT without a table.
        with pytest.raises(dicoxide.CorruptFrameError, match="Modality LUT"):
            dicoxide.decode(ds, rescale=True)
        return
    assert np.array_equal(dicoxide.decode(ds, rescale=True), values.astype(np.float32))
    assert np.array_equal(dicoxide.decode(ds, rescale=True, dtype="float64"), values)
    if np.array_equal(values, values.astype(np.int32)):
        assert np.array_equal(dicoxide.decode(ds, rescale=True, dtype="int32"), values)
    else:
        with pytest.raises(ValueError, match="not exact"):
            dicoxide.decode(ds, rescale=True, dtype="int32")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.path.name) for row in manifest() if row.uid in OURS]
    or [pytest.param(None, id="none", marks=pytest.mark.skip("the shared images are not there"))],
)
def test_decode_equals_manifest(row: Reference) -> None:
    stored = dicoxide.decode(row.path, raw=True, fallback=False)
    assert stored.shape == row.shape
    # References are raw values: colour as it is stored.
    little_endian = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
    assert hashlib.sha256(little_endian.tobytes()).hexdigest()[:32] == row.sha256


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "liver_1frame.dcm"])
def test_every_kind_of_source_gives_the_same(name: str) -> None:
    path = next(path for path in pydicom_files() if path.name == name)
    reference = pydicom.dcmread(path).pixel_array
    data = path.read_bytes()
    for src in (path, str(path), data, bytearray(data), memoryview(data)):
        assert np.array_equal(dicoxide.decode(src), reference)
    with path.open("rb") as file:
        assert np.array_equal(dicoxide.decode(file), reference)


def test_liver_rle_equals_the_same_object_as_native_bits(shared: Path) -> None:
    """The packed-bit RLE object is the native one, compressed."""
    folder = shared / "files" / "pydicom+pydicom-data" / "data_store" / "data"
    if not (folder / "liver_rle.dcm").is_file():
        pytest.skip("liver_rle.dcm is not among the shared images")
    assert np.array_equal(dicoxide.decode(folder / "liver_rle.dcm"), dicoxide.decode(folder / "liver.dcm"))
