"""Decoders that may end the process they are in, asked in processes of their own.

A process is started when the first frame is for it, and kept; what a frame has ended is there again for the next.
Either side says a line of JSON and then bytes: what comes back is samples or text, whatever became of the other side.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import struct
import subprocess
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LENGTH", "Answer", "ApartError", "decode", "ended", "stop"]

# Before the JSON of either side stands how long it is.
LENGTH = struct.Struct("<I")
_LONGEST = 1 << 20


class ApartError(Exception):
    """No samples: the decoder failed, ended its process, or there was none to ask."""


class Answer(NamedTuple):
    """What is said before samples."""

    # Of the request; 0 where the process that had it ended.
    number: int
    failure: str | None
    warnings: Sequence[str] = ()


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
    request = {
        "transfer_syntax": transfer_syntax,
        "plugin": plugin,
        "said": said,
        "shape": shape,
        "dtype": dtype.str,
        "bytes": len(codestream),
        "number": next(_numbers),
    }
    samples = np.empty(shape, dtype)
    process = _process()
    try:
        answer = process.ask(request, codestream, samples)
    except BaseException:
        # It has ended, or its answer is still in the pipe: that of an interrupted call.
        process.stop()
        raise
    _idle.append(process)
    for text in answer.warnings:
        warnings.warn(text, UserWarning, stacklevel=2)
    if answer.failure is not None:
        raise ApartError(answer.failure)
    return samples


def ended(code: int) -> str:
    """What an exit code says."""
    if code >= 0:
        return f"the process ended with exit code {code}"
    with suppress(ValueError):
        return f"the process was ended by {signal.Signals(-code).name}"
    return f"the process was ended by signal {-code}"


class _Process:
    """One of them, as its parent sees it."""

    def __init__(self) -> None:
        if getattr(sys, "frozen", False) or not sys.executable:
            raise ApartError("there is no interpreter to start a process for it")
        try:
            self._process = subprocess.Popen(
                # Modules lie where they lie for this process, and not in whatever directory this is.
                [sys.executable, "-P", "-m", __name__],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(one or os.curdir for one in sys.path)},
                # Buffers have locks, which a fork may leave held.
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Ctrl-C is the parent's.
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise ApartError(f"no process could be started for it: {error}") from error
        _alive.add(self)

    def ask(self, request: dict[str, Any], codestream: bytes, samples: npt.NDArray[Any]) -> Answer:
        """What became of it; `samples` are filled if that is no failure.

        Raises
        ------
        ApartError
            If the process ended.
        """
        to, back = self._pipes()
        text = json.dumps(request).encode()
        try:
            for data in (LENGTH.pack(len(text)), text, codestream):
                _write(to, data)
            (length,) = LENGTH.unpack(_read(back, bytearray(LENGTH.size)))
            if length > _LONGEST:
                raise ValueError("too long")
            answer = Answer(**json.loads(_read(back, bytearray(length))))
            if answer.number not in (request["number"], 0):
                raise ValueError("to another request")
            if answer.failure is None:
                _read(back, samples)
        except (OSError, EOFError):
            raise ApartError(ended(self._process.wait())) from None
        except Exception as error:
            raise ApartError(f"its process gave no answer: {error}") from error
        return answer

    def is_running(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it."""
        _alive.discard(self)
        if os.name == "posix" and self.is_running():
            # With its child.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Leave it to the parent of this process."""
        self._process.returncode = 0
        self._close()

    def _close(self) -> None:
        for pipe in self._pipes():
            pipe.close()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout


def _write(pipe: IO[bytes], data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[pipe.write(left) :]


def _read(pipe: IO[bytes], into: Any) -> Any:
    """Fill `into`."""
    left = memoryview(into).cast("B")
    while left:
        got = pipe.readinto(left)  # type: ignore[attr-defined]
        if not got:
            raise EOFError
        left = left[got:]
    return into


# Those that nobody asks just now, and all: both are changed by single calls, which threads cannot tear.
_idle: list[_Process] = []
_alive: set[_Process] = set()
_numbers = count(1)


def _process() -> _Process:
    """One that nobody asks just now."""
    with suppress(IndexError):
        process = _idle.pop()
        if process.is_running():
            return process
        # Ended by others.
        process.stop()
    return _Process()


def stop() -> None:
    """End all processes; those that are asked next are new."""
    _idle.clear()
    for process in tuple(_alive):
        process.stop()


def _forget() -> None:
    # A pipe that is open here too would not end with the parent.
    _idle.clear()
    for process in tuple(_alive):
        process.forget()
    _alive.clear()


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
