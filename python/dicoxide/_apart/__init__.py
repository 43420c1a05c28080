"""Decoders that may end the process they are in, asked in processes of their own.

A process is started when the first frame is for it, and kept. Either side says JSON and then bytes: what comes back is
samples or text, whatever became of the other side.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._apart._worker import Answer, EndError, ended, receive, receive_into, send

__all__ = ["ApartError", "decode", "ended", "stop"]

_WORKER = Path(__file__).with_name("_worker.py")
# For an interpreter to import pydicom, where all is slow.
_START_SECONDS = 120
# For a process to be gone that was ended.
_END_SECONDS = 5


class ApartError(Exception):
    """No samples: the decoder failed, ended its process, or there was none to ask."""


def decode(
    transfer_syntax: str,
    plugin: str,
    codestream: bytes,
    said: dict[str, Any],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> npt.NDArray[Any]:
    """Let a plugin of pydicom's decode one frame in another process.

    Parameters
    ----------
    said : dict
        What pydicom is told of the frame.
    shape, dtype
        What has to come of it, in native byte order.

    Raises
    ------
    ApartError
        If there are no such samples.
    """
    samples = np.empty(shape, dtype)
    request = {
        "transfer_syntax": transfer_syntax,
        "plugin": plugin,
        "said": said,
        "shape": shape,
        "dtype": dtype.str,
        "bytes": len(codestream),
        "samples_bytes": samples.nbytes,
    }
    answer = None
    with suppress(IndexError, EndError):
        # One that has ended while nobody asked it is not what this frame is told of.
        answer = _asked(_idle.pop(), request, codestream, samples)
    if answer is None:
        process = _Process()
        try:
            answer = _asked(process, request, codestream, samples)
        except EndError:
            raise ApartError(process.ending()) from None
    for text in answer.warnings:
        warnings.warn(text, UserWarning, stacklevel=2)
    if answer.failure is not None:
        raise ApartError(answer.failure)
    return samples


def stop() -> None:
    """End all processes; those that are asked next are new."""
    _idle.clear()
    for process in tuple(_alive):
        process.stop()


def _asked(process: _Process, request: dict[str, Any], codestream: bytes, samples: npt.NDArray[Any]) -> Answer:
    """What `process` answers, which is kept for others then and only then."""
    is_kept = is_over = False
    try:
        answer = process.ask(request, codestream, samples)
        is_kept = len(_idle) < (os.cpu_count() or 1)
        if is_kept:
            _idle.append(process)
        return answer
    except EndError:
        is_over = True
        raise
    finally:
        if not is_kept:
            # Of an interrupted call the answer is on its way still.
            process.stop(is_over=is_over)


class _Process:
    """One of them, as its parent sees it."""

    def __init__(self) -> None:
        try:
            self._socket, theirs = socket.socketpair()
        except OSError as error:
            raise ApartError(f"no process could be started for it: {error}") from error
        with theirs:
            try:
                self._process = subprocess.Popen(
                    # Where modules are it is told: not whatever directory this is.
                    [_interpreter(), "-P", str(_WORKER)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    # Ctrl-C is the parent's.
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                self._socket.close()
                raise ApartError(f"no process could be started for it: {error}") from error
        _alive.add(self)
        try:
            # That of a program whose interpreter is no program of its own may be anything.
            self._socket.settimeout(_START_SECONDS)
            send(self._socket, [one for one in sys.path if isinstance(one, str)])
            receive(self._socket)
            self._socket.settimeout(None)
        except (EndError, TimeoutError) as error:
            self.stop(is_over=isinstance(error, EndError))
            raise ApartError(f"no process could be started for it: {self.ending()}") from None
        except BaseException:
            self.stop()
            raise

    def ask(self, request: dict[str, Any], codestream: bytes, samples: npt.NDArray[Any]) -> Answer:
        """What became of it; `samples` are filled if that is no failure.

        Raises
        ------
        EndError
            If the process ended.
        """
        send(self._socket, request, codestream)
        answer = Answer(*receive(self._socket))
        if answer.failure is None:
            receive_into(self._socket, samples.data)
        return answer

    def ending(self) -> str:
        """How it ended."""
        code = self._process.returncode
        return "the process is still there" if code is None else ended(code)

    def stop(self, *, is_over: bool = False) -> None:
        """End it, with what it has for a child; one that ends by itself keeps its code."""
        _alive.discard(self)
        self._socket.close()
        if is_over:
            self._wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._wait()

    def _wait(self) -> None:
        # Without a limit it would wait for a lock that an interrupt may have left held.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)

    def forget(self) -> None:
        """Leave it to the parent of this process."""
        self._process.returncode = 0
        self._socket.close()


def _interpreter() -> str:
    # Programs that are no interpreters, but have one, can say there which one it is.
    from multiprocessing import spawn

    return os.fsdecode(spawn.get_executable())


# Those that nobody asks just now, and all: both are changed by single calls, which threads cannot tear.
_idle: list[_Process] = []
_alive: set[_Process] = set()


def _forget() -> None:
    # A socket that is open here too would not end with the parent.
    _idle.clear()
    for process in tuple(_alive):
        process.forget()
    _alive.clear()


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
