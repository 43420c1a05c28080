"""Real images: every value equals that of pydicom and of the manifest."""

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
from pydicom.uid import HTJ2K, JPEG2000, JPEG2000TransferSyntaxes, JPEGBaseline8Bit, JPEGExtended12Bit, UID_dictionary

import dicoxide
from dicoxide.errors import NonConformantWarning
from support.real_images import Reference, manifest, pydicom_files, shared_files

# Decoders differ in the rounding of lossy JPEG and JPEG 2000; tests/codecs/test_jpeg_real_files.py compares with
# libjpeg-turbo, and test_jpeg2000_real_files.py with OpenJPEG.
LOSSY_UIDS = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEG2000, HTJ2K}
DECODED_UIDS = {
    uid
    for uid, capability in dicoxide.capabilities().items()
    if capability.decoder == "dicoxide" and uid not in LOSSY_UIDS
}
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# Files that dicoxide decodes and pydicom rejects, with the reason.
REJECTED_BY_PYDICOM = {
    # Bits Allocated 1 under RLE, here packed bits; pydicom 3.0 requires a multiple of 8.
    "liver_rle.dcm",
    # No file meta information: the encoding of the data set is the transfer syntax.
    "OT-PAL-8-face.dcm",
}
# Files that both reject, with the error message of dicoxide.
REJECTED = {
    "MR_truncated.dcm": "8130 bytes found, 8192 expected",
    "badVR.dcm": "NumberOfFrames",
    "meta_missing_tsyntax.dcm": "is missing",
    "nested_priv_SQ.dcm": "is missing",
}


def read(path: Path) -> Any:
    """Read the data set; None if it has no pixel data in a transfer syntax that dicoxide decodes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(path, force=True)
        except Exception:
            return None
        if not any(keyword in ds for keyword in PIXELS):
            return None
        uid = getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", None)
        return ds if uid is None or uid in DECODED_UIDS else None


def has_rescale(path: Path) -> bool:
    """Return True for a decodable monochrome image with a rescale or a Modality LUT."""
    ds = read(path)
    if ds is None or ds.get("SamplesPerPixel") != 1 or decoded_by_pydicom(ds) is None:
        return False
    return "RescaleSlope" in ds or "ModalityLUTSequence" in ds


def pydicom_has_a_decoder(ds: Any) -> bool:
    """Return True if pydicom decodes the transfer syntax with the packages that are installed.

    Its plugin for Pillow does not count for JPEG 2000: it refuses some images, and shifts samples whose sign is not
    that of Pixel Representation.
    """
    uid = getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", None)
    if uid is not None and uid not in UID_dictionary:
        return False
    if uid is None or not uid.is_encapsulated:
        return True
    return bool({*get_decoder(uid).available_plugins} - ({"pillow"} if uid in JPEG2000TransferSyntaxes else set()))


def decoded_by_pydicom(ds: Any) -> Any:
    """Return the samples; None if pydicom rejects the image or has no decoder for it."""
    if not pydicom_has_a_decoder(ds):
        return None
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
def test_decode_of_real_file_equals_pydicom(path: Path) -> None:
    ds = read(path)
    reference = decoded_by_pydicom(ds)
    if reference is None and path.name not in REJECTED_BY_PYDICOM and pydicom_has_a_decoder(ds):
        with pytest.raises(dicoxide.CorruptFrameError, match=REJECTED[path.name]):
            dicoxide.decode(ds, fallback=False)
        return
    decoded = dicoxide.decode(ds, fallback=False)
    assert decoded.dtype.isnative
    if reference is None:
        # The manifest has the values, from other decoders.
        return
    assert path.name not in REJECTED_BY_PYDICOM
    assert decoded.shape == reference.shape
    assert decoded.dtype == reference.dtype.newbyteorder("=")
    assert np.array_equal(decoded, reference, equal_nan=reference.dtype.kind == "f")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "path", [path for path in pydicom_files() + shared_files() if has_rescale(path)], ids=lambda path: path.name
)
def test_rescale_of_real_file_equals_pydicom(path: Path) -> None:
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
    [pytest.param(row, id=row.path.name) for row in manifest() if row.uid in DECODED_UIDS]
    or [pytest.param(None, id="none", marks=pytest.mark.skip("the shared images are not available"))],
)
def test_decode_of_shared_file_equals_the_manifest(row: Reference) -> None:
    stored = dicoxide.decode(row.path, raw=True, fallback=False)
    assert stored.shape == row.shape
    # References are raw values: colour is not converted.
    little_endian = stored.astype(stored.dtype.newbyteorder("<"), copy=False)
    assert hashlib.sha256(little_endian.tobytes()).hexdigest()[:32] == row.sha256


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "liver_1frame.dcm"])
def test_decode_of_every_source_type_gives_equal_values(name: str) -> None:
    path = next(path for path in pydicom_files() if path.name == name)
    reference = pydicom.dcmread(path).pixel_array
    data = path.read_bytes()
    for src in (path, str(path), data, bytearray(data), memoryview(data)):
        assert np.array_equal(dicoxide.decode(src), reference)
    with path.open("rb") as file:
        assert np.array_equal(dicoxide.decode(file), reference)


def test_rle_of_packed_bits_equals_the_native_object(shared: Path) -> None:
    """Decode a packed-bit RLE object and the native object that it was made from."""
    folder = shared / "files" / "pydicom+pydicom-data" / "data_store" / "data"
    if not (folder / "liver_rle.dcm").is_file():
        pytest.skip("liver_rle.dcm is not among the shared images")
    with pytest.warns(NonConformantWarning, match="packed bits"):
        decoded = dicoxide.decode(folder / "liver_rle.dcm")
    assert np.array_equal(decoded, dicoxide.decode(folder / "liver.dcm"))
