"""`dicoxide decode` as a process, relative to other converters to NIfTI."""

from __future__ import annotations

import importlib.util
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import generated_datasets
import tables_files
from targets import Table
from timing import MedianTimes, time_alternately
from volume_files import find_dcm2niix

_DICOM2NIFTI = "import sys, dicom2nifti; dicom2nifti.dicom_series_to_nifti(*sys.argv[1:], reorient_nifti=False)"
# Minimum ratios: time of the other converter divided by that of dicoxide.
_MIN_RATIOS = {"dcm2niix": 1.0, "dicom2nifti": 5.0}
# Slices of 128 × 128 pixels for each of 512 × 512.
_SMALL_SLICES = 4


def converters(rounds: int) -> Table:
    """Elapsed time of processes that convert a folder to NIfTI without compression; every result is checked."""
    table = Table("dicoxide decode to NIfTI (ms)", ("series, converter", "dicoxide", "other", "×", "× best"))
    is_installed = {"dcm2niix": find_dcm2niix(), "dicom2nifti": importlib.util.find_spec("dicom2nifti")}
    others = [name for name, found in is_installed.items() if found]
    if not others:
        table.skipped = "neither dcm2niix nor dicom2nifti is installed"
        return table
    count = tables_files.FILE_COUNT
    series = {
        "1 file of 64 × 64": (1, 64, False),
        f"{_SMALL_SLICES * count} files of 128 × 128": (_SMALL_SLICES * count, 128, False),
        f"{count} files of 512 × 512": (count, 512, False),
        f"{count} files of 512 × 512, JPEG Lossless": (count, 512, True),
    }
    for name, (file_count, size, is_compressed) in series.items():
        with tempfile.TemporaryDirectory() as folder:
            total = _write_series(Path(folder), file_count, size, is_compressed=is_compressed)
            for other in others:
                # dicom2nifti needs several slices, and so much time that one round is enough.
                if other != "dicom2nifti" or file_count > 1:
                    times = _time(other, folder, total, 1 if other == "dicom2nifti" else max(3, rounds // 3))
                    # The interpreter and NumPy take longer to start than dcm2niix needs for one file.
                    minimum = None if file_count == 1 else _MIN_RATIOS[other]
                    table.add_comparison(f"{name}, {other}", times, "dicoxide", other, minimum)
    return table


def _write_series(folder: Path, file_count: int, size: int, *, is_compressed: bool) -> int:
    """Write a CT series; return the sum of its modality values."""
    intercept = int(tables_files.typical_header().RescaleIntercept)
    total = intercept * file_count * size * size
    frame = np.ascontiguousarray(generated_datasets.ct_frames(1)[0][:size, :size])
    for number in range(file_count):
        frame[0, 0] = number % 4096
        tables_files.write_ct_file(folder / f"{number:05}.dcm", frame, is_compressed=is_compressed, number=number)
        total += int(frame.sum(dtype=np.int64))
    return total


def _time(other: str, folder: str, total: int, rounds: int) -> MedianTimes[str]:
    with tempfile.TemporaryDirectory() as scratch:
        numbers = itertools.count()
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(scratch, "bytecode"))}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def run(name: str) -> Path:
            out = Path(scratch, f"{next(numbers)}")
            out.mkdir()
            command = _command(name, folder, out)
            subprocess.run(command, check=True, capture_output=True, env=environment)
            return out

        def check(name: str, out: Any) -> None:
            import nibabel

            (path,) = out.glob("*.nii")
            # Modality values; one slice at a time, because they are in double precision.
            values = nibabel.load(path).dataobj
            if round(sum(float(values[..., index].sum()) for index in range(values.shape[2]))) != total:
                raise AssertionError(f"{name} returned a wrong result")
            path.unlink()

        # All modules are compiled to bytecode before, as after an installation.
        check("dicoxide", run("dicoxide"))
        if other == "dicom2nifti":
            subprocess.run([sys.executable, "-c", "import dicom2nifti"], check=True, env=environment)
        calls = {name: lambda name=name: run(name) for name in ("dicoxide", other)}
        return MedianTimes(time_alternately(calls, rounds, check=check))


def _command(name: str, folder: str, out: Path) -> list[str]:
    if name == "dcm2niix":
        return [find_dcm2niix() or name, "-z", "n", "-o", str(out), folder]
    if name == "dicom2nifti":
        return [sys.executable, "-c", _DICOM2NIFTI, folder, str(out / "series.nii")]
    arguments = ["decode", folder, "-o", str(out), "--format", "nifti", "--uncompressed"]
    return [sys.executable, "-m", "dicoxide", *arguments]


TABLES = {"converters": converters}
