"""Fallback decoders that may crash run in a process of their own, which is the only one to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import JPEG2000

import dicoxide
from dicoxide._fallback_decoders import isolated_process, pydicom_plugins
from support.codestream_headers import FRAMES, jpeg_2000
from support.encoders.dataset import dataset, to_bytes
from support.processes import STAND_INS, default_sigint_action, environment, run, run_in_fork, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")

GDCM = (STAND_INS / "fallback" / "gdcm.py").read_text()


@pytest.fixture(autouse=True)
def gdcm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Provide a stand-in gdcm for child processes; this process never imports it."""
    (tmp_path / "gdcm.py").write_text(GDCM)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(get_decoder(JPEG2000), "_available", {"gdcm": None})
    # As if there were no codec: then the errors of fallback decoders are raised, and not that of the core.
    monkeypatch.setattr("dicoxide._image._SYNTAXES_WITH_CODEC", frozenset())
    isolated_process.stop()
    yield
    assert len(isolated_process._idle) == len(isolated_process._alive)
    isolated_process.stop()


def file(*what: bytes | np.ndarray[Any, Any]) -> bytes:
    coded = []
    for item in what:
        samples = item if isinstance(item, np.ndarray) else np.frombuffer(item.ljust(35), np.uint8).reshape(5, 7)
        coded.append(jpeg_2000(samples))
    return to_bytes(dataset(np.zeros((len(what), 5, 7), np.uint8), JPEG2000, coded=coded))


def pids() -> set[int]:
    return {process._process.pid for process in isolated_process._alive}


def test_process_decodes_several_frames() -> None:
    data = file(*FRAMES)
    assert np.array_equal(dicoxide.decode(data), FRAMES)
    [first] = pids()
    assert np.array_equal(dicoxide.decode(data, frames=[3, 1], raw=True), FRAMES[[3, 1]])
    assert pids() == {first}


def test_process_that_aborts_raises_decode_error() -> None:
    data = file(b"abort", FRAMES[0], b"abort", b"abort")
    with pytest.raises(dicoxide.DecodeError, match="gdcm: the process was ended by SIGABRT") as caught:
        dicoxide.decode(data, frames=0)
    assert (caught.value.kind, caught.value.frame_index) == ("Fallback", 0)
    assert np.array_equal(dicoxide.decode(data, frames=1), FRAMES[0])
    for index in (2, 3):
        with pytest.raises(dicoxide.DecodeError, match="SIGABRT"):
            dicoxide.decode(data, frames=index)
    assert np.array_equal(dicoxide.decode(data, frames=1), FRAMES[0])
    decoded = list(dicoxide.decode_many([data, file(FRAMES[2])], on_error="return"))
    assert isinstance(decoded[0][1], dicoxide.DecodeError)
    assert np.array_equal(decoded[1][1], FRAMES[2])


def test_process_errors_and_warnings_are_reported() -> None:
    with pytest.raises(dicoxide.DecodeError, match=r"pydicom's decoders failed: gdcm: no such thing$"):
        dicoxide.decode(file(b"raise"))
    with pytest.raises(dicoxide.DecodeError, match="gdcm: "):
        dicoxide.decode(file(b"short"))
    first = pids()
    with pytest.warns(UserWarning, match="odd"):
        assert dicoxide.decode(file(b"warns")).tobytes() == b"warns".ljust(35)
    assert pids() == first


def test_process_decoder_is_tried_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(src: bytes, runner: Any) -> bytearray:
        raise ValueError("not mine")

    monkeypatch.setattr(get_decoder(JPEG2000), "_available", {"gdcm": None, "second": refuses, "dicoxide": None})
    assert pydicom_plugins.available_plugins(JPEG2000) == ("second", "gdcm")
    assert np.array_equal(dicoxide.decode(file(FRAMES[0])), FRAMES[0])
    with pytest.raises(dicoxide.DecodeError, match=r"failed: second: not mine; gdcm: no such thing$"):
        dicoxide.decode(file(b"raise"))


def test_process_is_ended_by_an_interrupt() -> None:
    assert np.array_equal(dicoxide.decode(file(FRAMES[0])), FRAMES[0])
    [process] = isolated_process._alive
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with default_sigint_action():
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            dicoxide.decode(file(b"sleep"))
        timer.join()
    assert process._process.returncode is not None
    assert not isolated_process._alive
    assert np.array_equal(dicoxide.decode(file(FRAMES[1])), FRAMES[1])


