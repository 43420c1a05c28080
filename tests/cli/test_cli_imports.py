"""Modules that a command imports: the time to start depends on them more than on anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import write_series
from support.processes import run_script

# Packages and modules that decoding one native file to .npy or NIfTI does not need, and that take long to import.
UNNEEDED = {
    "PIL",
    "altair",
    "asyncio",
    "dask",
    "dicoxide._capabilities",
    "dicoxide._encode",
    "dicoxide._fallback_decoders",
    "dicoxide.bench",
    "dicoxide.cli.bench",
    "dicoxide.cli.doctor",
    "dicoxide.cli.info",
    "dicoxide.plugins",
    "distributed",
    "email",
    "importlib.metadata",
    "jinja2",
    "nibabel",
    "numpy.ma",
    "pydicom",
    "rich",
    "tempfile",
    "zarr",
}


def imported_modules(*arguments: object) -> set[str]:
    """Run a command line and return the names of the modules that it imports, except those of NumPy."""
    return set(run_script("print_imported_modules", *arguments).stdout.split())


@pytest.mark.parametrize("form", ["npy", "nifti"])
def test_decode_of_one_file_imports_no_unneeded_module(tmp_path: Path, form: str) -> None:
    (path,) = write_series(tmp_path / "in", 1)
    imported = imported_modules("decode", path, "-o", tmp_path / "out", "--format", form)
    assert f"dicoxide.bulk.runs._formats._{form}" in imported
    assert not UNNEEDED & imported


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_main_option_imports_no_command(option: str) -> None:
    imported = imported_modules(option)
    assert "dicoxide.cli" in imported
    assert not {name for name in imported if name.startswith(("dicoxide.cli.", "dicoxide.bulk"))}
