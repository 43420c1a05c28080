"""Synthetic data sets for tests of rendering, and the comparison of both sources."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

import dicoxide

Array = npt.NDArray[Any]


def make_dataset(
    stored: Array,
    *,
    frames: int | None = None,
    samples: int = 1,
    bits_stored: int | None = None,
    photometric: str | None = None,
    syntax: UID = ExplicitVRLittleEndian,
    **attributes: Any,
) -> Dataset:
    """Return a native image of `stored`, ([frames,] rows, columns[, samples]), with more attributes by keyword."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["rendering"])
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
    is_float = stored.dtype.kind == "f"
    shape = stored.shape[1:] if frames is not None else stored.shape
    if frames is not None:
        dataset.NumberOfFrames = frames
    dataset.Rows, dataset.Columns = shape[:2]
    dataset.SamplesPerPixel = samples
    if samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric or ("RGB" if samples == 3 else "MONOCHROME2")
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    if not is_float:
        dataset.BitsStored = bits_stored or dataset.BitsAllocated
        dataset.HighBit = dataset.BitsStored - 1
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    byte_order = ">" if syntax == ExplicitVRBigEndian else "<"
    data = stored.astype(stored.dtype.newbyteorder(byte_order)).tobytes()
    if is_float:
        setattr(dataset, "FloatPixelData" if stored.dtype.itemsize == 4 else "DoubleFloatPixelData", data)
    else:
        dataset.PixelData = data + b"\0" * (len(data) % 2)
        dataset["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    return dataset


def file_bytes(dataset: Dataset) -> bytes:
    """Return a data set as a file."""
    file = io.BytesIO()
    syntax = dataset.file_meta.TransferSyntaxUID
    pydicom.dcmwrite(
        file,
        dataset,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
        enforce_file_format=True,
    )
    return file.getvalue()


def render_both(dataset: Dataset, **options: Any) -> Array:
    """Return the rendered data set, after a comparison with the rendered file."""
    rendered = dicoxide.render(dataset, **options)
    from_file = dicoxide.render(file_bytes(dataset), **options)
    assert rendered.dtype == from_file.dtype
    np.testing.assert_array_equal(rendered, from_file)
    return rendered


def item(**attributes: Any) -> Dataset:
    """Return an item of a sequence."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def lut_item(first_mapped: int, entries: Array, bits: int, *, vr: str = "US", explanation: str = "") -> Dataset:
    """Return an item of a VOI LUT Sequence with words; the VR of the descriptor is `vr`."""
    dataset = Dataset()
    dataset.add_new("LUTDescriptor", vr, [len(entries) & 0xFFFF, first_mapped, bits])
    if explanation:
        dataset.LUTExplanation = explanation
    dataset.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return dataset
