"""Data sets with Real World Value Mapping Sequences (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

from support.encoders.dataset import to_bytes


def code(value: str, meaning: str, scheme: str = "UCUM") -> Dataset:
    """Return an item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def value_map(
    first: float | None,
    last: float | None,
    slope: float | None = None,
    intercept: float | None = None,
    *,
    entries: Any = None,
    label: str = "ADC",
    units: tuple[str, str] | None = ("um2/s", "square micrometre per second"),
    quantity: tuple[str, str] | None = None,
    end_vr: str = "US",
) -> Dataset:
    """Return a map; `end_vr` is US, SS, or FD for the Double Float attributes."""
    item = Dataset()
    item.LUTExplanation, item.LUTLabel = "explanation", label
    if units is not None:
        item.MeasurementUnitsCodeSequence = Sequence([code(*units)])
    if quantity is not None:
        definition = Dataset()
        definition.ValueType = "CODE"
        definition.ConceptNameCodeSequence = Sequence([code("246205007", "Quantity", "SCT")])
        definition.ConceptCodeSequence = Sequence([code(*quantity, "DCM")])
        item.QuantityDefinitionSequence = Sequence([definition])
    if first is not None:
        item.add_new(0x00409214 if end_vr == "FD" else 0x00409216, end_vr, first)
    if last is not None:
        item.add_new(0x00409213 if end_vr == "FD" else 0x00409211, end_vr, last)
    if slope is not None:
        item.add_new(0x00409225, "FD", slope)
    if intercept is not None:
        item.add_new(0x00409224, "FD", intercept)
    if entries is not None:
        item.add_new(0x00409212, "FD", [float(entry) for entry in entries])
    return item


def group(*maps: Dataset) -> Dataset:
    """Return an item of a functional groups sequence; without maps it has no mapping."""
    item = Dataset()
    if maps:
        item.RealWorldValueMappingSequence = Sequence(maps)
    return item


def image(
    stored: np.ndarray,
    *maps: Dataset,
    shared: list[Dataset] | None = None,
    per_frame: list[list[Dataset]] | None = None,
    uid: str = ExplicitVRLittleEndian,
) -> Dataset:
    """Return a data set of stored values (rows, columns) or (frames, rows, columns); floats are Float Pixel Data."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality, ds.SeriesInstanceUID, ds.StudyInstanceUID = "MR", generate_uid(), generate_uid()
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = stored.dtype.itemsize * 8
    order = ">" if uid == ExplicitVRBigEndian else "<"
    data = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    if stored.dtype.kind == "f":
        keyword = "FloatPixelData" if stored.dtype.itemsize == 4 else "DoubleFloatPixelData"
        setattr(ds, keyword, data)
    else:
        ds.BitsStored, ds.HighBit = ds.BitsAllocated, ds.BitsAllocated - 1
        ds.PixelRepresentation = int(stored.dtype.kind == "i")
        ds.PixelData = data
        ds["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    if stored.ndim == 3:
        ds.NumberOfFrames = len(stored)
    if maps:
        ds.RealWorldValueMappingSequence = Sequence(maps)
    if shared is not None:
        ds.SharedFunctionalGroupsSequence = Sequence([group(*shared)])
    if per_frame is not None:
        ds.PerFrameFunctionalGroupsSequence = Sequence([group(*frame_maps) for frame_maps in per_frame])
    return ds


def file_bytes(ds: Dataset) -> bytes:
    """Return a data set as a file."""
    with warnings.catch_warnings():
        # In explicit VR, values of more than 64 KiB are written with VR UN.
        warnings.filterwarnings("ignore", "The value for the data element .* exceeds the size of 64 kByte")
        return to_bytes(ds)
