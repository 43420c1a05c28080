"""Data sets of generated images, for sizes and kinds that no available file has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEGLossless, RLELossless, generate_uid

from dicoxide.bench._images import ct as ct_frames

__all__ = ["ct_frames", "dataset", "jpeg_lossless_12", "jpeg_lossless_frame", "rle_frame", "rle_segment"]

Array = npt.NDArray[Any]


def rle_frame(frame: Array) -> bytes:
    """Encode (rows, columns[, samples]) as an RLE Lossless frame (PS3.5 Annex G), most significant bytes first."""
    itemsize = frame.dtype.itemsize
    samples = frame.reshape(*frame.shape[:2], -1)
    big_endian = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder(">"))).view(np.uint8)
    big_endian = big_endian.reshape(*samples.shape, itemsize)
    segments = [
        rle_segment(big_endian[:, :, sample, byte]) for sample in range(samples.shape[2]) for byte in range(itemsize)
    ]
    offsets = 64 + np.cumsum([0, *map(len, segments[:-1])])
    header = np.zeros(16, "<u4")
    header[0] = len(segments)
    header[1 : 1 + len(segments)] = offsets
    return header.tobytes() + b"".join(segments)


def rle_segment(plane: Array) -> bytes:
    """Encode a byte plane (rows, columns) as an RLE segment: replicate runs of at least 3 bytes, no run across rows
    (PS3.5 G.3.1).
    """
    rows, columns = plane.shape
    flat = plane.reshape(-1)
    is_start = np.ones((rows, columns), bool)
    is_start[:, 1:] = plane[:, 1:] != plane[:, :-1]
    starts = np.flatnonzero(is_start)
    lengths = np.diff(starts, append=flat.size)
    replicates = lengths >= 3
    # Adjacent short runs of a row become one literal run.
    joins = np.zeros(starts.size, bool)
    joins[1:] = ~replicates[1:] & ~replicates[:-1] & (starts[1:] % columns != 0)
    starts, replicates = starts[~joins], replicates[~joins]
    lengths = np.diff(starts, append=flat.size)
    # Runs longer than 128 bytes are split.
    piece_counts = -(-lengths // 128)
    piece_indices = np.arange(piece_counts.sum()) - np.repeat(np.cumsum(piece_counts) - piece_counts, piece_counts)
    starts = np.repeat(starts, piece_counts) + 128 * piece_indices
    lengths = np.minimum(128, np.repeat(lengths, piece_counts) - 128 * piece_indices)
    replicates = np.repeat(replicates, piece_counts)
    sizes = np.where(replicates, 2, 1 + lengths)
    offsets = np.cumsum(sizes) - sizes
    # Segments have an even number of bytes (PS3.5 G.3.2).
    total = int(sizes.sum())
    packed = np.zeros(total + total % 2, np.uint8)
    packed[offsets] = np.where(replicates, 257 - lengths, lengths - 1).astype(np.uint8)
    packed[offsets[replicates] + 1] = flat[starts[replicates]]
    literal_starts, literal_lengths = starts[~replicates], lengths[~replicates]
    ramp = np.arange(literal_lengths.sum()) - np.repeat(np.cumsum(literal_lengths) - literal_lengths, literal_lengths)
    packed[np.repeat(offsets[~replicates] + 1, literal_lengths) + ramp] = flat[
        np.repeat(literal_starts, literal_lengths) + ramp
    ]
    return packed.tobytes()


def jpeg_lossless_frame(frame: Array, precision: int, selection_value: int = 1) -> bytes:
    """Encode (rows, columns[, 3]) with libjpeg-turbo: optimal Huffman tables, no colour transform."""
    from imagecodecs import jpeg8_encode

    return jpeg8_encode(frame, lossless=True, predictor=selection_value, bitspersample=precision)


def jpeg_lossless_12(frame: Array) -> bytes:
    """Encode 12-bit samples with predictor 1."""
    return jpeg_lossless_frame(frame, 12)


def dataset(
    frames: Array,
    *,
    rle: bool = False,
    jpeg_lossless: Callable[[Array], bytes] | None = None,
    bits_stored: int | None = None,
) -> Dataset:
    """Return a CT data set of (frames, rows, columns): native, RLE, or encoded frame by frame with `jpeg_lossless`.

    Boolean frames are stored with Bits Allocated 1.
    """
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = RLELossless if rle else JPEGLossless if jpeg_lossless else ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.Modality = "CT"
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = 1 if frames.dtype == bool else frames.dtype.itemsize * 8
    ds.BitsStored = bits_stored or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(frames.dtype.kind == "i")
    ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    encode = rle_frame if rle else jpeg_lossless
    if encode:
        ds.PixelData = encapsulate([encode(frame) for frame in frames])
        ds["PixelData"].VR = "OB"
    else:
        packed = np.packbits(frames, bitorder="little") if frames.dtype == bool else frames
        value = packed.tobytes()
        ds.PixelData = value + b"\0" * (len(value) % 2)
        ds["PixelData"].VR = "OW"
    return ds
