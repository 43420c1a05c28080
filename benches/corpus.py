"""Frames to measure: real RLE frames of the shared corpus or of the pydicom package, and generated ones."""

from __future__ import annotations

import csv
import hashlib
import os
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import RLELossless

import generated_datasets
from dicoxide.bench import cases_from_paths
from dicoxide.bench._decoders import LoadedCase

Array = npt.NDArray[Any]

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("DICOXIDE_SHARED", ROOT.parent / "shared")) / "data"
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_LARGE_BYTES = 256 << 10


@dataclass(frozen=True, eq=False)
class Frame:
    """One compressed frame with its samples."""

    name: str
    src: bytes
    reference: Array
    """(rows, columns[, samples]) of unsigned integers."""
    transfer_syntax: str
    bits_stored: int

    @cached_property
    def dataset(self) -> Dataset:
        """A data set with this frame alone, without attributes that cause further processing."""
        is_colour = self.reference.ndim == 3
        ds = generated_datasets.dataset(self.reference[None, ..., 0] if is_colour else self.reference[None])
        if is_colour:
            ds.SamplesPerPixel, ds.PlanarConfiguration, ds.PhotometricInterpretation = 3, 0, "RGB"
        ds.BitsStored, ds.HighBit = self.bits_stored, self.bits_stored - 1
        ds.file_meta.TransferSyntaxUID = self.transfer_syntax
        ds.PixelData = encapsulate([self.src])
        ds["PixelData"].VR = "OB"
        del ds.RescaleSlope, ds.RescaleIntercept, ds.NumberOfFrames
        return ds

    @cached_property
    def loaded(self) -> LoadedCase:
        """The data set as a file, for the decoders of `dicoxide.bench`."""
        folder = Path(_folder().name)
        path = folder / f"{len(list(folder.iterdir()))}.dcm"
        self.dataset.save_as(path, enforce_file_format=True)
        (case,), _ = cases_from_paths([str(path)])
        return LoadedCase(case)


@dataclass(frozen=True, eq=False)
class RleFrame(Frame):
    """The first frame of a file, or a generated frame."""

    is_real: bool = True

    def is_large(self) -> bool:
        """True if the decoded frame has at least 256 KiB."""
        return self.reference.nbytes >= _LARGE_BYTES


def rle_frame(name: str, src: bytes, reference: Array, *, is_real: bool = True) -> RleFrame:
    """Return an RLE frame with Bits Stored equal to Bits Allocated."""
    return RleFrame(name, src, reference, RLELossless, reference.itemsize * 8, is_real)


@cache
def rle_frames() -> tuple[RleFrame, ...]:
    """Return the first frame of every available RLE file, largest first; also generated ones if none is large.

    The reference is the result of pydicom's own decoder. If the manifest has a checksum, on which at least two decoders
    agree, the reference must match it.
    """
    rows = manifest()
    paths = {SHARED / row["path"]: row["sha256"] for row in rows if row["uid"] == RLELossless and row["sha256"]}
    paths = paths or dict.fromkeys(sorted(PYDICOM_FILES.glob("*[rR][lL][eE]*.dcm")), "")
    frames = [_read_frame(path, sha256) for path, sha256 in paths.items()]
    if not any(frame.is_large() for frame in frames):
        for side in (512, 1024):
            samples = generated_datasets.ct_frames(1, side, side)[0]
            src = generated_datasets.rle_frame(samples)
            frames.append(rle_frame(f"generated {side}", src, samples, is_real=False))
    return tuple(sorted(frames, key=lambda frame: -frame.reference.nbytes))


def manifest() -> list[dict[str, str]]:
    """Return the rows of the table of real images; an empty list if there is no shared corpus."""
    table = SHARED / "MANIFEST.csv"
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def read_dataset(path: Path) -> Dataset:
    """Read a file without warnings: some real files are not conformant."""
    with warnings.catch_warnings(action="ignore"):
        return pydicom.dcmread(path, force=True)


def checksum(values: Array, digit_count: int) -> str:
    """Return the first digits of the SHA-256 of the little-endian values, as in the manifest."""
    little_endian = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return hashlib.sha256(little_endian.tobytes()).hexdigest()[:digit_count]


def _read_frame(path: Path, sha256: str) -> RleFrame:
    ds = pydicom.dcmread(path)
    samples = pixel_array(ds, raw=True, decoding_plugin="pydicom")
    if sha256 and checksum(samples, len(sha256)) != sha256:
        raise AssertionError(f"{path.name}: the reference does not match the manifest")
    frame_count = int(ds.get("NumberOfFrames") or 1)
    reference = np.ascontiguousarray(samples if frame_count == 1 else samples[0])
    src = next(iter(generate_frames(ds.PixelData, number_of_frames=frame_count)))
    return rle_frame(path.name, bytes(src), reference.view(f"u{reference.itemsize}"))


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is deleted when the process ends."""
    return tempfile.TemporaryDirectory()
