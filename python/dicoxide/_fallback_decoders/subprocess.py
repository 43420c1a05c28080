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

from dicoxide._fallback_decoders._worker import (
    CHILD,
    ENDED,
    HAS_CHILDREN,
    Answer,
    EndError,
    ended,
    receive,
    receive_into,
    send,
)

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
    }
    answer = _asked(request, codestream, samples)
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


def _asked(request: dict[str, Any], codestream: bytes, samples: npt.NDArray[Any]) -> Answer:
    """What a process answers, which is kept for others then and only then."""
    process = _taken()
    is_kept = False
    try:
        answer = process.ask(request, codestream, samples)
        is_kept = len(_idle) < (os.cpu_count() or 1)
        if is_kept:
            _idle.append(process)
        return answer
    except EndError:
        process.stop(is_over=True)
        raise ApartError(process.ending()) from None
    finally:
        if not is_kept:
            # Of an interrupted call the answer is on its way still.
            process.stop()


def _taken() -> _Process:
    """One that nobody asks just now."""
    with suppress(IndexError):
        process = _idle.pop()
        if process.is_there():
            return process
        process.stop(is_over=True)
    return _Process()


class _Process:
    """One of them, as its parent sees it."""

    def __init__(self) -> None:
        self._child: socket.socket | None = None
        try:
            self._socket, theirs = socket.socketpair()
        except OSError as error:
            raise ApartError(f"no process could be started for it: {error}") from error
        with theirs:
            try:
                self._process = subprocess.Popen(
                    # It is told where modules are, which need not be this directory.
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
            # Of a program that is no interpreter, what was started may be anything.
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
        asked = self._made_child() if HAS_CHILDREN else self._socket
        try:
            send(asked, request, codestream)
            answer = Answer(*receive(asked))
            if answer.failure is None:
                receive_into(asked, samples.data)
        except EndError:
            if not HAS_CHILDREN:
                raise
            return Answer(ended(self._end_of_child()), [])
        return answer

    def is_there(self) -> bool:
        """Whether it can be asked."""
        return not _is_over(self._socket)

    def ending(self) -> str:
        """How it ended."""
        code = self._process.returncode
        return "the process is still there" if code is None else ended(code)

    def stop(self, *, is_over: bool = False) -> None:
        """End it, with what it has for a child; one that ends by itself keeps its code."""
        if self not in _alive:
            return
        _alive.discard(self)
        self._close()
        if is_over:
            self._wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._wait()

    def forget(self) -> None:
        """Leave it to the parent of this process."""
        self._process.returncode = 0
        self._close()

    def _made_child(self) -> socket.socket:
        """The socket of its child."""
        if self._child is not None and _is_over(self._child):
            self._end_of_child()
        if self._child is None:
            send(self._socket, CHILD)
            _, given, _, _ = socket.recv_fds(self._socket, 1, 1, socket.MSG_CMSG_CLOEXEC)
            if not given:
                raise EndError
            self._child = socket.socket(fileno=given[0])
            self._child.settimeout(None)
        return self._child

    def _end_of_child(self) -> int:
        """Its exit code."""
        assert self._child is not None
        self._child.close()
        self._child = None
        send(self._socket, ENDED)
        code: int = receive(self._socket)
        return code

    def _close(self) -> None:
        self._socket.close()
        if self._child is not None:
            self._child.close()

    def _wait(self) -> None:
        # Without a limit it would wait for a lock that an interrupt may have left held.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)


def _is_over(of: socket.socket) -> bool:
    """Whether nobody is at the other end."""
    try:
        return not of.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


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
