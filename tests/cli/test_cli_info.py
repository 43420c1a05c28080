"""``dicoxide info``, progress, and messages about missing optional packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from dicoxide import _extras, cli
from dicoxide.cli import _progress
from dicoxide.cli._text import stdout_to_stderr
from support.command_line import dicoxide_arguments, dicoxide_command, write_series
from support.processes import TIMEOUT_SECONDS, environment, run, started
from support.real_images import ROOT

EMRI = ROOT / "tests" / "vectors" / "emri_small_RLE.dcm"


def test_info_of_file_prints_attributes_and_decoder() -> None:
    done = dicoxide_command("info", EMRI)
    assert done.code == 0
    for text in ("64 rows × 64 columns, 10 frames", "RLELossless", "decoder", "dicoxide", "codec", "MONOCHROME2", "MR"):
        assert text in done.out
    (file,) = dicoxide_command("info", EMRI, "--json").document["files"]
    assert file["path"] == str(EMRI)
    assert (file["rows"], file["columns"], file["number_of_frames"]) == (64, 64, 10)
    assert (file["bits_allocated"], file["bits_stored"], file["decoder"], file["codec"]) == (16, 12, "dicoxide", "rle")
    assert file["transfer_syntax"] == "1.2.840.10008.1.2.5"


def test_info_of_folder_groups_by_series(tmp_path: Path) -> None:
    write_series(tmp_path / "a", 4)
    write_series(tmp_path / "b", 2, series="1.2.3.5", is_jpeg=True)
    (tmp_path / "readme").write_text("no image")
    result = dicoxide_command("info", tmp_path, "--json")
    assert result.code == 0
    document = result.document
    assert (document["found"], document["skipped"], document["files"]) == (6, 1, [])
    assert [
        (series["name"], series["files"], series["slices"], series["modality"]) for series in document["series"]
    ] == [
        ("1.2.3.4", 4, 4, "CT"),
        ("1.2.3.5", 2, 2, "CT"),
    ]
    assert document["series"][1]["transfer_syntaxes"][0]["keyword"] == "JPEGLosslessSV1"
    assert len(dicoxide_command("info", tmp_path, "--json", "--files").document["files"]) == 6
    text = dicoxide_command("info", tmp_path).out
    assert "4×12×10  uint16" in text
    assert "6 DICOM files, 1 other file skipped" in text


def test_info_of_undecodable_files_fails(tmp_path: Path) -> None:
    (path,) = write_series(tmp_path, 1)
    data = path.read_bytes()
    # An unknown transfer syntax of the same length.
    path.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.1\0", 1))
    shutil.copy(get_testdata_file("rtplan.dcm"), tmp_path)
    done = dicoxide_command("info", tmp_path, "--json")
    assert done.code == 1
    assert {Path(failure["path"]).name: failure["kind"] for failure in done.document["failures"]} == {
        path.name: "Unsupported",
        "rtplan.dcm": "NoImage",
    }
    assert "no decoder for transfer syntax 1.2.840.10008.1.9.1" in done.err
    assert dicoxide_command("info", tmp_path / "gone").code == 1
    assert dicoxide_command("info").code == 2


def test_nothing_on_stdout_redirects_all_output(capfd: pytest.CaptureFixture[str]) -> None:
    with stdout_to_stderr():
        os.write(1, b"from C\n")
        print("from Python")
        run([sys.executable, "-c", "print('from a child')"], check=True, stdout=None, stderr=None)
    print("the answer")
    captured = capfd.readouterr()
    assert captured.out == "the answer\n"
    assert sorted(captured.err.splitlines()) == ["from C", "from Python", "from a child"]


def test_info_and_decode_of_undecodable_file_names(tmp_path: Path) -> None:
    (path,) = write_series(tmp_path / "in", 1)
    try:
        os.rename(path, os.fsencode(tmp_path / "in") + b"/\xff\n.dcm")
    except OSError:
        pytest.skip("the file system requires valid text")
    done = dicoxide_command("info", tmp_path / "in", "--files")
    assert done.code == 0, done.err
    assert r"\xff\n.dcm" in done.out
    done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy")
    assert done.code == 0, done.err
    assert r"\xff" in (tmp_path / "out" / "1.2.3.4.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["--format", "zarr"], "zarr", "bulk"),
        (["--format", "png"], "pillow", "bulk"),
        (["--format", "npy", "--dask", "local"], "dask", "dask"),
    ],
)
def test_decode_without_package_names_the_extra(
    tmp_path: Path,
    arguments: list[str],
    package: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(_extras, "find_spec", lambda name: None)
    assert cli.main(["decode", str(tmp_path), "-o", str(tmp_path / "out"), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f'needs the package {package}: pip install "dicoxide[{extra}]"')
    assert not (tmp_path / "out").exists()


def test_decode_to_npy_needs_no_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_extras, "find_spec", lambda name: None)
    write_series(tmp_path / "in", 2)
    assert cli.main(["decode", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--format", "npy"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "1 series written" in captured.err
    assert "0 failures" in captured.err


def test_progress_without_terminal_prints_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_progress, "_PLAIN_SECONDS", 0.0)
    with _progress.Progress(frames=10, files=5) as progress:
        progress.add(2, 1, 1_000_000, 0)
        progress.add(8, 4, 0, 3)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("1/5 files, 2/10 frames, ")
    assert "s left" in first
    assert second.startswith("5/5 files, 10/10 frames, ")
    assert second.endswith("3 errors")
    monkeypatch.setattr(_progress, "_PLAIN_SECONDS", 60.0)
    with _progress.Progress(frames=10, files=5) as progress:
        progress.add(2, 1, 1_000_000, 0)
    assert capsys.readouterr().err == ""


def _on_terminal(arguments: list[Any]) -> tuple[int, str]:
    """Run a command whose stderr is a terminal; return its exit code and the terminal output."""
    master, slave = os.openpty()
    terminal = environment(TERM="xterm", COLUMNS="120")
    with started(dicoxide_arguments(*arguments), env=terminal, stderr=slave, stdout=subprocess.DEVNULL) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
        os.close(master)
        return process.wait(timeout=TIMEOUT_SECONDS), shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_progress_on_terminal_is_live(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    write_series(tmp_path / "in", 30)
    (tmp_path / "in" / "empty.dcm").touch()
    code, shown = _on_terminal(["decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy"])
    assert code == 1
    assert "\x1b[" in shown
    assert "30/30 files, 30/30 frames" in shown
    assert "empty.dcm: NotDicom: not a DICOM file (empty)" in shown
    assert "31 files read" in shown
    assert "Traceback" not in shown
