"""Helpers of command line tests: run ``dicoxide`` in a child process, and write small series."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1

import dicoxide
from support import processes

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"


@dataclass
class CompletedCommand:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, parsed as one JSON document."""
        return json.loads(self.out)


def dicoxide_arguments(*arguments: object) -> list[object]:
    """Return the command line that runs ``dicoxide`` with this interpreter."""
    return [sys.executable, "-m", "dicoxide", *arguments]


def dicoxide_command(*arguments: object, **options: Any) -> CompletedCommand:
    """Run ``dicoxide`` in a child process and wait for its end."""
    completed = processes.run(dicoxide_arguments(*arguments), **options)
    return CompletedCommand(completed.returncode, completed.stdout, completed.stderr)


def decode_to_npy(source: object, out: Path, *arguments: object) -> CompletedCommand:
    """Run ``dicoxide decode --format npy``."""
    return dicoxide_command("decode", source, "-o", out, "--format", "npy", *arguments)


def read_json_lines(path: Path) -> list[Any]:
    """Read a file with one JSON document per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_series(
    folder: Path,
    count: int = 5,
    *,
    rows: int = 12,
    columns: int = 10,
    series: str = "1.2.3.4",
    seed: int = 0,
    is_jpeg: bool = False,
    suffix: str = ".dcm",
    **attributes: Any,
) -> list[Path]:
    """Write a CT series of noise, with file names in another order than the slices; return paths in slice order."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for index in range(count):
        pixels = rng.integers(0, 4096, (rows, columns)).astype(np.uint16)
        ds = Dataset()
        ds.SOPClassUID = CT_CLASS
        ds.SOPInstanceUID = f"{series}.{index + 1}"
        ds.SeriesInstanceUID = series
        ds.StudyInstanceUID = "1.2.3"
        ds.Modality = "CT"
        ds.InstanceNumber = count - index
        ds.ImagePositionPatient = [-10.0, -20.0, 2.5 * index]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing = [0.5, 0.75]
        ds.SliceThickness = 2.5
        ds.Rows, ds.Columns = rows, columns
        ds.SamplesPerPixel = 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        for keyword, value in attributes.items():
            setattr(ds, keyword, value[index] if isinstance(value, tuple) else value)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1 if is_jpeg else ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = CT_CLASS
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.PixelData = (
            encapsulate([dicoxide.jpeg_lossless_encode(pixels, precision=12)]) if is_jpeg else pixels.tobytes()
        )
        ds["PixelData"].VR = "OB" if is_jpeg else "OW"
        path = folder / f"{(index * 7) % count:03}-{index:03}-{series}{suffix}"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def decode_by_pydicom(paths: list[Path]) -> np.ndarray[Any, Any]:
    """Decode files by pydicom, with dicoxide's plugin for JPEG Lossless, which pydicom cannot decode itself."""
    with dicoxide.enabled():
        return np.stack([pydicom.dcmread(path).pixel_array for path in paths])


def change_attributes(path: Path, **attributes: Any) -> None:
    """Change attributes of a file; the value None removes one."""
    ds = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.save_as(path)


def truncate_frame(path: Path, index: int = 0) -> None:
    """Truncate one frame of an encapsulated file to half its bytes."""
    ds = pydicom.dcmread(path)
    frames = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames", 1))))
    frames[index] = frames[index][: len(frames[index]) // 4 * 2]
    ds.PixelData = encapsulate(frames)
    ds.save_as(path)
