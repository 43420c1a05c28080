"""Findings and frames left out, on screen and in the JSON of ``dicoxide decode`` and ``dicoxide info``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from support.command_line import dicoxide_command
from support.synthetic_series import image, slices, write_all

NAME = "1.2.3.4"


def repeated_position() -> list[Dataset]:
    """Three slices, and two more frames at the position of the last that only the instance number distinguishes."""
    members = slices(3)
    return [*members, *(image(index, ImagePositionPatient=members[-1].ImagePositionPatient) for index in (8, 9))]


SERIES: dict[str, tuple[Callable[[], list[Dataset]], int]] = {
    "gap": (lambda: slices(6)[:3] + slices(6)[4:], 0),
    "uneven_spacing": (
        lambda: [*slices(3), image(7, ImagePositionPatient=[-10.5, 20.25, 9.0])],
        0,
    ),
    "duplicate": (lambda: [slices(1)[0], *(member := slices(3)), member[1]], 1),
    "duplicate_position": (repeated_position, 2),
    "no_geometry": (lambda: [image(value, ImagePositionPatient=None) for value in range(3)], 0),
    "no_pixel_spacing": (lambda: slices(3, PixelSpacing=None), 0),
    "mixed_sizes": (lambda: slices(3) + slices(2, Rows=4), 0),
}


@pytest.mark.parametrize("kind", SERIES)
def test_decode_and_info_print_findings_and_count_frames_left_out(tmp_path: Path, kind: str) -> None:
    make, left_out = SERIES[kind]
    write_all(make(), tmp_path / "in")
    done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy", "--json")
    found = [finding for series in done.document["series"] for finding in series["findings"]]
    finding = next(finding for finding in found if finding["kind"] == kind)
    (line,) = [line for line in done.err.splitlines() if f": {kind}: " in line]
    assert line.startswith(f"finding: {NAME}")
    assert line.endswith(finding["message"])
    assert done.document["frames_left_out"] >= left_out
    assert (f"{done.document['frames_left_out']} frame" in done.err) or not left_out
    sidecars = [json.loads(path.read_text()) for path in sorted((tmp_path / "out").glob("*.json"))]
    assert finding in [finding for sidecar in sidecars for finding in sidecar["findings"]]
    shown = dicoxide_command("info", tmp_path / "in")
    assert finding["message"] in shown.out
    report = dicoxide_command("info", tmp_path / "in", "--json").document
    assert report["frames_left_out"] == done.document["frames_left_out"]
    assert finding in [finding for series in report["series"] for finding in series["findings"]]


def test_decode_counts_each_frame_that_is_left_out_once(tmp_path: Path) -> None:
    write_all(repeated_position(), tmp_path / "in")
    done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy", "--json")
    assert done.document["frames_left_out"] == 2
    (finding,) = [finding for finding in done.document["series"][0]["findings"] if finding["left_out"]]
    assert finding["left_out"] == [[str(tmp_path / "in" / f"{index:03}.dcm"), 0] for index in (3, 4)]
    assert "2 frames left out" in done.err


def test_decode_with_a_file_cut_in_its_header_has_a_failure_and_a_finding(tmp_path: Path) -> None:
    paths = write_all(slices(4), tmp_path / "in")
    data = paths[3].read_bytes()
    paths[3].write_bytes(data[: data.index(b"\x28\x00\x10\x00US")])
    done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy", "--json")
    assert done.code == 1
    (failure,) = done.document["failures"]
    assert (failure["path"], failure["kind"], failure["series"]) == (str(paths[3]), "NoImage", NAME)
    sidecar: dict[str, Any] = json.loads((tmp_path / "out" / f"{NAME}.json").read_text())
    assert [finding["kind"] for finding in sidecar["findings"]] == ["unreadable_file"]
    assert str(paths[3]) in sidecar["findings"][0]["message"]
    assert f"finding: {NAME}: unreadable_file: 1 file that may belong to this volume" in done.err
    report = dicoxide_command("info", tmp_path / "in", "--json")
    assert report.code == 1
    assert report.document["series"][0]["findings"] == sidecar["findings"]


def test_finding_of_many_series_is_printed_once(tmp_path: Path) -> None:
    members = [image(0, ImagePositionPatient=None, SeriesInstanceUID=f"1.2.3.{index}") for index in range(60)]
    write_all(members, tmp_path / "in")
    done = dicoxide_command("decode", tmp_path / "in", "--dry-run")
    (line,) = [line for line in done.err.splitlines() if line.startswith("finding:")]
    assert line.startswith("finding: 1.2.3.0, 1.2.3.1, 1.2.3.10 and 57 more: no_geometry: ")


def test_many_different_findings_are_counted(tmp_path: Path) -> None:
    members = [image(0, SliceThickness=1 + index / 8, SeriesInstanceUID=f"1.2.3.{index}") for index in range(60)]
    write_all(members, tmp_path / "in")
    done = dicoxide_command("decode", tmp_path / "in", "--dry-run")
    lines = [line for line in done.err.splitlines() if line.startswith("finding:")]
    assert len(lines) == 41
    assert lines[-1] == "finding: … 20 more findings; --json has all"
