"""`dicoxide decode --resume`: the ledger, output folders and full disks."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from support.command_line import (
    change_attributes,
    decode_by_pydicom,
    decode_to_npy,
    dicoxide_command,
    read_json_lines,
    truncate_frame,
    write_series,
)


def test_decode_dry_run_writes_nothing(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 4)
    done = decode_to_npy(tmp_path / "in", tmp_path / "out", "--dry-run")
    assert done.code == 0
    assert "1.2.3.4  4×12×10  uint16" in done.out
    assert not (tmp_path / "out").exists()
    done = dicoxide_command("decode", tmp_path / "in", "--dry-run", "--json")
    assert done.document["series"][0]["status"] == "planned"


def test_resume_skips_complete_series(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 4)
    write_series(tmp_path / "in", 2, series="1.2.3.5")
    out = tmp_path / "out"
    assert decode_to_npy(tmp_path / "in", out).code == 0
    before = (out / "1.2.3.4.npy").stat().st_mtime_ns

    def statuses(*more: object) -> list[str]:
        done = decode_to_npy(tmp_path / "in", out, "--resume", "--json", *more)
        assert done.code == 0, done.err
        return [series["status"] for series in done.document["series"]]

    assert statuses() == ["resumed", "resumed"]
    assert (out / "1.2.3.4.npy").stat().st_mtime_ns == before
    (out / "1.2.3.5.npy").unlink()
    assert statuses() == ["resumed", "written"]
    change_attributes(paths[0], PatientID="changed")
    assert statuses() == ["written", "resumed"]
    assert statuses("--rescale") == ["written", "written"]
    # An incomplete line at the end, as after a power failure.
    with (out / "ledger.jsonl").open("a") as file:
        file.write('{"name": "1.2.3')
    assert statuses("--rescale") == ["resumed", "resumed"]
    assert all(read_json_lines(out / "ledger.jsonl"))


def test_resume_retries_failed_series(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 3, is_jpeg=True)
    whole = paths[1].read_bytes()
    truncate_frame(paths[1])
    assert decode_to_npy(tmp_path / "in", tmp_path / "out").code == 1
    assert decode_to_npy(tmp_path / "in", tmp_path / "out", "--resume").code == 1
    paths[1].write_bytes(whole)
    assert decode_to_npy(tmp_path / "in", tmp_path / "out", "--resume").code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1.2.3.4.npy"), decode_by_pydicom(paths))
    assert (tmp_path / "out" / "errors.jsonl").read_text() == ""


def test_decode_after_an_empty_run_needs_no_resume(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert decode_to_npy(tmp_path / "in", tmp_path / "out").code == 1
    write_series(tmp_path / "in", 2)
    assert decode_to_npy(tmp_path / "in", tmp_path / "out").code == 0
    assert decode_to_npy(tmp_path / "in", tmp_path / "out").code == 2


def test_resume_removes_outputs_of_series_that_fail(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 1, is_jpeg=True)
    other = write_series(tmp_path / "in", 2, series="1.2.3.5")
    out = tmp_path / "out"
    assert decode_to_npy(tmp_path / "in", out).code == 0
    # As if the run had been killed between writing the array and its ledger line.
    ledger_lines = (out / "ledger.jsonl").read_text().splitlines(keepends=True)
    (out / "ledger.jsonl").write_text("".join(line for line in ledger_lines if '"1.2.3.4"' not in line))
    truncate_frame(paths[0])
    assert decode_to_npy(tmp_path / "in", out, "--resume").code == 1
    assert sorted(path.name for path in out.glob("1.*")) == ["1.2.3.5.json", "1.2.3.5.npy"]
    # An incomplete series is not regarded as finished when its sources are restored.
    whole, status = other[0].read_bytes(), other[0].stat()
    other[0].write_bytes(whole[:-20])
    assert decode_to_npy(tmp_path / "in", out, "--resume").code == 1
    assert len(np.load(out / "1.2.3.5.npy")) == 1
    other[0].write_bytes(whole)
    os.utime(other[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert decode_to_npy(tmp_path / "in", out, "--resume", "--json").document["series"][1]["written"] == 2


def test_decode_into_unsuitable_folder_exits_with_2(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 2)
    out = tmp_path / "out"
    assert decode_to_npy(tmp_path / "in", out).code == 0
    assert decode_to_npy(tmp_path / "in", out).code == 2
    done = dicoxide_command("decode", tmp_path / "in", "-o", out, "--format", "nifti", "--resume")
    assert done.code == 2
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    for more in ((), ("--resume",)):
        done = decode_to_npy(tmp_path / "in", tmp_path / "other", *more)
        assert done.code == 2
        assert done.err.startswith("dicoxide decode: ")
        assert len(done.err.splitlines()) == 1
    assert decode_to_npy(tmp_path / "in", tmp_path / "other" / "mine.txt" / "below").code == 2
    assert dicoxide_command("decode", tmp_path / "in").code == 2
    assert sorted(os.listdir(tmp_path / "other")) == ["mine.txt"]


@pytest.mark.parametrize("form", ["npy", "zarr", "nifti"])
def test_decode_on_a_full_disk_fails_and_resumes(tmp_path: Path, form: str) -> None:
    pytest.importorskip({"npy": "numpy", "zarr": "zarr", "nifti": "nibabel"}[form])
    write_series(tmp_path / "in", 40, series="1.2.3.1", rows=64, columns=64)
    write_series(tmp_path / "in", 3, series="1.2.3.2")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    arguments = ("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", form, "--json")
    done = dicoxide_command(*arguments, preexec_fn=limited)
    assert done.code == 1, done.err
    (failure,) = read_json_lines(tmp_path / "out" / "errors.jsonl")
    assert (failure["kind"], failure["series"]) == ("Write", "1.2.3.1")
    assert "file too large" in failure["message"]
    assert [series["status"] for series in done.document["series"]] == ["failed", "written"]
    assert not list((tmp_path / "out").glob("1.2.3.1*"))
    assert list((tmp_path / "out").glob("1.2.3.2*"))
    assert not (tmp_path / "out" / ".partial").exists()
    again = dicoxide_command(*arguments, "--resume")
    assert again.code == 0
    assert [series["status"] for series in again.document["series"]] == ["written", "resumed"]
    assert [series["written"] for series in again.document["series"]] == [40, 3]
