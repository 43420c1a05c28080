"""`dicoxide decode`: sources, outputs, failures and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

import dicoxide
from dicoxide._sources import looks_like_dicom
from support.command_line import (
    change_attributes,
    decode_by_pydicom,
    decode_to_npy,
    dicoxide_command,
    read_json_lines,
    truncate_frame,
    write_series,
)
from support.real_images import PYDICOM_FILES, ROOT

EMRI = ROOT / "tests" / "vectors" / "emri_small_RLE.dcm"


def test_decode_of_folder_writes_one_array_per_series(tmp_path: Path) -> None:
    first = write_series(tmp_path / "in" / "a" / "deep", 5)
    second = write_series(tmp_path / "in" / "b", 3, series="1.2.3.5", seed=1, suffix="", is_jpeg=True)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    (tmp_path / "in" / "empty").touch()
    done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    report = done.document
    assert (report["files"], report["skipped"], report["frames"]) == (8, 2, 8)
    assert [(series["name"], series["status"], series["written"]) for series in report["series"]] == [
        ("1.2.3.4", "written", 5),
        ("1.2.3.5", "written", 3),
    ]
    for name, paths in (("1.2.3.4", first), ("1.2.3.5", second)):
        array = np.load(tmp_path / "out" / f"{name}.npy")
        assert array.dtype == np.uint16
        np.testing.assert_array_equal(array, decode_by_pydicom(paths))
        sidecar = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        assert sidecar["sources"] == [str(path) for path in paths]
        assert sidecar["sop_instance_uids"] == [f"{name}.{index + 1}" for index in range(len(paths))]
        assert sidecar["RescaleIntercept"] == [-1024.0] * len(paths)
        assert sidecar["spacing"] == [2.5, 0.5, 0.75]
        assert sidecar["affine_lps"] == [[0.75, 0, 0, -10], [0, 0.5, 0, -20], [0, 0, 2.5, 0], [0, 0, 0, 1]]
        assert sidecar["missing"] == []
    assert (tmp_path / "out" / "errors.jsonl").read_text() == ""
    assert not (tmp_path / "out" / ".partial").exists()


@pytest.mark.parametrize("pattern", ["in/*.dcm", "in/**", "i[n]"])
def test_decode_expands_glob_patterns(tmp_path: Path, pattern: str) -> None:
    paths = write_series(tmp_path / "in", 3)
    done = dicoxide_command("decode", pattern, "-o", "out", "--format", "npy", cwd=tmp_path)
    assert done.code == 0, done.err
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1.2.3.4.npy"), decode_by_pydicom(paths))


def test_decode_of_missing_path_or_pattern_fails(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 2)
    done = dicoxide_command(
        "decode", tmp_path / "in", tmp_path / "gone", tmp_path / "*.nothing", "-o", tmp_path / "out", "--format", "npy"
    )
    assert done.code == 1
    assert {(Path(line["path"]).name, line["kind"]) for line in read_json_lines(tmp_path / "out" / "errors.jsonl")} == {
        ("gone", "Unreadable"),
        ("*.nothing", "Unreadable"),
    }
    assert (tmp_path / "out" / "1.2.3.4.npy").exists()


def test_decode_with_corrupt_files_reports_them_and_writes_the_rest(tmp_path: Path) -> None:
    good = write_series(tmp_path / "in", 4)
    broken = write_series(tmp_path / "in" / "broken", 3, series="1.2.3.9", is_jpeg=True)
    truncate_frame(broken[1])
    (tmp_path / "in" / "empty.dcm").touch()
    (tmp_path / "in" / "garbage.dcm").write_bytes(bytes(range(256)) * 8)
    (other,) = write_series(tmp_path / "other", 1, series="1.2.3.8")
    (tmp_path / "in" / "cut.dcm").write_bytes(other.read_bytes()[:-50])
    shutil.copy(get_testdata_file("rtstruct.dcm"), tmp_path / "in")
    done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--json")
    assert done.code == 1
    failures = {Path(line["path"]).name: line for line in read_json_lines(tmp_path / "out" / "errors.jsonl")}
    assert failures == {Path(failure["path"]).name: failure for failure in done.document["failures"]}
    kinds = {name: line["kind"] for name, line in failures.items()}
    assert kinds.pop("cut.dcm") in {"Truncated", "Malformed", "Mismatch"}
    assert kinds == {
        broken[1].name: "Truncated",
        "empty.dcm": "NotDicom",
        "garbage.dcm": "NotDicom",
        "rtstruct.dcm": "NoImage",
    }
    truncated = failures[broken[1].name]
    assert truncated["sop_instance_uid"] == "1.2.3.9.2"
    assert truncated["transfer_syntax"] == "1.2.840.10008.1.2.4.70"
    assert truncated["clause"]
    assert truncated["series"] == "1.2.3.9"
    assert set(truncated) >= {"offset", "frame_index", "message"}
    for name in failures:
        assert name in done.err
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1.2.3.4.npy"), decode_by_pydicom(good))
    # The failed slice is omitted without a gap, and reported.
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1.2.3.9.npy"), decode_by_pydicom([broken[0], broken[2]]))
    sidecar = json.loads((tmp_path / "out" / "1.2.3.9.json").read_text())
    assert [missing["path"] for missing in sidecar["missing"]] == [str(broken[1])]
    assert sidecar["sop_instance_uids"] == ["1.2.3.9.1", "1.2.3.9.3"]
    assert sidecar["spacing"][0] == 5.0
    (finding,) = sidecar["findings"]
    assert (finding["kind"], finding["message"]) == ("missing", "1 of 3 slices are missing")
    assert finding["left_out"] == [[str(broken[1]), 0]]
    statuses = {series["name"]: series["status"] for series in done.document["series"]}
    assert statuses == {"1.2.3.4": "written", "1.2.3.8": "failed", "1.2.3.9": "incomplete"}


def test_decode_on_error_raise_stops_at_the_first_failure(tmp_path: Path) -> None:
    broken = write_series(tmp_path / "in", 3, is_jpeg=True)
    truncate_frame(broken[1])
    write_series(tmp_path / "in", 2, series="1.2.3.3")
    write_series(tmp_path / "in", 2, series="1.2.3.5")
    done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--on-error", "raise", "--json")
    assert done.code == 1
    assert [series["status"] for series in done.document["series"]] == ["written", "failed", "not done"]
    assert len(read_json_lines(tmp_path / "out" / "errors.jsonl")) == 1
    assert not (tmp_path / "out" / "1.2.3.4.npy").exists()
    (tmp_path / "in" / "empty.dcm").touch()
    done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--on-error", "raise", "--resume", "--json")
    assert done.code == 1
    assert [failure["kind"] for failure in done.document["failures"]] == ["NotDicom"]


def test_decode_of_links_pipes_and_dicomdir(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 2)
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    (tmp_path / "in" / "again.dcm").symlink_to(paths[0])
    (tmp_path / "in" / "dangling.dcm").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "in" / "pipe")
    shutil.copy(PYDICOM_FILES / "test_files" / "dicomdirtests" / "DICOMDIR", tmp_path / "in" / "index")
    done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--json")
    report = done.document
    assert (report["files"], report["skipped"], report["dicomdirs"], report["duplicates"]) == (2, 1, 1, 1)
    assert [(Path(failure["path"]).name, failure["kind"]) for failure in report["failures"]] == [
        ("dangling.dcm", "Unreadable")
    ]
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1.2.3.4.npy"), decode_by_pydicom(paths))


def test_decode_of_unreadable_files_reports_them(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 3)
    write_series(tmp_path / "in" / "closed", 1)
    paths[1].chmod(0)
    if os.access(paths[1], os.R_OK):
        pytest.skip("this user may read every file")
    (tmp_path / "in" / "closed").chmod(0)
    try:
        done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--json")
    finally:
        (tmp_path / "in" / "closed").chmod(0o700)
    assert done.code == 1
    assert {failure["path"] for failure in done.document["failures"]} == {
        str(paths[1]),
        str(tmp_path / "in" / "closed"),
    }
    assert {failure["kind"] for failure in done.document["failures"]} == {"Unreadable"}
    assert len(np.load(tmp_path / "out" / "1.2.3.4.npy")) == 2


def test_decode_does_not_read_its_output_folder(tmp_path: Path) -> None:
    write_series(tmp_path, 2)
    assert decode_to_npy(tmp_path, tmp_path / "out").code == 0
    shutil.copy(get_testdata_file("MR_small.dcm"), tmp_path / "out" / "x.dcm")
    assert decode_to_npy(tmp_path, tmp_path / "out", "--resume", "--json").document["files"] == 2


def test_decode_of_empty_folder_fails(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = decode_to_npy(tmp_path / "in", tmp_path / "out")
    assert done.code == 1
    assert "no DICOM files" in done.err


def test_decode_of_multi_frame_file_selects_frames(tmp_path: Path) -> None:
    source = EMRI
    expected = pydicom.dcmread(source).pixel_array
    assert decode_to_npy(source, tmp_path / "out").code == 0
    (output,) = (tmp_path / "out").glob("*.npy")
    np.testing.assert_array_equal(np.load(output), expected)
    assert decode_to_npy(source, tmp_path / "some", "--frames", "0,-1,3:6").code == 0
    (output,) = (tmp_path / "some").glob("*.npy")
    np.testing.assert_array_equal(np.load(output), expected[[0, 9, 3, 4, 5]])
    sidecar = json.loads(output.with_suffix(".json").read_text())
    assert sidecar["frame_indices"] == [0, 9, 3, 4, 5]
    done = decode_to_npy(source, tmp_path / "none", "--frames", "10", "--json")
    assert done.code == 1
    assert done.document["failures"][0]["message"] == "frame index 10 is out of range for 10 frames"


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_decode_gives_series_unique_names(tmp_path: Path) -> None:
    write_series(tmp_path / "a", 2)
    write_series(tmp_path / "b", 3, columns=9, seed=1)
    write_series(tmp_path / "c", 1, series="1.2.3 4", seed=2)
    (tmp_path / "d").mkdir()
    for name in ("x.dcm", "y.dcm"):
        shutil.copy(EMRI, tmp_path / "d" / name)
    # Another instance of the series, not a duplicate.
    change_attributes(tmp_path / "d" / "y.dcm", SOPInstanceUID="1.2.3.9")
    (nameless,) = write_series(tmp_path / "e", 1, seed=3)
    change_attributes(nameless, SeriesInstanceUID=None)
    report = decode_to_npy(tmp_path, tmp_path / "out", "--json").document
    names = [series["name"] for series in report["series"]]
    assert len(set(names)) == 6
    assert {"1.2.3.4_1", "1.2.3.4_2", "1.2.3_4"} <= set(names)
    assert [series["slices"] for series in report["series"] if series["modality"] == "MR"] == [10, 10]
    assert sum(name.startswith(nameless.name) for name in names) == 1
    assert len(list((tmp_path / "out").glob("*.npy"))) == 6


def test_decode_with_corrupt_frame_writes_the_others(tmp_path: Path) -> None:
    shutil.copy(EMRI, tmp_path / "in.dcm")
    expected = pydicom.dcmread(tmp_path / "in.dcm").pixel_array
    truncate_frame(tmp_path / "in.dcm", 4)
    done = decode_to_npy(tmp_path / "in.dcm", tmp_path / "out", "--json")
    assert done.code == 1
    assert [failure["frame_index"] for failure in done.document["failures"]] == [4]
    (output,) = (tmp_path / "out").glob("*.npy")
    np.testing.assert_array_equal(np.load(output), np.delete(expected, 4, 0))


def test_decode_with_rescale_uses_each_slice(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 3, RescaleSlope=(1, 2, 3), RescaleIntercept=(-1024, 0, 10))
    stored = decode_by_pydicom(paths).astype(float)
    expected = stored * np.array([1, 2, 3])[:, None, None] + np.array([-1024, 0, 10])[:, None, None]
    assert decode_to_npy(tmp_path / "in", tmp_path / "out", "--rescale").code == 0
    output = np.load(tmp_path / "out" / "1.2.3.4.npy")
    assert output.dtype == np.float32
    np.testing.assert_array_equal(output, expected)
    assert decode_to_npy(tmp_path / "in", tmp_path / "int", "--rescale", "--dtype", "int16").code == 0
    output = np.load(tmp_path / "int" / "1.2.3.4.npy")
    assert output.dtype == np.int16
    np.testing.assert_array_equal(output, expected)
    assert decode_to_npy(tmp_path / "in", tmp_path / "wide", "--dtype", "int32").code == 0
    assert np.load(tmp_path / "wide" / "1.2.3.4.npy").dtype == np.int32


def test_decode_with_unsuitable_dtype_fails_those_images(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 5, RescaleSlope=(1, 1, 0.5, 1, 1))
    shutil.copy(get_testdata_file("SC_rgb_small_odd.dcm"), tmp_path / "in")
    done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--rescale", "--dtype", "int16", "--json")
    assert done.code == 1
    failures = done.document["failures"]
    assert {(Path(failure["path"]).name, failure["kind"]) for failure in failures} == {
        (paths[2].name, "Request"),
        ("SC_rgb_small_odd.dcm", "Request"),
    }
    assert len(np.load(tmp_path / "out" / "1.2.3.4.npy")) == 4


def test_decode_with_max_bytes_or_strict_fails(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 2)
    done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--max-bytes", "100", "--json")
    assert done.code == 1
    assert {failure["kind"] for failure in done.document["failures"]} == {"LimitExceeded"}
    assert done.document["series"][0]["status"] == "failed"
    assert not list((tmp_path / "out").glob("1.*"))
    (path,) = write_series(tmp_path / "odd", 1)
    change_attributes(path, PixelData=pydicom.dcmread(path).PixelData + b"\0" * 8)
    done = decode_to_npy(tmp_path / "odd", tmp_path / "tolerated", "--json")
    assert done.code == 0
    assert sum(done.document["warnings"].values()) >= 1
    assert decode_to_npy(tmp_path / "odd", tmp_path / "strict", "--strict").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--frames", "a"],
        ["--threads", "0"],
        ["--dtype", "nonsense"],
        ["--dtype", "U5"],
        ["--format", "gif"],
        ["--max-bytes", "-1"],
    ],
)
def test_decode_with_invalid_arguments_exits_with_2(tmp_path: Path, arguments: list[str]) -> None:
    done = dicoxide_command("decode", tmp_path, "-o", tmp_path / "out", *arguments)
    assert done.code == 2
    assert not (tmp_path / "out").exists()


def test_decode_of_pydicom_files_equals_pydicom(tmp_path: Path) -> None:
    """Each output value equals that of pydicom for its source."""
    done = decode_to_npy(PYDICOM_FILES / "test_files", tmp_path / "out", "--json")
    assert done.code == 1
    checked = left_out = 0
    for sidecar in (tmp_path / "out").glob("*.json"):
        report = json.loads(sidecar.read_text())
        array = np.load(sidecar.with_suffix(".npy"))
        assert len(array) == len(report["sources"])
        left_out += sum(len(finding["left_out"]) for finding in report["findings"])
        for index, (path, frame) in enumerate(zip(report["sources"], report["frame_indices"], strict=True)):
            syntax = (
                report["transfer_syntax"]
                if isinstance(report["transfer_syntax"], str)
                else report["transfer_syntax"][index]
            )
            if syntax.startswith("1.2.840.10008.1.2.4") and syntax not in {
                "1.2.840.10008.1.2.4.57",
                "1.2.840.10008.1.2.4.70",
            }:
                continue
            with warnings.catch_warnings(), dicoxide.enabled():
                warnings.simplefilter("ignore")
                expected = pydicom.dcmread(path, force=True).pixel_array
            np.testing.assert_array_equal(array[index], expected if frame is None else expected[frame])
            checked += 1
    assert checked > 50
    assert left_out
    # Files that are in no array are reported in a sidecar or in the failures.
    report = (tmp_path / "out" / "errors.jsonl").read_text()
    report += "".join(path.read_text() for path in (tmp_path / "out").glob("*.json"))
    for path in (PYDICOM_FILES / "test_files").rglob("*.dcm"):
        with path.open("rb") as file:
            is_part10 = file.read(132)[128:] == b"DICM"
        assert not is_part10 or "DICOMDIR" in path.name or json.dumps(str(path))[1:-1] in report, path


def test_looks_like_dicom_recognises_headers() -> None:
    def looks(data: bytes) -> bool:
        return looks_like_dicom(data, len(data))

    assert looks(bytes(128) + b"DICM")
    assert looks(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100")
    assert looks(b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100")
    assert looks(b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100")
    assert looks(b"\0\0\0\0\x04\0\0\0\x38\0\0\0")
    assert looks(b"\x02\x00\x00\x00UL\x04\x00\x00\x00\x00\x00")
    assert not looks(b"")
    assert not looks(b"\x08\x00")
    assert not looks(b"\x08\x00\x05\x00\xff\xff\x00\x00ISO_IR 100")
    assert not looks(b"GIF89a" + bytes(200))
    assert not looks(bytes(200))
