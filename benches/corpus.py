"""What is measured: real RLE frames of the manifest, those of the pydicom package, and generated images."""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import RLELossless

import generated

Array = npt.NDArray[Any]

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("DICOXIDE_SHARED", ROOT.parent / "shared")) / "data"
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@dataclass(frozen=True, eq=False)
class RleFrame:
    """The first frame of a file."""

    name: str
    src: bytes
    bits_allocated: int
    reference: Array
    """(rows, columns[, samples]) of unsigned integers."""
    real: bool = True

    @property
    def rows(self) -> int:
        """Rows (0028,0010)."""
        return self.reference.shape[0]

    @property
    def columns(self) -> int:
        """Columns (0028,0011)."""
        return self.reference.shape[1]

    @property
    def samples_per_pixel(self) -> int:
        """Samples per Pixel (0028,0002)."""
        return self.reference.shape[2] if self.reference.ndim == 3 else 1

    @property
    def planes(self) -> Array:
        """The reference as most peers give it: one sample plane after the other."""
        return np.moveaxis(self.reference, -1, 0) if self.reference.ndim == 3 else self.reference

    def is_large(self) -> bool:
        """Whether the frame is at least 256 KiB decoded."""
        return self.reference.nbytes >= 256 << 10


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
            frames.append(RleFrame(f"generated {side}", generated.rle_frame(made), 16, made, real=False))
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
    return RleFrame(path.name, bytes(src), ds.BitsAllocated, reference.view(f"u{reference.itemsize}"))
