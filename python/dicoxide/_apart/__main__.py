"""The other side of `_apart`: decodes what it is sent until no more comes."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from dicoxide._apart import LENGTH, Answer, ended


def main() -> None:
    """Answer requests of the standard input on the standard output, which decoders do not get to see."""
    import pydicom.pixels.decoders  # noqa: F401

    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if sys.platform != "linux":
        # A fork is nothing that all libraries bear elsewhere.
        _serve(requests, answers)
        return
    import resource

    # That it ends is expected.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # To import all anew would take longer than many a frame.
    while code := _in_child(lambda: _serve(requests, answers)):
        _send(answers, Answer(0, ended(code)))


def _in_child(function: Callable[[], None]) -> int:
    """The exit code of a child that calls `function`."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        function()
        code = 0
    finally:
        os._exit(code)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    while length := requests.read(LENGTH.size):
        request = json.loads(requests.read(*LENGTH.unpack(length)))
        codestream = requests.read(request["bytes"])
        samples: bytes | memoryview = b""
        failure = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                samples = _decode(request, codestream)
            except Exception as error:
                failure = str(error) or type(error).__name__
        texts = [str(one.message) for one in caught if one.category is UserWarning]
        _send(answers, Answer(request["number"], failure, texts), samples)


def _decode(request: dict[str, Any], codestream: bytes) -> memoryview:
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder

    decoder = get_decoder(request["transfer_syntax"])
    one = encapsulate([codestream])
    decoded, _ = decoder.as_array(one, decoding_plugin=request["plugin"], **request["said"])
    shape, dtype = tuple(request["shape"]), np.dtype(request["dtype"])
    if decoded.shape != shape or decoded.dtype.newbyteorder("=") != dtype:
        raise ValueError(f"{decoded.dtype} of {decoded.shape} given, {dtype} of {shape} expected")
    return np.ascontiguousarray(decoded, dtype).data.cast("B")


def _send(answers: IO[bytes], answer: Answer, samples: bytes | memoryview = b"") -> None:
    text = json.dumps(answer._asdict()).encode()
    for data in (LENGTH.pack(len(text)), text, samples):
        answers.write(data)
    answers.flush()


main()
