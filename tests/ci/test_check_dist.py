"""`.ci/check-dist` with stand-ins for the programs that it calls, in a folder without build output."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from support.processes import run
from support.real_images import ROOT

FILES = ["Cargo.lock", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "LICENSE-THIRD-PARTY", "README.md", "PKG-INFO"]
WHEEL = "dicoxide-0.2.0-cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
REPORT = 'The wheel is consistent with the following platform tag: "manylinux_2_17_x86_64".'

pytestmark = pytest.mark.skipif(os.name == "nt", reason="releases are checked on Linux")


def check_dist(folder: Path, files: list[str], report: str = REPORT) -> subprocess.CompletedProcess[str]:
    """Run the script for a wheel and a source distribution with these files."""
    (folder / ".ci").mkdir()
    shutil.copy2(ROOT / ".ci" / "check-dist", folder / ".ci")
    (folder / "dist").mkdir()
    (folder / "dist" / WHEEL).touch()
    with tarfile.open(folder / "dist" / "dicoxide-0.2.0.tar.gz", "w:gz") as archive:
        for name in files:
            archive.addfile(tarfile.TarInfo(f"dicoxide-0.2.0/{name}"))
    (folder / "bin").mkdir()
    for name in ("twine", "check-wheel-contents", "abi3audit", "auditwheel"):
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\necho '{report}'\n", encoding="utf-8")
        program.chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return run([folder / ".ci" / "check-dist"], env=os.environ | {"PATH": path})


def test_complete_distributions_pass(tmp_path: Path) -> None:
    result = check_dist(tmp_path, [*FILES, "pyproject.toml", "python/dicoxide/__init__.py"])
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("files", "report", "message"),
    [
        (FILES, REPORT, "pyproject.toml is missing"),
        ([*FILES, "pyproject.toml", "tests/a.py"], REPORT, "files that do not belong to it"),
        ([*FILES, "pyproject.toml", "python/a.so"], REPORT, "files that do not belong to it"),
        ([*FILES, "pyproject.toml"], REPORT.replace("2_17", "2_34"), "symbols of manylinux_2_34_x86_64"),
        ([*FILES, "pyproject.toml"], "no extension", "auditwheel reports no platform tag"),
    ],
    ids=["missing file", "test", "extension", "newer symbols", "no tag"],
)
def test_faulty_distributions_fail(tmp_path: Path, files: list[str], report: str, message: str) -> None:
    result = check_dist(tmp_path, files, report)
    assert result.returncode == 1
    assert message in result.stderr
