"""What the caller asked for, checked: which frames, in which array, on how many threads."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dicoxide.errors import LimitError

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
FrameIndex: TypeAlias = "int | slice | Iterable[int] | None"


# Frames with more samples than this are checked before memory is taken for them.
LARGE_SAMPLES = 1 << 20
# One frame with more samples than this may be worth a second thread, if its codec has use for one.
_THREADED_SAMPLES = 1 << 18


def select(number_of_frames: int, frames: FrameIndex) -> tuple[Sequence[int], bool]:
    """The indices asked for, none negative, and whether the result has a frame axis."""
    if frames is None:
        return range(number_of_frames), number_of_frames > 1
    if type(frames) is int:
        return [index_of(number_of_frames, frames)], False
    if isinstance(frames, slice):
        return range(*frames.indices(number_of_frames)), True
    if isinstance(frames, Iterable):
        return [index_of(number_of_frames, index) for index in frames], True
    return [index_of(number_of_frames, frames)], False


def index_of(number_of_frames: int, index: int) -> int:
    """`index`, counted from the first frame."""
    position = operator.index(index)
    if not -number_of_frames <= position < number_of_frames:
        raise IndexError(f"frame {position} asked for, there are {number_of_frames}")
    return position % number_of_frames


def target_array(
    shape: tuple[int, ...],
    stored: np.dtype[Any],
    out: Array | None,
    *,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    max_bytes: int | None = None,
) -> Array:
    """The array to decode into: the caller's, checked, or a fresh one that the budget allows."""
    wanted = None if dtype is None else np.dtype(dtype)
    if out is not None:
        if not isinstance(out, np.ndarray):
            raise ValueError(f"out must be an ndarray, not {type(out).__name__}")
        if wanted is not None and wanted != out.dtype:
            raise ValueError(f"out is of {out.dtype}, dtype says {wanted}")
        if out.shape != shape:
            raise ValueError(f"out has shape {out.shape}, the result {shape}")
        if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned and out.dtype.isnative):
            raise ValueError("out must be C-contiguous, aligned, writable and in native byte order")
        wanted = out.dtype
    elif wanted is None:
        wanted = np.dtype(np.float32) if rescale else stored
    if rescale:
        if not (wanted.kind in "iu" or wanted in (np.dtype(np.float32), np.dtype(np.float64))) or not wanted.isnative:
            raise ValueError(f"rescale gives float32, float64 or an integer type in native byte order, not {wanted}")
    elif wanted != stored and not (
        wanted.kind in "iu" and stored.kind in "iu" and wanted.isnative and np.can_cast(stored, wanted, "safe")
    ):
        raise ValueError(f"the result is of {stored}; {wanted} is not that or a wider integer type")
    if max_bytes is not None and (needed := math.prod(shape) * wanted.itemsize) > max_bytes:
        raise LimitError(f"{needed} bytes of output needed, max_bytes is {max_bytes}", kind="LimitExceeded")
    return np.empty(shape, wanted) if out is None else out


def owned_bytes(src: Any) -> bytes:
    """The bytes of a bytes-like object, a copy where they could change; a number is a TypeError, not so many zeros."""
    return src if type(src) is bytes else bytes(memoryview(src))


def byte_limit(max_bytes: int | None) -> int | None:
    """`max_bytes` as a number that the core can hold."""
    if max_bytes is None:
        return None
    if operator.index(max_bytes) < 0:
        raise ValueError(f"max_bytes is at least 0, not {max_bytes}")
    return min(operator.index(max_bytes), 1 << 62)


def thread_count(threads: int | None) -> int:
    """Most threads to use: those the process may run on, where the caller does not say."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if operator.index(threads) < 1:
        raise ValueError(f"threads is at least 1, not {threads}")
    return min(operator.index(threads), 1 << 30)


def threads_for(threads: int | None, frames: int, samples: int) -> int:
    """Most threads to use for so many frames of so many samples together."""
    # Asking the system takes as long as decoding a small frame.
    is_small = frames == 1 and samples <= _THREADED_SAMPLES
    return 1 if is_small and threads is None else thread_count(threads)