def test_process_that_was_killed_is_restarted() -> None:
    for index in range(2):
        assert np.array_equal(dicoxide.decode(file(FRAMES[index])), FRAMES[index])
        [process] = isolated_process._alive
        process._process.kill()
    assert np.array_equal(dicoxide.decode(file(FRAMES[2])), FRAMES[2])


@pytest.mark.skipif(sys.platform != "linux", reason="frames are decoded in a child on Linux")
def test_worker_killed_while_idle_is_replaced() -> None:
    for index in range(3):
        assert np.array_equal(dicoxide.decode(file(FRAMES[index])), FRAMES[index])
        [process] = isolated_process._alive
        [child] = children(process)
        os.kill(child, signal.SIGKILL)
        while _stat(Path(f"/proc/{child}")).rpartition(")")[2].split()[0] != "Z":
            pass
    assert isolated_process._alive == {process}


@pytest.mark.skipif(sys.platform != "linux", reason="frames are decoded in a child on Linux")
def test_worker_killed_during_its_answer_raises_decode_error() -> None:
    frame = np.random.default_rng(3).integers(0, 256, (1200, 1000), np.uint8)
    frame[0, 2] = 7
    data = to_bytes(dataset(frame, JPEG2000, coded=[jpeg_2000(frame)]))
    assert np.array_equal(dicoxide.decode(data), frame)
    [process] = isolated_process._alive
    [child] = children(process)
    with pytest.MonkeyPatch.context() as patch:

        def late(*given: Any) -> None:
            # The answer is larger than the buffer of a socket.
            os.kill(child, signal.SIGKILL)
            receive_into(*given)

        receive_into = isolated_process.receive_into
        patch.setattr(isolated_process, "receive_into", late)
        with pytest.raises(dicoxide.DecodeError, match="SIGKILL"):
            dicoxide.decode(data)
    for _ in range(2):
        assert np.array_equal(dicoxide.decode(data), frame)


@pytest.mark.skipif(sys.platform != "linux", reason="frames are decoded in a child on Linux")
@pytest.mark.parametrize("how", ["kill", "oom"])
def test_worker_killed_fails_only_its_frame(how: str) -> None:
    # The next frame gets a new worker with a new socket.
    data = file(FRAMES[0], b"sleep" if how == "kill" else b"memory", FRAMES[2])
    assert np.array_equal(dicoxide.decode(data, frames=0), FRAMES[0])
    [process] = isolated_process._alive
    if how == "kill":
        timer = threading.Timer(0.3, lambda: [os.kill(child, signal.SIGKILL) for child in children(process)])
        timer.start()
    with pytest.raises(dicoxide.DecodeError, match=r"SIGKILL$|gdcm: no reason given$"):
        dicoxide.decode(data, frames=1)
    for _ in range(3):
        assert np.array_equal(dicoxide.decode(data, frames=2), FRAMES[2])
    assert isolated_process._alive == {process}


