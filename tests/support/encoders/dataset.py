"""pydicom Datasets and Part 10 files of arrays."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGLossless,
    JPEGLosslessSV1,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from support.encoders import encapsulate, jpeg_lossless, native, rle

Array = npt.NDArray[Any]

IMPLICIT_VR = "1.2.840.10008.1.2"
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_IMAGE_FRAME = "1.2.840.10008.1.2.8.1"


# Encapsulated transfer syntaxes that `dataset` encodes.
_ENCODED = (RLELossless, ENCAPSULATED_UNCOMPRESSED, DEFLATED_IMAGE_FRAME, JPEGLossless, JPEGLosslessSV1)


def _four_axes(array: Array, samples_per_pixel: int) -> Array:
    """Return an array with or without frame and sample axes as (frames, rows, columns, samples)."""
    if samples_per_pixel == 1:
        array = array[..., None]
    return array if array.ndim == 4 else array[None]


def dataset(
    array: Array,
    transfer_syntax: str = ExplicitVRLittleEndian,
    *,
    samples_per_pixel: int = 1,
    bits_allocated: int | None = None,
    bits_stored: int | None = None,
    high_bit: int | None = None,
    planar_configuration: int = 0,
    photometric_interpretation: str | None = None,
    number_of_frames: int | None = None,
    ow: bool | None = None,
    garbage: Array | None = None,
    table: str = "none",
    fragments: int = 1,
    style: str = "greedy",
    coded: list[bytes] | None = None,
    attributes: dict[str, Any] | None = None,
) -> Dataset:
    """Return a Secondary Capture of ``array``: (rows, columns[, samples]) or (frames, rows, columns[, samples]).

    Integers are Pixel Data, signed ones with Pixel Representation 1; floats are Float or Double Float Pixel Data.
    ``coded`` are encoded frames; ``attributes`` are set last, by keyword.
    """
    frames = _four_axes(array, samples_per_pixel)
    allocated = array.dtype.itemsize * 8 if bits_allocated is None else bits_allocated
    stored = allocated if bits_stored is None else bits_stored
    is_float = array.dtype.kind == "f"
    colour = photometric_interpretation or ("RGB" if samples_per_pixel == 3 else "MONOCHROME2")
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID
    ds.SamplesPerPixel = samples_per_pixel
    ds.PhotometricInterpretation = colour
    if samples_per_pixel > 1:
        ds.PlanarConfiguration = planar_configuration
    if number_of_frames is not None or len(frames) > 1:
        ds.NumberOfFrames = len(frames) if number_of_frames is None else number_of_frames
    ds.Rows, ds.Columns = frames.shape[1:3]
    ds.BitsAllocated = allocated
    if not is_float:
        ds.BitsStored = stored
        ds.HighBit = stored - 1 if high_bit is None else high_bit
        ds.PixelRepresentation = int(array.dtype.kind == "i")
    _set_pixels(
        ds,
        frames,
        ybr_422=colour == "YBR_FULL_422",
        ow=ow,
        garbage=garbage,
        table=table,
        fragments=fragments,
        style=style,
        coded=coded,
    )
    for keyword, value in (attributes or {}).items():
        setattr(ds, keyword, value)
    return ds


def _set_pixels(
    ds: Dataset,
    frames: Array,
    *,
    ybr_422: bool,
    ow: bool | None,
    garbage: Array | None,
    table: str,
    fragments: int,
    style: str,
    coded: list[bytes] | None,
) -> None:
    uid, allocated = ds.file_meta.TransferSyntaxUID, ds.BitsAllocated
    layout = {
        "bits_stored": ds.get("BitsStored"),
        "high_bit": ds.get("HighBit"),
        "planar_configuration": ds.get("PlanarConfiguration", 0),
        "ybr_422": ybr_422,
    }
    if coded is not None or uid in _ENCODED:
        if coded is not None:
            pass
        elif uid in (JPEGLossless, JPEGLosslessSV1):
            stored = native.cells(frames, allocated, ds.BitsStored, ds.HighBit, garbage).astype(np.int64)
            # With garbage, the bits around the stored ones are encoded too.
            precision = allocated if garbage is not None else max(2, ds.HighBit + 1)
            coded = [jpeg_lossless.encode(frame, precision=precision) for frame in stored]
        elif uid == RLELossless:
            stored = native.cells(frames, allocated, ds.BitsStored, ds.HighBit, garbage)
            coded = [rle.encode(frame, allocated, style) for frame in stored.astype(f"u{max(1, allocated // 8)}")]
        else:
            around = [None] * len(frames) if garbage is None else [noise[None] for noise in garbage]
            coded = [
                native.encode(frame[None], allocated, garbage=noise, pad=False, **layout)
                for frame, noise in zip(frames, around, strict=True)
            ]
            if uid == DEFLATED_IMAGE_FRAME:
                coded = [zlib.compress(frame, wbits=-15) for frame in coded]
        whole = encapsulate.encapsulate(coded, table=table, fragments=fragments)
        ds.PixelData = whole.value
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        if whole.extended:
            ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = whole.extended
        return
    big_endian = uid == ExplicitVRBigEndian
    # PS3.5 A.1, A.2: OW in implicit VR, and if Bits Allocated is greater than 8.
    as_words = (uid == IMPLICIT_VR or allocated > 8 or allocated == 1) if ow is None else ow
    value = native.encode(
        frames,
        allocated,
        big_endian=big_endian,
        ow=as_words,
        garbage=garbage,
        **layout,
    )
    if frames.dtype.kind == "f":
        keyword = "FloatPixelData" if frames.dtype.itemsize == 4 else "DoubleFloatPixelData"
        setattr(ds, keyword, value)
    else:
        ds.PixelData = value
        ds["PixelData"].VR = "OW" if as_words else "OB"


def to_bytes(ds: Dataset) -> bytes:
    """Return ``ds`` as a Part 10 file."""
    buffer = io.BytesIO()
    uid = ds.file_meta.TransferSyntaxUID
    if uid.is_transfer_syntax:
        ds.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()
    # pydicom 3.0 does not write data sets of transfer syntaxes that it does not know.
    ds.file_meta.TransferSyntaxUID = RLELossless
    try:
        ds.save_as(buffer, enforce_file_format=True)
    finally:
        ds.file_meta.TransferSyntaxUID = uid
    return declared_as(uid, buffer.getvalue(), RLELossless)


def declared_as(uid: str, data: bytes, current: str = ExplicitVRLittleEndian) -> bytes:
    """Return a file of transfer syntax ``current`` that declares another one; its data set stays as it is."""
    old, new = (value + b"\0" * (len(value) % 2) for value in (current.encode(), uid.encode()))
    (group_length,) = struct.unpack_from("<L", data, 140)
    data = data[:140] + struct.pack("<L", group_length + len(new) - len(old)) + data[144:]
    header = b"\2\0\x10\0UI"
    return data.replace(header + struct.pack("<H", len(old)) + old, header + struct.pack("<H", len(new)) + new)


def frames_of(ds: Dataset) -> dict[str, Any]:
    """Return the arguments of ``Frames`` for ``ds``."""
    keyword = next(k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in ds)
    uid = ds.file_meta.TransferSyntaxUID
    is_float = keyword != "PixelData"
    extended = None
    if "ExtendedOffsetTable" in ds:
        extended = (ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths)
    return {
        "transfer_syntax": str(uid),
        "value": bytes(ds[keyword].value),
        "rows": ds.Rows,
        "columns": ds.Columns,
        "samples_per_pixel": ds.SamplesPerPixel,
        "bits_allocated": ds.BitsAllocated,
        "bits_stored": ds.BitsAllocated if is_float else ds.BitsStored,
        "high_bit": ds.BitsAllocated - 1 if is_float else ds.HighBit,
        "pixel_representation": 0 if is_float else ds.PixelRepresentation,
        "planar_configuration": ds.get("PlanarConfiguration", 0),
        "photometric_interpretation": ds.PhotometricInterpretation,
        "pixel_keyword": keyword,
        "number_of_frames": ds.get("NumberOfFrames"),
        "extended_offsets": extended,
        "word_swapped": bool(uid == ExplicitVRBigEndian and ds.BitsAllocated <= 8 and ds[keyword].VR == "OW"),
    }


def limits(bits_stored: int, signed: bool) -> tuple[int, int]:
    """Return the minimum and the maximum stored value."""
    return (-(1 << bits_stored - 1), (1 << bits_stored - 1) - 1) if signed else (0, (1 << bits_stored) - 1)


def random_values(rng: np.random.Generator, shape: tuple[int, ...], bits_stored: int, dtype: npt.DTypeLike) -> Array:
    """Return stored values with runs and with both ends of their range."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    minimum, maximum = limits(bits_stored, dtype.kind == "i")
    run_values = rng.integers(minimum, maximum, 5, dtype=dtype, endpoint=True)
    run_values[:2] = minimum, maximum
    noise = rng.integers(minimum, maximum, shape, dtype=dtype, endpoint=True)
    return np.where(rng.random(shape) < 0.4, noise, np.sort(rng.choice(run_values, shape), axis=None).reshape(shape))
