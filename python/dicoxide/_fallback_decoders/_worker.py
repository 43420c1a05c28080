"""The worker process of :mod:`.isolated_process`, and the protocol between the two.

This file runs as a script, without importing dicoxide: it decodes frames until its socket is closed. The socket is its
standard input, which it moves to another descriptor so that no decoder reads it. The first message is the parent's
``sys.path``. On Linux the worker forks children that decode (see :mod:`.isolated_process`); each has a socket of its
own, so that no part of a response can arrive after the end of the child that sent it.

A message is a length (8 bytes, little-endian), that many bytes of JSON, and for some messages raw bytes whose number
follows from the JSON.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "FORK_CHILD",
    "REAP_CHILD",
    "USES_CHILDREN",
    "ConnectionClosedError",
    "Response",
    "describe_exit",
    "receive",
    "receive_into",
    "send",
]

# On other systems, not every library survives a fork.
USES_CHILDREN = sys.platform == "linux"
# Requests to a worker with children: fork a new child; wait for the last one and return its exit code.
FORK_CHILD, REAP_CHILD = "fork_child", "reap_child"

_LENGTH = struct.Struct("<Q")
# Bounds on a plugin's messages in one response.
_MAX_TEXT_CHARACTERS = 2000
_MAX_WARNINGS = 20
# Limit per frame, for a decoder that does not end.
_CPU_SECONDS = 600


class ConnectionClosedError(Exception):
    """The process at the other end of the socket has ended."""


class Response(NamedTuple):
    """Outcome of one request. The samples follow it if `failure` is None."""

    failure: str | None
    warnings: list[str]


def send(connection: socket.socket, message: object, data: bytes | memoryview = b"") -> None:
    """Send a message that JSON can represent, followed by `data`.

    Raises
    ------
    ConnectionClosedError
        If the other end is closed.
    """
    text = json.dumps(message).encode()
    try:
        for part in (_LENGTH.pack(len(text)), text, data):
            # Without the flag, SIGPIPE would end a program that has reset its handler.
            connection.sendall(part, getattr(socket, "MSG_NOSIGNAL", 0))
    except ConnectionError as error:
        raise ConnectionClosedError from error


def receive(connection: socket.socket) -> Any:
    """Receive the JSON part of a message.

    Raises
    ------
    ConnectionClosedError
        If the other end is closed before the message is complete.
    """
    (length,) = _LENGTH.unpack(_receive_bytes(connection, _LENGTH.size))
    return json.loads(_receive_bytes(connection, length))


def receive_into(connection: socket.socket, out: WriteableBuffer) -> None:
    """Receive bytes until `out` is full.

    Raises
    ------
    ConnectionClosedError
        If the other end is closed before that.
    """
    remaining = memoryview(out).cast("B")
    while remaining:
        try:
            received_bytes = connection.recv_into(remaining)
        except ConnectionError as error:
            raise ConnectionClosedError from error
        if not received_bytes:
            raise ConnectionClosedError
        remaining = remaining[received_bytes:]


def describe_exit(code: int) -> str:
    """Return one line for an exit code; negative codes are signals, as in ``subprocess``."""
    if code >= 0:
        return f"the process ended with exit code {code}"
    try:
        return f"the process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was ended by signal {-code}"


def _receive_bytes(connection: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    receive_into(connection, data)
    return data


def _main() -> None:
    parent = socket.socket(fileno=os.dup(0))
    parent.settimeout(None)
    null_device = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null_device, descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # PYTHONWARNINGS=error would turn a warning of an import into the end of this process.
    warnings.simplefilter("ignore")
    sys.path[:] = receive(parent)
    import pydicom.pixels.decoders  # noqa: F401

    send(parent, "ready")
    if USES_CHILDREN:
        _serve_forks(parent)
    else:
        _serve_frames(parent)


def _serve_forks(parent: socket.socket) -> None:
    """Fork and reap children as the parent requests; there is at most one at a time."""
    child = 0
    try:
        while True:
            if receive(parent) == REAP_CHILD:
                # Its socket is closed, so it is ending. The signal has no effect on a process that has ended.
                os.kill(child, signal.SIGKILL)
                send(parent, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                child = 0
                continue
            child_socket, parent_socket = socket.socketpair()
            child = os.fork()
            if not child:
                _run_child(child_socket, [parent, parent_socket])
            child_socket.close()
            socket.send_fds(parent, [b"\0"], [parent_socket.fileno()])
            parent_socket.close()
    finally:
        if child:
            os.kill(child, signal.SIGKILL)


def _run_child(connection: socket.socket, inherited: list[socket.socket]) -> None:
    import resource

    code = 1
    try:
        for inherited_socket in inherited:
            inherited_socket.close()
        connection.settimeout(None)
        # A crash is expected here and needs no core file.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _serve_frames(connection)
    except ConnectionClosedError:
        code = 0
    finally:
        os._exit(code)


def _serve_frames(connection: socket.socket) -> None:
    while True:
        request = receive(connection)
        codestream = bytes(_receive_bytes(connection, request["codestream_bytes"]))
        _limit_cpu_time()
        response, samples = _respond(request, codestream)
        send(connection, response, samples)


def _limit_cpu_time() -> None:
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft_limit = int(usage.ru_utime + usage.ru_stime) + _CPU_SECONDS
    _, hard_limit = resource.getrlimit(resource.RLIMIT_CPU)
    if hard_limit == resource.RLIM_INFINITY or hard_limit > soft_limit:
        resource.setrlimit(resource.RLIMIT_CPU, (soft_limit, hard_limit))


def _respond(request: dict[str, Any], codestream: bytes) -> tuple[Response, bytes | memoryview]:
    samples: bytes | memoryview = b""
    failure = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            samples = _decode(request, codestream)
        except MemoryError:
            failure = "not enough memory"
        except Exception as error:
            failure = (str(error) or type(error).__name__)[:_MAX_TEXT_CHARACTERS]
    texts = [str(warning.message)[:_MAX_TEXT_CHARACTERS] for warning in caught if warning.category is UserWarning]
    return Response(failure, texts[:_MAX_WARNINGS]), samples


def _decode(request: dict[str, Any], codestream: bytes) -> memoryview:
    import numpy as np
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder

    decoder = get_decoder(request["transfer_syntax"])
    value = encapsulate([codestream])
    decoded, _ = decoder.as_array(value, decoding_plugin=request["plugin"], **request["options"])
    shape, dtype = tuple(request["shape"]), np.dtype(request["dtype"])
    if decoded.shape != shape or decoded.dtype.newbyteorder("=") != dtype:
        raise ValueError(f"decoder returned {decoded.dtype} of shape {decoded.shape}, {dtype} of {shape} expected")
    return np.ascontiguousarray(decoded, dtype).data.cast("B")


if __name__ == "__main__":
    try:
        _main()
    except ConnectionClosedError:
        # The parent has closed its socket: there is no more work.
        sys.exit(0)
