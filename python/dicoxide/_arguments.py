"""Checks and conversions of the arguments of public functions: frame indices, output arrays, limits, thread counts."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from dicoxide.errors import LimitError

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
FrameSelection: TypeAlias = "int | slice | Iterable[int] | None"
# False for stored values, True for modality values.
Rescale: TypeAlias = "bool | Literal['real_world']"


# Output of more samples than this is allocated only after the frames' headers have been checked.
LARGE_SAMPLES = 1 << 20
# A single frame with more samples than this may use several threads, if its codec supports it.
_THREADED_SAMPLES = 1 << 18
# JPEG 2000 has at most 32 decomposition levels (T.800 A.6.1).
_MAX_REDUCE = 32


def resolve_frames(number_of_frames: int, frames: FrameSelection) -> tuple[Sequence[int], bool]:
    """Return the indices of the frames to decode, none negative, and True if the result has a frame axis."""
    if frames is None:
        return range(number_of_frames), number_of_frames > 1
    if type(frames) is int:
        return [_resolve_index(number_of_frames, frames)], False
    if isinstance(frames, slice):
        return range(*frames.indices(number_of_frames)), True
    if isinstance(frames, Iterable):
        return [_resolve_index(number_of_frames, frame) for frame in frames], True
    return [_resolve_index(number_of_frames, frames)], False


def _resolve_index(number_of_frames: int, frame: int) -> int:
    """Return the zero-based index of `frame`, which counts from the last frame if it is negative."""
    index = operator.index(frame)
    if not -number_of_frames <= index < number_of_frames:
        raise IndexError(f"frame index {index} is out of range for {number_of_frames} frames")
    return index % number_of_frames


def target_array(
    shape: tuple[int, ...],
    stored: np.dtype[Any],
    out: Array | None,
    *,
    rescale: Rescale = False,
    dtype: npt.DTypeLike | None = None,
    max_bytes: int | None = None,
) -> Array:
    """Return the array to decode into: `out`, checked, or a new one within `max_bytes`.

    Parameters
    ----------
    shape : tuple of int
        Shape of the result.
    stored : dtype
        dtype of the stored values.
    out, rescale, dtype, max_bytes
        As for :func:`dicoxide.decode`.
    """
    target_dtype = None if dtype is None else np.dtype(dtype)
    if out is not None:
        if not isinstance(out, np.ndarray):
            raise ValueError(f"out must be an ndarray, not {type(out).__name__}")
        if target_dtype is not None and target_dtype != out.dtype:
            raise ValueError(f"out has dtype {out.dtype}, dtype is {target_dtype}")
        if out.shape != shape:
            raise ValueError(f"out has shape {out.shape}, {shape} expected")
        if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned and out.dtype.isnative):
            raise ValueError("out must be C-contiguous, aligned, writable and in native byte order")
        target_dtype = out.dtype
    elif target_dtype is None:
        target_dtype = np.dtype(np.float32) if rescale else stored
    if rescale:
        is_float = target_dtype in (np.dtype(np.float32), np.dtype(np.float64))
        if not (target_dtype.kind in "iu" or is_float) or not target_dtype.isnative:
            raise ValueError(
                "dtype of rescaled values must be float32, float64 or an integer type in native byte order, "
                f"not {target_dtype}"
            )
    elif target_dtype != stored and not (
        target_dtype.kind in "iu"
        and stored.kind in "iu"
        and target_dtype.isnative
        and np.can_cast(stored, target_dtype, "safe")
    ):
        raise ValueError(f"dtype must be {stored} or a wider integer type, not {target_dtype}")
    check_output_bytes(math.prod(shape) * target_dtype.itemsize, max_bytes)
    return np.empty(shape, target_dtype) if out is None else out


def check_rescale(rescale: Rescale, quantity: str | None) -> None:
    """Raise if `rescale` and `quantity` are not arguments of :func:`dicoxide.decode`."""
    if isinstance(rescale, str) and rescale != "real_world":
        raise ValueError(f"rescale must be True, False or 'real_world', not {rescale!r}")
    if quantity is not None and rescale != "real_world":
        raise ValueError("quantity needs rescale='real_world'")
    if quantity is not None and not isinstance(quantity, str):
        raise TypeError(f"quantity must be a str, not {type(quantity).__name__}")


def check_gray(samples_per_pixel: int) -> None:
    """Raise if a pixel has several samples, which cannot be rescaled."""
    if samples_per_pixel != 1:
        raise ValueError("rescale of an image with more than one sample per pixel (PS3.3 C.11.1)")


def check_output_bytes(output_bytes: int, max_bytes: int | None) -> None:
    """Raise if the output exceeds `max_bytes`."""
    if max_bytes is not None and output_bytes > max_bytes:
        raise LimitError(f"output has {output_bytes} bytes, max_bytes is {max_bytes}", kind="LimitExceeded")


def check_reduce(reduce: int) -> int:
    """Return the number of resolutions to discard as an int."""
    reduce = operator.index(reduce)
    if not 0 <= reduce <= _MAX_REDUCE:
        raise ValueError(f"reduce must be 0 to {_MAX_REDUCE}, not {reduce}")
    return reduce


def reduced_shape(shape: tuple[int, ...], reduce: int) -> tuple[int, ...]:
    """Return the shape of a frame with `reduce` resolutions discarded: each halves rows and columns, rounded up."""
    rows, columns, *samples = shape
    return (-(-rows >> reduce), -(-columns >> reduce), *samples)


def owned_bytes(src: Any) -> bytes:
    """Return the bytes of a bytes-like object: itself if it is `bytes`, else a copy, because others are mutable.

    An int raises TypeError; ``bytes(5)`` would be five zeros.
    """
    return src if type(src) is bytes else bytes(memoryview(src))


def byte_limit(max_bytes: int | None) -> int | None:
    """Return `max_bytes` as an int that fits the core's 64 bits."""
    if max_bytes is None:
        return None
    if operator.index(max_bytes) < 0:
        raise ValueError(f"max_bytes must be at least 0, not {max_bytes}")
    return min(operator.index(max_bytes), 1 << 62)


def thread_count(threads: int | None) -> int:
    """Return the maximum number of threads; None means the number of cores that the process may use."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if operator.index(threads) < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return min(operator.index(threads), 1 << 30)


def threads_for(threads: int | None, frame_count: int, sample_count: int) -> int:
    """Return the maximum number of threads for a call that decodes `sample_count` samples in `frame_count` frames."""
    # Reading the number of cores takes as long as decoding a small frame.
    is_small = frame_count == 1 and sample_count <= _THREADED_SAMPLES
    return 1 if is_small and threads is None else thread_count(threads)
