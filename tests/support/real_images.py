"""Paths of real images.

The images in the pydicom package are always available. More real images, with a manifest, are in the folder that
``DICOXIDE_SHARED`` names, by default ``shared`` next to the repository; tests that need them are skipped without it.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("DICOXIDE_SHARED", ROOT.parent / "shared")) / "data"
PYDICOM_FILES = Path(pydicom.__file__).parent / "data"


@dataclass(frozen=True)
class Reference:
    """A row of the manifest: shape, dtype and checksum that at least two decoders agree on."""

    path: Path
    uid: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str


def manifest_rows() -> list[dict[str, str]]:
    """Return all rows of the manifest; none if the folder is not available."""
    table = SHARED / "MANIFEST.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def path_parameters(rows: list[dict[str, str]]) -> list[Any]:
    """Return a test parameter for the path of each row; one that is skipped if there is none."""
    none = pytest.param(None, id="none", marks=pytest.mark.skip("the shared images are not available"))
    return [pytest.param(SHARED / row["path"], id=Path(row["path"]).name) for row in rows] or [none]


def manifest() -> list[Reference]:
    """Return the rows of the manifest that have a checksum; none if the folder is not available."""
    return [
        Reference(
            path=SHARED / row["path"],
            uid=row["uid"],
            shape=tuple(int(part) for part in row["shape"].strip("()").split(",") if part.strip()),
            dtype=row["dtype"],
            sha256=row["sha256"],
        )
        for row in manifest_rows()
        if row["uid"] and row["sha256"]
    ]


def pydicom_files() -> list[Path]:
    """Return the files of the pydicom package that may be DICOM files."""
    folders = ("test_files", "charset_files")
    return sorted(
        path
        for folder in folders
        for path in (PYDICOM_FILES / folder).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".md", ".txt", ".json", ".zip", ".gz"}
    )


def shared_files() -> list[Path]:
    """Return all files of the shared folder, including those that the manifest does not list."""
    return sorted(path for path in (SHARED / "files").rglob("*") if path.is_file()) if SHARED.is_dir() else []
