"""Converts DICOM folders to NIfTI files by dicoxide and by other converters."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import dicoxide

TIMEOUT_SECONDS = 1800


@dataclass
class NiftiFile:
    """A NIfTI file, and the files of the same name."""

    path: Path
    series_uid: str
    sidecar: dict[str, Any] = field(default_factory=dict)
    # True if the converter made it from another of its files.
    is_derived: bool = False

    @property
    def findings(self) -> list[str]:
        """Findings in the JSON file of dicoxide."""
        return [finding["message"] for finding in self.sidecar.get("findings", [])]

    @property
    def attributes(self) -> dict[str, Any]:
        """DICOM attributes in the JSON file."""
        attributes = self.sidecar.get("attributes", self.sidecar)
        return dict(attributes)

    def numbers(self, suffix: str) -> npt.NDArray[np.float64] | None:
        """Return the numbers in the .bval or .bvec file; None without that file."""
        # dcm2niix writes no numbers for the file with averages and maps, but for that without them.
        path = self.path.with_name(self.path.name.removesuffix(".nii").removesuffix("_ADC") + suffix)
        return np.loadtxt(path, ndmin=2) if path.exists() else None


@dataclass
class Conversion:
    """Result of one converter for one folder."""

    files: list[NiftiFile] = field(default_factory=list)
    # Reasons why series have no file, by Series Instance UID.
    refusals: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def convert_by_dicoxide(folder: Path, out: Path) -> Conversion:
    """Convert by the command line of dicoxide."""
    arguments = ["-m", "dicoxide", "decode", str(folder), "-o", str(out), "--format", "nifti", "--uncompressed"]
    _run([sys.executable, *arguments])
    result = Conversion()
    for path in sorted(out.glob("*.nii")):
        sidecar = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        result.files.append(NiftiFile(path, sidecar["attributes"].get("SeriesInstanceUID", ""), sidecar))
    errors = out / "errors.jsonl"
    for line in errors.read_text(encoding="utf-8").splitlines() if errors.exists() else ():
        failure = json.loads(line)
        if failure.get("series"):
            uid = re.sub(r"_\d+$", "", failure["series"])
            result.refusals.setdefault(uid, f"{failure['kind']}: {failure['message']}")
    return result


def find_dcm2niix() -> str | None:
    """Return the path of the program, from PATH or of the package in this environment."""
    program = Path(sys.executable).with_name("dcm2niix")
    return shutil.which("dcm2niix") or (str(program) if program.exists() else None)


def convert_by_dcm2niix(folder: Path, out: Path) -> Conversion:
    """Convert by dcm2niix.

    Options: no compression; all identifiers in the JSON files; values by Rescale Slope and Intercept also for Philips,
    not by the private Scale Slope.
    """
    program = find_dcm2niix()
    assert program is not None
    _run([program, "-z", "n", "-b", "y", "-ba", "n", "-p", "n", "-f", "%s_%j", "-o", str(out), str(folder)])
    result = Conversion()
    for path in sorted(out.glob("*.nii")):
        json_path = path.with_suffix(".json")
        sidecar = json.loads(json_path.read_text(encoding="utf-8", errors="replace")) if json_path.exists() else {}
        name = re.fullmatch(r"[^_]*_([\d.]*)(.*)", path.stem)
        uid = sidecar.get("SeriesInstanceUID") or (name[1] if name else "")
        # Derived files: resampled along the slice normal (gantry tilt) or to equal distances, and overlay planes.
        # If there is a file with the suffix _ADC, it has all volumes; the file without it lacks averages and maps.
        is_derived = re.search(r"_(Tilt|Eq|ROI)(_?\d+)?[a-z]?$", path.stem) is not None
        is_derived |= path.with_stem(f"{path.stem}_ADC").exists()
        result.files.append(NiftiFile(path, uid, sidecar, is_derived))
    return result


def convert_by_dicom2nifti(folder: Path, out: Path) -> Conversion:
    """Convert each series by dicom2nifti, with its default checks."""
    import dicom2nifti

    logging.getLogger("dicom2nifti").setLevel(logging.CRITICAL)

    def convert(series_folder: str, target: Path) -> None:
        dicom2nifti.dicom_series_to_nifti(series_folder, target, reorient_nifti=False)

    return _convert_each_series(folder, out, convert)


def convert_by_simpleitk(folder: Path, out: Path) -> Conversion:
    """Convert each series by the series reader of SimpleITK."""
    import SimpleITK

    def convert(series_folder: str, target: Path) -> None:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(series_folder))
        SimpleITK.WriteImage(reader.Execute(), str(target))

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return _convert_each_series(folder, out, convert)


def _convert_each_series(folder: Path, out: Path, convert: Callable[[str, Path], None]) -> Conversion:
    """Call `convert` for each series; `seconds` does not include sorting the files into series."""
    result = Conversion()
    for uid, paths in _files_by_series(folder).items():
        with tempfile.TemporaryDirectory() as series_folder:
            for index, path in enumerate(paths):
                Path(series_folder, f"{index:06}.dcm").symlink_to(path)
            target = out / f"{uid or 'series'}.nii"
            start = time.perf_counter()
            try:
                with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
                    convert(series_folder, target)
            except Exception as error:  # converters raise any class, also for what they do not support
                result.refusals[uid] = f"{type(error).__name__}: {error}".partition("\n")[0]
            else:
                result.files.append(NiftiFile(target, uid))
            result.seconds += time.perf_counter() - start
    return result


def _files_by_series(folder: Path) -> dict[str, list[Path]]:
    """Return the files that dicoxide can open, by Series Instance UID."""
    paths_by_uid: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with contextlib.suppress(dicoxide.DecodeError), dicoxide.open(path) as image:
            paths_by_uid.setdefault(image.attributes.get("SeriesInstanceUID") or "", []).append(path.resolve())
    return paths_by_uid


def _run(command: list[str]) -> None:
    """Run a converter; a failure is visible in the files that it did not write."""
    subprocess.run(command, check=False, capture_output=True, timeout=TIMEOUT_SECONDS)


CONVERTERS: dict[str, Callable[[Path, Path], Conversion]] = {
    "dcm2niix": convert_by_dcm2niix,
    "dicom2nifti": convert_by_dicom2nifti,
    "SimpleITK": convert_by_simpleitk,
}


def installed_converters() -> Iterator[str]:
    """Yield the names of the other converters that are installed."""
    for name in CONVERTERS:
        if find_dcm2niix() if name == "dcm2niix" else importlib.util.find_spec(name):
            yield name


def convert(name: str, folder: Path, out: Path) -> Conversion:
    """Convert all series of `folder` into NIfTI files in the new folder `out`, and measure the time."""
    start = time.perf_counter()
    if name == "dicoxide":
        result = convert_by_dicoxide(folder, out)
    else:
        out.mkdir()
        result = CONVERTERS[name](folder, out)
    # Converters of single series have measured without sorting the files.
    result.seconds = result.seconds or time.perf_counter() - start
    return result