def children(process: Any) -> list[int]:
    stats = {int(path.name): _stat(path).rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*")}
    return [pid for pid, stat in stats.items() if stat and int(stat[1]) == process._process.pid]


def test_process_is_ended_by_an_exception_of_a_signal_handler() -> None:
    # Sockets raise exceptions of the same class.
    data = file(FRAMES[0], b"sleep")
    dicoxide.decode(data, frames=0)

    def late(*_: object) -> None:
        raise TimeoutError("late")

    before = signal.signal(signal.SIGALRM, late)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(dicoxide.DecodeError, match="gdcm: late"):
            dicoxide.decode(data, frames=1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not isolated_process._alive
    assert np.array_equal(dicoxide.decode(data, frames=0), FRAMES[0])


def test_stop_with_a_held_lock_does_not_hang() -> None:
    dicoxide.decode(file(FRAMES[0]))
    [process] = isolated_process._alive
    with process._process._waitpid_lock, pytest.MonkeyPatch.context() as patch:  # type: ignore[attr-defined]
        patch.setattr(isolated_process, "_END_SECONDS", 0.1)
        isolated_process.stop()
    process._process.wait()
    assert np.array_equal(dicoxide.decode(file(FRAMES[1])), FRAMES[1])


@pytest.mark.parametrize("noise", ["at import", "much", "odd path"])
def test_process_tolerates_printed_output_and_odd_paths(
    noise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if noise == "odd path":
        monkeypatch.setattr(sys, "path", [tmp_path, b"bytes", "", "a:b", *sys.path])
    elif noise == "at import":
        monkeypatch.setenv("PYTHONUNBUFFERED", "1")
        (tmp_path / "gdcm.py").write_text("print('here I am')\n" + GDCM)
    else:
        (tmp_path / "gdcm.py").write_text(GDCM.replace("on the standard output", "x" * 300_000))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    assert np.array_equal(dicoxide.decode(file(*FRAMES)), FRAMES)


def test_process_limits_warnings_and_message_length() -> None:
    with pytest.warns(UserWarning, match="^é+$") as caught:
        assert dicoxide.decode(file(b"verbose")).tobytes() == b"verbose".ljust(35)
    assert len(caught) == 20
    with pytest.raises(dicoxide.DecodeError, match="gdcm: é+$") as failed:
        dicoxide.decode(file(b"wordy"))
    assert len(str(failed.value)) < 2500


def test_each_thread_has_its_own_process() -> None:
    frames = np.random.default_rng(5).integers(0, 256, (4, 12, 5, 7), np.uint8)
    # The byte where pydicom finds the precision (T.800 A.5.1).
    frames[..., 0, 2] = 7
    failed: list[int] = []

    def work(frame: np.ndarray[Any, Any]) -> None:
        data = file(*frame, b"abort")
        failed.extend(i for i, item in enumerate(frame) if not np.array_equal(dicoxide.decode(data, frames=i), item))
        with pytest.raises(dicoxide.DecodeError, match="SIGABRT"):
            dicoxide.decode(data, frames=len(frame))

    threads = [threading.Thread(target=work, args=(frame,)) for frame in frames]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert 1 <= len(pids()) <= 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_starts_its_own_process() -> None:
    data = file(*FRAMES)
    assert np.array_equal(dicoxide.decode(data), FRAMES)
    before = pids()

    def decode_in_child() -> bool:
        is_right = np.array_equal(dicoxide.decode(data), FRAMES) and pids().isdisjoint(before)
        isolated_process.stop()
        return is_right

    assert run_in_fork(decode_in_child) == 0
    assert np.array_equal(dicoxide.decode(data), FRAMES)
    assert pids() == before


@pytest.mark.skipif(sys.platform != "linux", reason="processes as Linux shows them")
@pytest.mark.parametrize("state", ["idle", "busy"])
@pytest.mark.parametrize("end", ["_exit", "exit", "kill", "abort"])
def test_process_ends_with_its_parent(end: str, state: str, tmp_path: Path) -> None:
    (tmp_path / "image.dcm").write_bytes(file(FRAMES[0], b"sleep"))
    # The import of the NumPy backend warns.
    options = ["-W", "error", "-W", "ignore:dicoxide decodes in plain NumPy:RuntimeWarning"]
    command = script("end_with_fallback_process", tmp_path / "image.dcm", state, end, options=options)
    done = run(command, env=environment(tmp_path))
    assert done.stdout, done.stderr
    if state == "idle":
        assert done.stderr == ""
    pid = int(done.stdout)
    waited = threading.Event()
    for _ in range(500):
        groups = [stat.rpartition(")")[2].split()[:3] for stat in map(_stat, Path("/proc").glob("[0-9]*")) if stat]
        # The process and its worker share a group; zombies may not be reaped yet.
        if not [state for state, _, group in groups if int(group) == pid and state != "Z"]:
            return
        waited.wait(0.02)
    pytest.fail(f"{pid} is still there")


def _stat(process: Path) -> str:
    try:
        return (process / "stat").read_text()
    except OSError:
        return ""


def test_process_that_cannot_start_raises_decode_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "frozen", True, raising=False)
        assert pydicom_plugins.available_plugins(JPEG2000) == ()
        assert "gdcm needs a process of its own" in pydicom_plugins.why_unavailable(JPEG2000)
        with pytest.raises(dicoxide.UnsupportedError):
            dicoxide.decode(file(FRAMES[0]))
    for program in ("/no/such/interpreter", "/bin/true", "/bin/cat"):
        with monkeypatch.context() as patch:
            patch.setattr(isolated_process, "_interpreter", lambda program=program: program)
            with pytest.raises(dicoxide.DecodeError, match="gdcm: no process could be started"):
                dicoxide.decode(file(FRAMES[0]))
    with monkeypatch.context() as patch:
        # A process that never answers.
        patch.setattr(isolated_process, "_interpreter", lambda: sys.executable)
        patch.setattr(isolated_process, "_START_SECONDS", 0.3)
        (tmp_path / "silent.py").write_text("import time; time.sleep(60)")
        patch.setattr(isolated_process, "_WORKER", tmp_path / "silent.py")
        with pytest.raises(dicoxide.DecodeError, match="gdcm: no process could be started"):
            dicoxide.decode(file(FRAMES[0]))
    assert np.array_equal(dicoxide.decode(file(FRAMES[0])), FRAMES[0])
