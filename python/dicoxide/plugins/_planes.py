"""Planar configuration of RLE colour frames: separate planes in buffers, interleaved samples in arrays.

pydicom does not pass a plugin whether its caller asked for a buffer (``Decoder.as_buffer``, ``iter_buffer``) or for an
array (``as_array``, ``iter_array``, and all that is built on them). Other RLE plugins return planes, so a caller of
``as_buffer`` may expect them. An array of planes is a strided view, which is slower to use than interleaved samples.
"""

from __future__ import annotations

import inspect
from functools import cache
from types import CodeType, FrameType

import numpy as np

__all__ = ["called_for_array", "to_planes"]


def called_for_array(caller: FrameType | None) -> bool:
    """Return True if pydicom calls the plugin to make an array.

    The answer is False for any caller that is not known: planes are what all other plugins return, and a caller that
    reads the reported planar configuration is right with both.

    Parameters
    ----------
    caller : frame
        Stack frame that has called the plugin.
    """
    runner_code, array_code = _pydicom_code()
    # By identity, because the hash of a code object takes time.
    while caller is not None and id(caller.f_code) in runner_code:
        caller = caller.f_back
    return caller is not None and id(caller.f_code) in array_code


@cache
def _pydicom_code() -> tuple[dict[int, CodeType], dict[int, CodeType]]:
    """Return the code of the runner's methods that call plugins, and of the methods that make arrays of the result.

    The keys are the identities of the code objects, which the values keep alive.
    """
    from pydicom.pixels.decoders import base

    return (
        _code_of(base.DecodeRunner, "_decode_frame", "decode", "iter_decode"),
        _code_of(base.Decoder, "_as_array_encapsulated", "iter_array"),
    )


def _code_of(owner: type, *names: str) -> dict[int, CodeType]:
    functions = (inspect.unwrap(getattr(owner, name)) for name in names if hasattr(owner, name))
    return {id(function.__code__): function.__code__ for function in functions if hasattr(function, "__code__")}


def to_planes(frame: bytearray, samples_per_pixel: int, sample_bytes: int) -> bytearray:
    """Return the interleaved samples of one frame as planes: all first samples, then all second samples, and so on.

    Parameters
    ----------
    frame : bytearray
        Samples in planar configuration 0.
    samples_per_pixel : int
        Number of samples of a pixel.
    sample_bytes : int
        Bytes of a sample: 1, 2, 4 or 8.

    Returns
    -------
    bytearray
        Samples in planar configuration 1, each with the byte order of `frame`.
    """
    planes = bytearray(len(frame))
    pixels = np.frombuffer(frame, f"u{sample_bytes}").reshape(-1, samples_per_pixel)
    np.frombuffer(planes, f"u{sample_bytes}").reshape(samples_per_pixel, -1)[...] = pixels.T
    return planes
