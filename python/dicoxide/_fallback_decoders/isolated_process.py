"""Runs a plugin of pydicom in a process of its own, for decoders that can end their process.

A process is started when the first frame needs one, and is reused. Both sides exchange JSON followed by bytes over a
socket (``_worker.py`` has the protocol), so the parent gets samples or a message, however the other process ends.

::

    this process ──socket──► worker process: has imported pydicom ──fork──► child: decodes
         └────────────────────────────── socket of the child ─────────────────────┘

On Linux the worker never decodes itself. It forks a child and passes the child's socket to the parent, which then talks
to the child. If a decoder ends the child, the worker forks the next one without importing pydicom again. On other
systems the worker decodes itself.
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
    FORK_CHILD,
    REAP_CHILD,
    USES_CHILDREN,
    ConnectionClosedError,
    Response,
    describe_exit,
    receive,
    receive_into,
    send,
)

__all__ = ["IsolatedDecodeError", "decode", "describe_exit", "stop"]

_WORKER = Path(__file__).with_name("_worker.py")
# Timeout for an interpreter to start and import pydicom, on a slow machine.
_START_SECONDS = 120
# Timeout for a killed process to exit.
_END_SECONDS = 5


class IsolatedDecodeError(Exception):
    """The plugin failed or ended its process, or no process could be started."""


def decode(
    transfer_syntax: str,
    plugin: str,
    codestream: bytes,
    options: dict[str, Any],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> npt.NDArray[Any]:
    """Decode one frame by a plugin of pydicom in another process.

    Parameters
    ----------
    transfer_syntax : str
        UID of the transfer syntax.
    plugin : str
        Label of the plugin.
    codestream : bytes
        The frame.
    options : dict
        Options of pydicom's ``Decoder.as_array``; they must be representable in JSON.
    shape, dtype
        Shape and dtype that the result must have, in native byte order.

    Raises
    ------
    IsolatedDecodeError
        If the plugin does not return such an array.
    """
    samples = np.empty(shape, dtype)
    request = {
        "transfer_syntax": transfer_syntax,
        "plugin": plugin,
        "options": options,
        "shape": shape,
        "dtype": dtype.str,
        "codestream_bytes": len(codestream),
    }
    response = _send_request(request, codestream, samples)
    for message in response.warnings:
        warnings.warn(message, UserWarning, stacklevel=2)
    if response.failure is not None:
        raise IsolatedDecodeError(response.failure)
    return samples


def stop() -> None:
    """End all processes; later calls start new ones."""
    _idle.clear()
    for process in tuple(_alive):
        process.stop()


def _send_request(request: dict[str, Any], codestream: bytes, samples: npt.NDArray[Any]) -> Response:
    """Have an idle or new process decode one frame; it becomes idle again only if the exchange was completed."""
    process = _idle_process()
    is_reusable = False
    try:
        response = process.request(request, codestream, samples)
        is_reusable = len(_idle) < (os.cpu_count() or 1)
        if is_reusable:
            _idle.append(process)
        return response
    except ConnectionClosedError:
        process.stop(has_exited=True)
        raise IsolatedDecodeError(process.exit_description()) from None
    finally:
        if not is_reusable:
            # After an interrupt, the response to this request would be taken for that to the next one.
            process.stop()


def _idle_process() -> _WorkerProcess:
    """Return an idle process, or start one."""
    with suppress(IndexError):
        process = _idle.pop()
        if process.is_connected():
            return process
        process.stop(has_exited=True)
    return _WorkerProcess()


class _WorkerProcess:
    """The parent's side of one worker process."""

    def __init__(self) -> None:
        self._child: socket.socket | None = None
        try:
            self._socket, worker_socket = socket.socketpair()
        except OSError as error:
            raise IsolatedDecodeError(f"no process could be started: {error}") from error
        with worker_socket:
            try:
                self._process = subprocess.Popen(
                    # -P: the worker gets sys.path from its parent and must not put this directory before it.
                    [_interpreter(), "-P", str(_WORKER)],
                    stdin=worker_socket.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    # Ctrl-C goes to the parent only.
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                self._socket.close()
                raise IsolatedDecodeError(f"no process could be started: {error}") from error
        _alive.add(self)
        try:
            # Timeout, because a program that embeds Python may not run the script and never answer.
            self._socket.settimeout(_START_SECONDS)
            send(self._socket, [entry for entry in sys.path if isinstance(entry, str)])
            receive(self._socket)
            self._socket.settimeout(None)
        except (ConnectionClosedError, TimeoutError) as error:
            self.stop(has_exited=isinstance(error, ConnectionClosedError))
            raise IsolatedDecodeError(f"no process could be started: {self.exit_description()}") from None
        except BaseException:
            self.stop()
            raise

    def request(self, request: dict[str, Any], codestream: bytes, samples: npt.NDArray[Any]) -> Response:
        """Have one frame decoded; `samples` are filled if the response has no failure.

        Raises
        ------
        ConnectionClosedError
            If the worker process ended.
        """
        connection = self._connected_child() if USES_CHILDREN else self._socket
        try:
            send(connection, request, codestream)
            response = Response(*receive(connection))
            if response.failure is None:
                receive_into(connection, samples.data)
        except ConnectionClosedError:
            if not USES_CHILDREN:
                raise
            return Response(describe_exit(self._reap_child()), [])
        return response

    def is_connected(self) -> bool:
        """Return True if the worker process has not closed its socket."""
        return not _is_closed(self._socket)

    def exit_description(self) -> str:
        """Return one line on how the process ended."""
        code = self._process.returncode
        return "the process has not ended" if code is None else describe_exit(code)

    def stop(self, *, has_exited: bool = False) -> None:
        """End the process and its child; with `has_exited`, wait first, so that its exit code is its own."""
        if self not in _alive:
            return
        _alive.discard(self)
        self._close()
        if has_exited:
            self._wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._wait()

    def abandon(self) -> None:
        """Close the sockets without ending the process, which belongs to the parent of this (forked) process."""
        self._process.returncode = 0
        self._close()

    def _connected_child(self) -> socket.socket:
        """Return the socket of the worker's child; have one forked if there is none."""
        if self._child is not None and _is_closed(self._child):
            self._reap_child()
        if self._child is None:
            send(self._socket, FORK_CHILD)
            _, descriptors, _, _ = socket.recv_fds(self._socket, 1, 1, socket.MSG_CMSG_CLOEXEC)
            if not descriptors:
                raise ConnectionClosedError
            self._child = socket.socket(fileno=descriptors[0])
            self._child.settimeout(None)
        return self._child

    def _reap_child(self) -> int:
        """Return the exit code of the child, which has closed its socket."""
        assert self._child is not None
        self._child.close()
        self._child = None
        send(self._socket, REAP_CHILD)
        code: int = receive(self._socket)
        return code

    def _close(self) -> None:
        self._socket.close()
        if self._child is not None:
            self._child.close()

    def _wait(self) -> None:
        # With a timeout, because an interrupt may have left Popen's lock held, and wait() takes it.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)


def _is_closed(connection: socket.socket) -> bool:
    """Return True if the other end is closed; does not block."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _interpreter() -> str:
    # Programs that embed Python set this executable for multiprocessing.
    from multiprocessing import spawn

    return os.fsdecode(spawn.get_executable())


# Processes that no call uses, and all processes. Each is changed by single list and set operations, which are atomic.
_idle: list[_WorkerProcess] = []
_alive: set[_WorkerProcess] = set()


def _abandon_all() -> None:
    # A worker ends when all copies of the parent's socket are closed, so a forked child must not keep one open.
    _idle.clear()
    for process in tuple(_alive):
        process.abandon()
    _alive.clear()


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
