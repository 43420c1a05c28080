"""What runs in a process of its own: decodes what it is sent until no more comes.

A script for which nothing of dicoxide is imported: the modules that it needs are where its parent finds them, who says
where first. It keeps to its socket, which is its standard input, and no decoder gets to see that. On Linux it decodes
nothing itself but makes children that do, which need not import all of it again. Each has a socket of its own, so that
nothing of an answer comes after the end of who gave it.
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

__all__ = ["CHILD", "ENDED", "HAS_CHILDREN", "Answer", "EndError", "ended", "receive", "receive_into", "send"]

# A fork is nothing that all libraries bear elsewhere.
HAS_CHILDREN = sys.platform == "linux"
# What a process with children is asked for: a new one, and how the last one ended.
CHILD, ENDED = "child", "ended"

_LENGTH = struct.Struct("<Q")
# More of what decoders say than anybody reads.
_TEXT_CHARACTERS = 2000
_MOST_WARNINGS = 20
# Of one frame, for a decoder that never ends.
_CPU_SECONDS = 600


class EndError(Exception):
    """Who was at the other end is gone."""


class Answer(NamedTuple):
    """What came of a frame, before its samples; these follow where it is no failure."""

    failure: str | None
    warnings: list[str]


def send(to: socket.socket, said: object, data: bytes | memoryview = b"") -> None:
    """Say something that JSON holds, and then bytes.

    Raises
    ------
    EndError
        If nobody is there.
    """
    text = json.dumps(said).encode()
    try:
        for part in (_LENGTH.pack(len(text)), text, data):
            # A program may leave SIGPIPE at what ends it.
            to.sendall(part, getattr(socket, "MSG_NOSIGNAL", 0))
    except ConnectionError as error:
        raise EndError from error


def receive(from_: socket.socket) -> Any:
    """What was said.

    Raises
    ------
    EndError
        If nothing comes any more.
    """
    (length,) = _LENGTH.unpack(_received(from_, _LENGTH.size))
    return json.loads(_received(from_, length))


def receive_into(from_: socket.socket, out: WriteableBuffer) -> None:
    """Fill `out` with bytes.

    Raises
    ------
    EndError
        If fewer come.
    """
    left = memoryview(out).cast("B")
    while left:
        try:
            got = from_.recv_into(left)
        except ConnectionError as error:
            raise EndError from error
        if not got:
            raise EndError
        left = left[got:]


def ended(code: int) -> str:
    """What an exit code says."""
    if code >= 0:
        return f"the process ended with exit code {code}"
    try:
        return f"the process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was ended by signal {-code}"


def _received(from_: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    receive_into(from_, data)
    return data


def _main() -> None:
    parent = socket.socket(fileno=os.dup(0))
    parent.settimeout(None)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # As errors they would end this.
    warnings.simplefilter("ignore")
    sys.path[:] = receive(parent)
    import pydicom.pixels.decoders  # noqa: F401

    send(parent, "ready")
    if HAS_CHILDREN:
        _make_children(parent)
    else:
        _serve(parent)


def _make_children(parent: socket.socket) -> None:
    child = 0
    try:
        while True:
            if receive(parent) == ENDED:
                # Its socket is closed, so that it is about to, if it has not.
                os.kill(child, signal.SIGKILL)
                send(parent, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                child = 0
                continue
            ours, theirs = socket.socketpair()
            child = os.fork()
            if not child:
                _be_child(ours, [parent, theirs])
            ours.close()
            socket.send_fds(parent, [b"\0"], [theirs.fileno()])
            theirs.close()
    finally:
        if child:
            os.kill(child, signal.SIGKILL)


def _be_child(ours: socket.socket, others: list[socket.socket]) -> None:
    import resource

    code = 1
    try:
        for one in others:
            one.close()
        ours.settimeout(None)
        # That it ends is expected.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _serve(ours)
    except EndError:
        code = 0
    finally:
        os._exit(code)


def _serve(asker: socket.socket) -> None:
    while True:
        request = receive(asker)
        codestream = bytes(_received(asker, request["bytes"]))
        _limit_time()
        said, samples = _answer(request, codestream)
        send(asker, said, samples)


def _limit_time() -> None:
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + _CPU_SECONDS
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    if most == resource.RLIM_INFINITY or most > soft:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, most))


def _answer(request: dict[str, Any], codestream: bytes) -> tuple[Answer, bytes | memoryview]:
    samples: bytes | memoryview = b""
    failure = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            samples = _decoded(request, codestream)
        except MemoryError:
            failure = "not enough memory"
        except Exception as error:
            failure = (str(error) or type(error).__name__)[:_TEXT_CHARACTERS]
    texts = [str(one.message)[:_TEXT_CHARACTERS] for one in caught if one.category is UserWarning]
    return Answer(failure, texts[:_MOST_WARNINGS]), samples


def _decoded(request: dict[str, Any], codestream: bytes) -> memoryview:
    import numpy as np
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder

    decoder = get_decoder(request["transfer_syntax"])
    one = encapsulate([codestream])
    decoded, _ = decoder.as_array(one, decoding_plugin=request["plugin"], **request["said"])
    shape, dtype = tuple(request["shape"]), np.dtype(request["dtype"])
    if decoded.shape != shape or decoded.dtype.newbyteorder("=") != dtype:
        raise ValueError(f"{decoded.dtype} of {decoded.shape} given, {dtype} of {shape} expected")
    return np.ascontiguousarray(decoded, dtype).data.cast("B")


if __name__ == "__main__":
    try:
        _main()
    except EndError:
        # Nobody needs it any more.
        sys.exit(0)
