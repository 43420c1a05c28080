"""What runs in a process of its own: decodes what it is sent until no more comes.

A script for which nothing of dicoxide is imported: the modules that it needs are where its parent finds them, who says
where first. It keeps to its socket, which is its standard input, and no decoder gets to see that. On Linux each frame
is decoded in a child, which leaves what came of it in shared memory: however it ends, what is said is said whole.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

__all__ = ["Answer", "EndError", "ended", "receive", "receive_into", "send"]

_LENGTH = struct.Struct("<Q")
# More of what decoders say than anybody reads.
_TEXT_CHARACTERS = 2000
_MOST_WARNINGS = 20
_TEXT_BYTES = 1 << 19
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

    # A fork is nothing that all libraries bear elsewhere; there the process ends with the frame.
    answer = _answer_of_a_child if sys.platform == "linux" else _answer
    send(parent, "ready")
    while True:
        request = receive(parent)
        codestream = bytes(_received(parent, request["bytes"]))
        said, samples = answer(parent, request, codestream)
        send(parent, said, samples)


def _answer(parent: socket.socket, request: dict[str, Any], codestream: bytes) -> tuple[Answer, bytes | memoryview]:
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


def _answer_of_a_child(
    parent: socket.socket, request: dict[str, Any], codestream: bytes
) -> tuple[Answer, bytes | memoryview]:
    import mmap

    try:
        shared = mmap.mmap(-1, _TEXT_BYTES + request["samples_bytes"])
    except OSError:
        return Answer("not enough memory", []), b""

    def work() -> None:
        said, samples = _answer(parent, request, codestream)
        text = json.dumps(said).encode()
        shared[_LENGTH.size : _LENGTH.size + len(text)] = text
        shared[_TEXT_BYTES : _TEXT_BYTES + len(samples)] = samples
        shared[: _LENGTH.size] = _LENGTH.pack(len(text))

    code = _in_child(work, parent)
    if code:
        return Answer(ended(code), []), b""
    (length,) = _LENGTH.unpack(shared[: _LENGTH.size])
    said = Answer(*json.loads(shared[_LENGTH.size : _LENGTH.size + length]))
    return said, memoryview(shared)[_TEXT_BYTES:] if said.failure is None else b""


def _in_child(work: Callable[[], None], parent: socket.socket) -> int:
    """The exit code of a child that does `work`; it is ended where `parent` is gone."""
    import resource
    import select

    child = os.fork()
    if not child:
        code = 1
        try:
            # That it ends is expected.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _, most = resource.getrlimit(resource.RLIMIT_CPU)
            if most == resource.RLIM_INFINITY or most > _CPU_SECONDS:
                resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, most))
            work()
            code = 0
        finally:
            os._exit(code)
    # Kernels before Linux 5.3 have no such descriptor.
    with suppress(OSError):
        end = os.pidfd_open(child)
        poll = select.poll()
        poll.register(end, select.POLLIN)
        # A hang-up is always told of.
        poll.register(parent, 0)
        if all(one != end for one, _ in poll.poll()):
            os.kill(child, signal.SIGKILL)
        os.close(end)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    try:
        _main()
    except EndError:
        # Nobody needs it any more.
        sys.exit(0)
