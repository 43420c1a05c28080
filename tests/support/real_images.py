"""Real images for tests.

The images of the pydicom package are always available. A folder of more real images with a manifest is next to the
repository or given by ``DICOXIDE_SHARED``; tests that need it are skipped without it.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import pydicom

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("DICOXIDE_SHARED", ROOT.parent / "shared")) / "data"
PYDICOM_FILES = Path(pydicom.__file__).parent / "data"


@dataclass(frozen=True)
class Reference:
    """A row of the manifest: values on which decoders agree."""

    path: Path
    uid: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str


def manifest() -> list[Reference]:
    """Return the rows with a digest; none if the folder is not available."""
    table = SHARED / "MANIFEST.csv"
    if not table.is_file():
        return []
    with table.open(newline="") as file:
        return [
            Reference(
                path=SHARED / row["path"],
                uid=row["uid"],
                shape=tuple(int(part) for part in row["shape"].strip("()").split(",") if part.strip()),
                dtype=row["dtype"],
                sha256=row["sha256"],
            )
            for row in csv.DictReader(file)
            if row["uid"] and row["sha256"]
        ]


def pydicom_files() -> list[Path]:
    """Return every file of the pydicom package that may be a DICOM file."""
    folders = ("test_files", "charset_files")
    return sorted(
        path
        for folder in folders
        for path in (PYDICOM_FILES / folder).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".md", ".txt", ".json", ".zip", ".gz"}
    )


def shared_files() -> list[Path]:
    """Return every file of the shared folder, also if it is not in the manifest."""
    return sorted(path for path in (SHARED / "files").rglob("*") if path.is_file()) if SHARED.is_dir() else []
