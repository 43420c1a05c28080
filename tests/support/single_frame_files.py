"""Part 10 files of one 12-bit frame, for tests of `decode_many`."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGLossless, RLELossless

import dicoxide


def image(frame: np.ndarray, uid: str = ExplicitVRLittleEndian, **attributes: Any) -> bytes:
    """Return the bytes of a file with one 12-bit frame."""
    ds = Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.Rows, ds.Columns = frame.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    if uid == ExplicitVRLittleEndian:
        ds.PixelData = frame.astype("<u2").tobytes()
        ds["PixelData"].VR = "OW"
    else:
        encode = {JPEGLossless: lambda: dicoxide.jpeg_lossless_encode(frame, precision=12)}
        encode[RLELossless] = lambda: dicoxide.rle_encode(frame)
        ds.PixelData = encapsulate([encode[uid]()])
        ds["PixelData"].VR = "OB"
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def frames(count: int, rows: int = 48, columns: int = 64) -> np.ndarray:
    random = np.random.default_rng(count)
    ramp = np.add.outer(np.arange(rows), np.arange(columns))
    return (ramp[None] + random.integers(0, 8, (count, rows, columns))).astype(np.uint16)
