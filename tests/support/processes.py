"""Child processes of tests: each is ended with its descendants, however its test ends.

Every child leads a process group of its own. The group is killed when the call returns or the `with` block is left,
also after a failure or an interrupt. A guardian process kills the groups that remain if the test process itself is
killed. Children start with the default action of SIGINT, even if the test process ignores it, as it does under nohup.

Windows has no process groups to kill: there `taskkill` ends a child and its descendants, and no guardian runs.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dicoxide

SCRIPTS = Path(__file__).parent / "scripts"
STAND_INS = Path(__file__).parent / "stand_ins"
# The test run's own limits are larger; this one ends a child that hangs.
TIMEOUT_SECONDS = 300
_PR_SET_PDEATHSIG = 1
_TESTS = Path(__file__).parents[1]
_PACKAGE_PARENT = Path(dicoxide.__file__).parents[1]


def environment(*first: Path, **more: str) -> dict[str, str]:
    """Return this process's environment, in which a child imports `first`, the package under test and `support`."""
    folders = [*map(str, first), str(_PACKAGE_PARENT), str(_TESTS), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))} | more


@contextlib.contextmanager
def started(command: Sequence[object], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a child with the arguments of `subprocess.Popen`; on leaving the block its process group is killed."""
    options.setdefault("env", environment())
    with default_sigint_action():
        process = subprocess.Popen([os.fspath(_argument(part)) for part in command], start_new_session=True, **options)
    _guardian.add(process.pid)
    try:
        yield process
    finally:
        kill_group(process.pid)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        _guardian.remove(process.pid)


def run(
    command: Sequence[object],
    *,
    check: bool = False,
    input: Any = None,
    timeout: float = TIMEOUT_SECONDS,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a child to its end and capture its output as text; ``check`` asserts that it succeeds."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    if input is not None:
        streams["stdin"] = subprocess.PIPE
    with started(command, **streams) as process:
        out, errors = process.communicate(input, timeout=timeout)
    completed = subprocess.CompletedProcess(process.args, process.returncode, out, errors)
    if check:
        assert completed.returncode == 0, completed
    return completed


def script(name: str, *arguments: object, options: Sequence[str] = ()) -> list[object]:
    """Return the command that runs a file of ``support/scripts`` with this interpreter."""
    return [sys.executable, *options, SCRIPTS / f"{name}.py", *arguments]


def run_script(name: str, *arguments: object, check: bool = True, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a file of ``support/scripts`` to its end and capture its output; by default it has to succeed."""
    return run(script(name, *arguments), check=check, **options)


def run_in_fork(work: Callable[[], bool], seconds: int = 60) -> int:
    """Fork; return the child's exit code: 0 if `work` returned True in it, 1 otherwise.

    The child is killed if it takes more than `seconds`, or if the parent is interrupted while it waits.
    """
    child = os.fork()
    if child == 0:
        is_right = False
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(seconds)
            is_right = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0 if is_right else 1)
    with forked(child):
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextlib.contextmanager
def forked(child: int) -> Iterator[int]:
    """Make a forked child the leader of a group of its own, which is killed when the block is left."""
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    _guardian.add(child)
    try:
        yield child
    finally:
        kill_group(child)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
        _guardian.remove(child)


@contextlib.contextmanager
def default_sigint_action() -> Iterator[None]:
    """Handle SIGINT as Python does by default if the test process ignores it; children inherit the action."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def kill_group(group: int) -> None:
    """Kill all processes of a group; do nothing if there are none."""
    if sys.platform == "win32":
        # Fails if the process has ended; then its descendants are no longer known.
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(group)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def end_with_parent() -> None:
    """Have the system kill this process when its parent ends (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _argument(part: object) -> str | bytes | os.PathLike[Any]:
    return part if isinstance(part, str | bytes | os.PathLike) else str(part)


class _Guardian:
    """A process that outlives this one just long enough to kill the process groups that it left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def add(self, group: int) -> None:
        self._send(b"+%d\n" % group)

    def remove(self, group: int) -> None:
        self._send(b"-%d\n" % group)

    def _send(self, message: bytes) -> None:
        if sys.platform == "win32":
            return
        with self._lock:
            if self._process is None or self._owner != os.getpid():
                self._owner = os.getpid()
                command = [sys.executable, "-I", "-S", str(SCRIPTS / "process_guardian.py"), str(self._owner)]
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
                atexit.register(self._stop, self._process)
            assert self._process.stdin is not None
            self._process.stdin.write(message)

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


_guardian = _Guardian()
