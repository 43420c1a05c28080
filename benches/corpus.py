"""Frames to measure on: real ones of RLE, of the manifest or of the pydicom package, and generated ones."""

from __future__ import annotations

import csv
import hashlib
import os
import tempfile
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

import generated
from dicoxide.bench._cases import cases_from_paths
from dicoxide.bench._decoders import LoadedCase

Array = npt.NDArray[Any]

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("DICOXIDE_SHARED", ROOT.parent / "shared")) / "data"
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@dataclass(frozen=True, eq=False)
class Frame:
    """One compressed frame and what it holds."""

    name: str
    src: bytes
    reference: Array
    """(rows, columns[, samples]) of unsigned integers."""
    transfer_syntax: str
    bits_stored: int

    @cached_property
    def dataset(self) -> Dataset:
        """A data set of this frame alone, with nothing in it that asks for more than decoding."""
        is_colour = self.reference.ndim == 3
        ds = generated.dataset(self.reference[None, ..., 0] if is_colour else self.reference[None])
        if is_colour:
            ds.SamplesPerPixel, ds.PlanarConfiguration, ds.PhotometricInterpretation = 3, 0, "RGB"
        ds.BitsStored, ds.HighBit = self.bits_stored, self.bits_stored - 1
        ds.file_meta.TransferSyntaxUID = self.transfer_syntax
        ds.PixelData = encapsulate([self.src])
        ds["PixelData"].VR = "OB"
        del ds.RescaleSlope, ds.RescaleIntercept, ds.NumberOfFrames
        return ds

    @cached_property
    def opened(self) -> LoadedCase:
        """The same as a file, for adapters of decoders."""
        folder = Path(_folder().name)
        path = folder / f"{len(list(folder.iterdir()))}.dcm"
        self.dataset.save_as(path, enforce_file_format=True)
        (case,), _ = cases_from_paths([str(path)])
        return LoadedCase(case)


@dataclass(frozen=True, eq=False)
class RleFrame(Frame):
    """The first frame of a file."""

    is_real: bool = True

    def is_large(self) -> bool:
        """Whether the frame is at least 256 KiB decoded."""
        return self.reference.nbytes >= 256 << 10


def rle_frame(name: str, src: bytes, reference: Array, *, is_real: bool = True) -> RleFrame:
    """An RLE frame, all of whose bits are stored."""
    return RleFrame(name, src, reference, RLELossless, reference.itemsize * 8, is_real)


@cache
def rle_frames() -> tuple[RleFrame, ...]:
    """The first frame of every RLE file at hand, largest first; without large ones, generated frames too.

    The reference is what pydicom's own decoder gives; where the manifest has a checksum, agreed on by at least two
    decoders, that must be the checksum of it.
    """
    rows = manifest()
    paths = {SHARED / row["path"]: row["sha256"] for row in rows if row["uid"] == RLELossless and row["sha256"]}
    paths = paths or dict.fromkeys(sorted(PYDICOM_FILES.glob("*[rR][lL][eE]*.dcm")), "")
    frames = [_read(path, sha256) for path, sha256 in paths.items()]
    if not any(frame.is_large() for frame in frames):
        for side in (512, 1024):
            made = generated.ct_frames(1, side, side)[0]
            frames.append(rle_frame(f"generated {side}", generated.rle_frame(made), made, is_real=False))
    return tuple(sorted(frames, key=lambda frame: -frame.reference.nbytes))


def manifest() -> list[dict[str, str]]:
    """Rows of the table of real images; none where there is no such folder."""
    table = SHARED / "MANIFEST.csv"
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def checksum(values: Array, length: int) -> str:
    """As in the manifest: of the little-endian values, so many digits."""
    little_endian = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return hashlib.sha256(little_endian.tobytes()).hexdigest()[:length]


def _read(path: Path, sha256: str) -> RleFrame:
    ds = pydicom.dcmread(path)
    every = pixel_array(ds, raw=True, decoding_plugin="pydicom")
    if sha256 and checksum(every, len(sha256)) != sha256:
        raise AssertionError(f"{path.name}: the reference differs from the manifest")
    count = int(ds.get("NumberOfFrames") or 1)
    reference = np.ascontiguousarray(every if count == 1 else every[0])
    src = next(iter(generate_frames(ds.PixelData, number_of_frames=count)))
    return rle_frame(path.name, bytes(src), reference.view(f"u{reference.itemsize}"))


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    # Goes when the process ends.
    return tempfile.TemporaryDirectory()
