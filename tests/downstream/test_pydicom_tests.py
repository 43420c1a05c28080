"""pydicom's own tests of pixel data pass with dicoxide, except for known differences, each with its reason.

``DICOXIDE_PYDICOM_TESTS`` names the folder of pydicom's tests, which its source distribution has; ``make downstream``
sets it.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pydicom
import pytest

from support.processes import environment, run
from support.real_images import ROOT

TESTS = Path(os.environ.get("DICOXIDE_PYDICOM_TESTS", "none"))
PAGE = ROOT / "docs" / "compatibility.md"
# Tests of other packages' encoders only, and one of an image of several GB.
UNRELATED = [
    "--ignore=tests/pixels/test_encoder_gdcm.py",
    "--ignore=tests/pixels/test_encoder_pyjpegls.py",
    "--ignore=tests/pixels/test_encoder_pylibjpeg.py",
    "--deselect=tests/pixels/test_utils.py::TestDecompress::test_too_long_raises",
]
# Fewer tests would mean that most were not collected.
MIN_PASSED = 700


def known_differences() -> list[dict[str, str]]:
    with (Path(__file__).parent / "pydicom_differences.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def run_tests(mode: str, report: Path) -> dict[str, str]:
    """Return the outcome of each test: passed, failure, error or skipped."""
    # The folder may be in this repository, whose settings do not apply.
    options = ["-q", "-c", "pyproject.toml", "-p", "no:cacheprovider", "-p", "support.pydicom_tests.plugin"]
    command = [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", *UNRELATED, "tests/pixels"]
    done = run(command, cwd=TESTS.parent, env=environment(DICOXIDE_PYDICOM_MODE=mode), timeout=550)
    assert done.returncode in (0, 1), done.stdout[-4000:] + done.stderr[-4000:]
    outcomes = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        folder, file, *group = case.get("classname", "").split(".")[1:]
        assert folder == "pixels"
        name = "::".join([f"{file}.py", *group, case.get("name", "")])
        found = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        outcomes[name] = found[0] if found else "passed"
    return outcomes


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not TESTS.is_dir(), reason="pydicom's tests are not available (DICOXIDE_PYDICOM_TESTS)")
@pytest.mark.skipif(pydicom.__version__ != "3.0.2", reason="the differences are those of pydicom 3.0.2")
@pytest.mark.parametrize("mode", ["first", "instead"])
def test_pydicom_tests_differ_only_as_known(tmp_path: Path, mode: str) -> None:
    outcomes = run_tests(mode, tmp_path / "report.xml")
    known = {row["test"] for row in known_differences() if row["mode"] == mode}
    failed = {name for name, outcome in outcomes.items() if outcome in ("failure", "error")}
    assert sorted(failed - known) == []
    assert sorted(name for name in known if outcomes.get(name) == "passed") == []
    assert sum(outcome == "passed" for outcome in outcomes.values()) >= MIN_PASSED


def test_page_lists_the_known_differences() -> None:
    rows = known_differences()
    assert {row["mode"] for row in rows} <= {"first", "instead"}
    assert len({(row["mode"], row["test"]) for row in rows}) == len(rows)
    text = PAGE.read_text()
    for reason in dict.fromkeys(row["reason"] for row in rows):
        count = sum(row["reason"] == reason for row in rows)
        assert f"| {count} | {reason} |" in text
