"""`support.processes`: no child of a test outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support import processes
from support.processes import default_sigint_action, run, run_in_fork, run_script, script, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def assert_ended(pids: list[int]) -> None:
    """Waits for processes that have been killed to disappear."""
    pause = threading.Event()
    for _ in range(600):
        if not any(map(is_running, pids)):
            return
        pause.wait(0.05)
    pytest.fail(f"still running: {[pid for pid in pids if is_running(pid)]}")


def descendants(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(pid) for pid in process.stdout.readline().split()]


@pytest.mark.parametrize("error", [AssertionError, KeyboardInterrupt])
def test_started_when_the_block_raises_kills_descendants(error: type[BaseException]) -> None:
    pids: list[int] = []

    def fail() -> None:
        with started(script("spawn_descendants"), stdout=subprocess.PIPE, text=True) as process:
            pids.extend(descendants(process))
            assert all(map(is_running, pids))
            raise error

    with pytest.raises(error):
        fail()
    assert len(pids) == 2
    assert_ended(pids)


def test_started_when_the_block_ends_kills_descendants() -> None:
    with started(script("spawn_descendants"), stdout=subprocess.PIPE, text=True) as process:
        pids = descendants(process)
    assert process.returncode == -signal.SIGKILL
    assert_ended(pids)


@pytest.mark.parametrize(("how", "code"), [("kill", -signal.SIGKILL), ("exit", 3)])
def test_started_when_the_test_process_is_killed_kills_descendants(how: str, code: int) -> None:
    # Output goes to a pipe that descendants inherit: reading to its end would wait for them.
    command = script("die_with_child_processes", how)
    with subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, text=True, env=processes.environment()
    ) as process:
        pids = descendants(process)
        assert process.wait() == code
    assert len(pids) == 2
    assert_ended(pids)


def test_run_after_its_timeout_kills_the_child() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run([sys.executable, "-c", "import time; time.sleep(600)"], timeout=0.2)


def test_run_with_check_shows_output_of_a_failed_child() -> None:
    with pytest.raises(AssertionError, match="the reason"):
        run([sys.executable, "-c", "raise SystemExit('the reason')"], check=True)


@pytest.mark.parametrize("action", [signal.SIG_IGN, signal.default_int_handler], ids=["ignored", "default"])
def test_child_handles_sigint_whatever_the_test_process_does(action: Callable[..., None]) -> None:
    before = signal.signal(signal.SIGINT, action)
    try:
        assert run_script("report_sigint").stdout == "default\n"
        assert signal.getsignal(signal.SIGINT) == action
        with default_sigint_action(), pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == action
    finally:
        signal.signal(signal.SIGINT, before)


def test_run_in_fork_returns_the_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> bool:
        raise ValueError("the reason")

    assert run_in_fork(lambda: True) == 0
    assert run_in_fork(lambda: False) == 1
    assert run_in_fork(fail) == 1
    assert "the reason" in capfd.readouterr().err


def test_run_in_fork_after_its_seconds_kills_the_child() -> None:
    pause = threading.Event()
    assert run_in_fork(lambda: pause.wait(600), seconds=1) == -signal.SIGALRM


def test_child_is_ended_by_taskkill_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run_taskkill(command: list[str], **options: object) -> None:
        commands.append(command)
        os.kill(int(command[-1]), signal.SIGKILL)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "run", run_taskkill)
    with processes.started([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        pass
    assert commands == [["taskkill", "/F", "/T", "/PID", str(process.pid)]]
    assert process.returncode == -signal.SIGKILL
