"""The version is written in Cargo.toml; what repeats it agrees. Distributions declare their licences."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib

import pytest

from support.processes import run
from support.real_images import ROOT

WORKSPACE = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]
# The crate of fuzz targets, dicoxide-libfuzzer, is in a workspace of its own, without a version.
CRATES = {"dicoxide-core", "dicoxide-part10", "dicoxide-py", "dicoxide-fuzz"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_crates_inherit_the_version() -> None:
    for member in WORKSPACE["members"]:
        package = tomllib.loads((ROOT / member / "Cargo.toml").read_text(encoding="utf-8"))["package"]
        assert package["version"] == {"workspace": True}, member
    assert PROJECT["dynamic"] == ["version"]


def test_locked_and_cited_version_is_that_of_the_workspace() -> None:
    version = WORKSPACE["package"]["version"]
    for name in ("Cargo.lock", "rust/fuzz/libfuzzer/Cargo.lock"):
        packages = tomllib.loads((ROOT / name).read_text(encoding="utf-8"))["package"]
        versions = {package["version"] for package in packages if package["name"] in CRATES}
        assert versions == {version}, name
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [version]


@pytest.mark.parametrize("name", PROJECT["license-files"])
def test_licence_file_exists(name: str) -> None:
    assert (ROOT / name).stat().st_size > 1000


def test_classifiers_name_the_oldest_supported_python() -> None:
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={versions[0]}"


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
def test_licences_of_linked_crates_are_current() -> None:
    result = run([sys.executable, ROOT / "rust" / "third_party_licenses.py", "--check"])
    assert result.returncode == 0, result.stdout + result.stderr
