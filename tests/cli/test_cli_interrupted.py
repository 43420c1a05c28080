"""Runs of ``dicoxide decode`` that are killed, interrupted or disturbed, and resumed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicoxide.bulk.runs import FrameSelection, Ledger, RunOptions, SourceScan, plan_tasks, run_tasks
from dicoxide.bulk.series import Header
from support.command_line import decode_by_pydicom, dicoxide_arguments, dicoxide_command, read_json_lines, write_series
from support.processes import TIMEOUT_SECONDS, environment, started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

SERIES = 50


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray[Any, Any]]]:
    """Return a folder of many series, so that a run can be ended midway, and their values by name."""
    folder = tmp_path_factory.mktemp("archive")
    expected = {}
    for number in range(SERIES):
        name = f"1.2.3.{number}"
        paths = write_series(folder / name, 4, series=name, seed=number, rows=400, columns=400, is_jpeg=True)
        expected[name] = decode_by_pydicom(paths)
    return folder, expected


@contextlib.contextmanager
def started_run(archive: Path, out: Path, *more: str, finished: int = 2) -> Iterator[subprocess.Popen[str]]:
    """Start a run and wait until it has finished a few series."""
    command = dicoxide_arguments("decode", archive, "-o", out, *more)
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        ledger = out / "ledger.jsonl"
        while not (ledger.exists() and ledger.read_text().count("\n") > finished):
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        yield process


def whole(out: Path, form: str, expected: dict[str, np.ndarray[Any, Any]]) -> int:
    """Return the number of written series, after checking their values."""
    if form == "npy":
        result = {path.stem: np.load(path) for path in out.glob("*.npy")}
    else:
        import zarr

        result = {name: array[:] for name, array in zarr.open_group(out, mode="r").arrays()}
    for name, array in result.items():
        np.testing.assert_array_equal(array, expected[name])
    return len(result)


@pytest.mark.parametrize("form", ["npy", "zarr"])
@pytest.mark.parametrize("how", ["kill", "interrupt"])
@pytest.mark.filterwarnings("ignore:Object at")
def test_decode_killed_or_interrupted_resumes_without_loss(
    tmp_path: Path, archive: tuple[Path, dict[str, np.ndarray[Any, Any]]], form: str, how: str
) -> None:
    if form == "zarr":
        pytest.importorskip("zarr")
    folder, expected = archive
    out = tmp_path / "out"
    with started_run(folder, out, "--format", form, "--json", "--threads", "1") as process:
        process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGINT)
        printed, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    done = len(read_json_lines(out / "ledger.jsonl")) - 1
    if done == SERIES:
        pytest.skip("the run was over before it was ended")
    assert done >= 2
    if how == "kill":
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert "interrupted; partial results: complete series are kept, --resume continues" in errors
        assert "Traceback" not in errors
        assert json.loads(printed)["interrupted"] is True
        assert not (out / ".partial").exists()
    # Series are written before their ledger lines: a few may have none yet, and are written again.
    assert done <= whole(out, form, expected) <= SERIES
    resumed = dicoxide_command("decode", folder, "-o", out, "--format", form, "--resume", "--json")
    assert resumed.code == 0, resumed.err
    statuses = [series["status"] for series in resumed.document["series"]]
    assert (statuses.count("resumed"), statuses.count("written")) == (done, SERIES - done)
    assert whole(out, form, expected) == SERIES
    assert not (out / ".partial").exists()


def test_decode_while_another_run_writes_exits_with_2(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    write_series(tmp_path / "in", 2)
    with Ledger(str(tmp_path / "out"), "npy", resume=False):
        done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy", "--resume")
    assert done.code == 2
    assert "another run is writing" in done.err


def test_run_with_changed_files_reports_them(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 4)
    headers = [header for header in SourceScan([str(tmp_path / "in")]) if isinstance(header, Header)]
    tasks, failures, _ = plan_tasks(headers, FrameSelection())
    assert not failures
    paths[1].write_bytes(paths[1].read_bytes() + b"\0\0")
    paths[2].unlink()
    (tmp_path / "out").mkdir()
    (result,) = run_tasks(tasks, str(tmp_path / "out"), RunOptions(format="npy"))
    assert [(failure.path, failure.kind) for failure in result.failures] == [
        (str(paths[1]), "Changed"),
        (str(paths[2]), "Unreadable"),
    ]
    assert result.slices == 2
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1.2.3.4.npy"), decode_by_pydicom([paths[0], paths[3]]))


def test_run_closed_early_removes_partial_files(tmp_path: Path) -> None:
    for number in range(6):
        write_series(tmp_path / "in", 3, series=f"1.2.3.{number}")
    tasks, _, _ = plan_tasks(
        (header for header in SourceScan([str(tmp_path / "in")]) if isinstance(header, Header)), FrameSelection()
    )
    (tmp_path / "out").mkdir()
    results = run_tasks(tasks, str(tmp_path / "out"), RunOptions(format="npy"))
    next(results)
    results.close()
    assert not list((tmp_path / "out" / ".partial").iterdir())


class TestDask:
    @pytest.fixture(autouse=True)
    def _distributed(self) -> None:
        pytest.importorskip("distributed")
        pytest.importorskip("dask")

    def test_decode_on_local_dask_cluster_resumes(
        self, tmp_path: Path, archive: tuple[Path, dict[str, np.ndarray[Any, Any]]]
    ) -> None:
        folder, expected = archive
        out = tmp_path / "out"
        arguments = ("decode", folder, "-o", out, "--format", "npy", "--dask", "local", "--threads", "2", "--json")
        done = dicoxide_command(*arguments)
        assert done.code == 0, done.err
        assert whole(out, "npy", expected) == SERIES
        again = dicoxide_command(*arguments, "--resume")
        assert {series["status"] for series in again.document["series"]} == {"resumed"}
        assert done.document["frames"] == 4 * SERIES

    def test_decode_on_dask_reports_failures(self, tmp_path: Path) -> None:
        from support.command_line import truncate_frame

        paths = write_series(tmp_path / "in", 3, is_jpeg=True)
        truncate_frame(paths[0])
        done = dicoxide_command(
            "decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy", "--dask", "local", "--threads", "1"
        )
        assert done.code == 1
        (failure,) = read_json_lines(tmp_path / "out" / "errors.jsonl")
        assert (failure["kind"], failure["path"]) == ("Truncated", str(paths[0]))

    @pytest.mark.filterwarnings("ignore")
    def test_decode_on_dask_survives_a_killed_worker(
        self,
        tmp_path: Path,
        archive: tuple[Path, dict[str, np.ndarray[Any, Any]]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from distributed import Client, LocalCluster

        folder, expected = archive
        out = tmp_path / "out"
        monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
        with (
            LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None, processes=True) as cluster,
            Client(cluster) as client,
        ):
            workers = list(client.run(os.getpid).values())
            assert len(set(workers)) == 3
            arguments = ("--format", "npy", "--dask", cluster.scheduler_address, "--json")
            with started_run(folder, out, *arguments) as process:
                os.kill(workers[0], signal.SIGKILL)
                printed, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 0, errors
        assert {series["status"] for series in json.loads(printed)["series"]} == {"written"}
        assert whole(out, "npy", expected) == SERIES
        assert len(read_json_lines(out / "ledger.jsonl")) == SERIES + 1
        assert not (out / ".partial").exists()

    def test_decode_without_dask_cluster_exits_with_2(self, tmp_path: Path) -> None:
        write_series(tmp_path / "in", 1)
        done = dicoxide_command(
            "decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy", "--dask", "tcp://127.0.0.1:9"
        )
        assert done.code == 2
        assert "no Dask cluster at tcp://127.0.0.1:9" in done.err
        assert "Traceback" not in done.err
