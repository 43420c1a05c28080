"""Lazy dask arrays of series and files: each chunk is decoded where it is computed.

Graphs hold paths and one plain function, so workers need the same paths and this package, and nothing else.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, target_array, thread_count
from dicoxide._threads import ThreadPool
from dicoxide.bulk.series._discover import Paths
from dicoxide.bulk.series._headers import Header, read_header
from dicoxide.bulk.series._plans import Found, OnError, VolumePlan, plan_series
from dicoxide.bulk.series._slices import Sources, fill, require
from dicoxide.bulk.series._volume import Volume, make_volume, output_dtype
from dicoxide.errors import DecodeError

if TYPE_CHECKING:
    import numpy.typing as npt

try:
    _dask: Any = import_module("dask")
    _da: Any = import_module("dask.array")
except ImportError as error:
    raise ImportError('dicoxide.dask needs dask: pip install "dicoxide[dask]"') from error

__all__ = ["decode_block", "from_files", "from_series"]

# Of one chunk, unless the caller says: enough to be worth a task, and little beside a worker's memory.
_CHUNK_BYTES = 32 << 20


def from_series(
    paths: Paths,
    *,
    slices_per_chunk: int | None = None,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    on_error: OnError = "raise",
    strict: bool = False,
    fallback: bool = True,
) -> Found[Volume]:
    """Volumes of folders or files whose arrays are dask arrays: headers are read now, slices when they are computed.

    Parameters
    ----------
    paths, rescale, dtype, strict, fallback
        As for :func:`dicoxide.read_series`.
    slices_per_chunk : int, optional
        Slices of one chunk, which one task decodes; by default as many as 32 MiB hold. A chunk does not reach over
        several indices of a fourth axis.
    threads : int, optional
        Most threads to read headers on: all cores by default. A chunk is decoded on the worker's own thread.
    on_error : {"raise", "return", "skip"}
        What becomes of headers that cannot be read, as for :func:`dicoxide.read_series`. A slice that cannot be
        decoded makes the computation fail, whatever is said here.

    Returns
    -------
    list of Volume
        As of :func:`dicoxide.read_series`, but ``array`` is a dask array of the same shape and type.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: of the first file in order that has one.
    """
    if slices_per_chunk is not None and slices_per_chunk < 1:
        raise ValueError(f"slices_per_chunk is at least 1, not {slices_per_chunk}")
    plans = plan_series(paths, threads=threads, on_error=on_error)
    volumes = (
        make_volume(plan, _lazy(plan, slices_per_chunk, rescale, dtype, strict, fallback), rescale=rescale)
        for plan in plans
    )
    return Found(volumes, plans.skipped, plans.errors)


def from_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    files_per_chunk: int | None = None,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    strict: bool = False,
    fallback: bool = True,
) -> Any:
    """One dask array of many files, in the order given: headers are read now, frames when they are computed.

    Parameters
    ----------
    paths : path, or iterable of paths
        Files, each an image.
    files_per_chunk : int, optional
        Files of one chunk, which one task decodes; by default as many as 32 MiB hold.
    rescale, dtype, strict, fallback
        As for :func:`dicoxide.decode`.
    threads : int, optional
        Most threads to read headers on: all cores by default.

    Returns
    -------
    dask array, or list of dask array
        (files, ...), before what ``dicoxide.decode`` gives of each. Where files differ in shape or type: a list, an
        array for each file, in chunks of frames.

    Raises
    ------
    DecodeError, OSError
        Of the first file in order whose header cannot be read.
    """
    if files_per_chunk is not None and files_per_chunk < 1:
        raise ValueError(f"files_per_chunk is at least 1, not {files_per_chunk}")
    named = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    files = [os.fspath(path) for path in named]
    if not files:
        raise ValueError("at least one file is needed to know shape and type")
    with ThreadPool(min(thread_count(threads), len(files))) as readers:
        headers = [task.result() for task in [readers.submit(_header, path) for path in files]]
    kinds = [(len(header.slices), header.shape, np.dtype(header.dtype).newbyteorder("=")) for header in headers]
    if rescale and any(len(shape) > 2 for _, shape, _ in kinds):
        raise ValueError("rescale of an image with more than one sample per pixel (PS3.3 C.11.1)")

    def array(some: list[str], kind: tuple[int, tuple[int, ...], np.dtype[Any]]) -> Any:
        count, shape, stored = kind
        wanted = target_array((0,), stored, None, rescale=rescale, dtype=dtype).dtype
        frames = _per_chunk(shape, wanted)
        one = (count,) if count > 1 else ()
        leading, steps = (len(some), *one), (files_per_chunk or max(1, frames // count), frames)
        sources = [(path, frame) for path in some for frame in range(count)]
        options = {"rescale": rescale, "strict": strict, "fallback": fallback}
        return _array(sources, leading, shape, wanted, steps, options)

    if len(set(kinds)) == 1:
        return array(files, kinds[0])
    return [array([path], kind)[0] for path, kind in zip(files, kinds, strict=True)]


def decode_block(
    sources: Sources,
    leading: tuple[int, ...],
    frame_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    rescale: bool,
    strict: bool,
    fallback: bool,
) -> Array:
    """Decode frames of files into an array (*leading, *frame_shape), on one thread: what each task of a graph does."""
    require(sources, frame_shape, strict=strict, fallback=fallback)
    target = np.empty((len(sources), *frame_shape), dtype)
    fill(target, sources, rescale=rescale, threads=1, keep_errors=False, strict=strict, fallback=fallback)
    return target.reshape(*leading, *frame_shape)


def _header(path: str) -> Header:
    try:
        return read_header(path)
    except (DecodeError, OSError) as error:
        error.add_note(f"of {path}")
        raise


def _lazy(
    plan: VolumePlan,
    slices_per_chunk: int | None,
    rescale: bool,
    dtype: npt.DTypeLike | None,
    strict: bool,
    fallback: bool,
) -> Any:
    """The dask array of a plan."""
    wanted = output_dtype(plan, rescale=rescale, dtype=dtype)
    rescale = rescale and not plan.is_colour
    leading = plan.shape[: len(plan.shape) - len(plan.frame_shape)]
    steps = (1,) * (len(leading) - 1) + (slices_per_chunk or _per_chunk(plan.frame_shape, wanted),)
    options = {"rescale": rescale, "strict": strict, "fallback": fallback}
    return _array(plan.sources, leading, plan.frame_shape, wanted, steps, options)


def _per_chunk(frame_shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Frames that fit into a chunk."""
    return max(1, _CHUNK_BYTES // max(1, math.prod(frame_shape) * dtype.itemsize))


def _array(
    sources: Sources,
    leading: tuple[int, ...],
    frame_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    steps: Sequence[int],
    options: dict[str, bool],
) -> Any:
    """The dask array (*leading, *frame_shape) of `sources`, its chunks `steps` long along the leading axes."""
    numbers = np.arange(len(sources)).reshape(leading)

    def build(part: tuple[slice, ...]) -> Any:
        axis = len(part)
        if axis == len(leading):
            chosen = numbers[part]
            some = [sources[number] for number in chosen.ravel().tolist()]
            # Files may change: the same paths are not the same values, so each task has a name of its own.
            task = _dask.delayed(partial(decode_block, some, chosen.shape, frame_shape, dtype, **options), pure=False)
            return _da.from_delayed(task(), (*chosen.shape, *frame_shape), dtype)
        starts = range(0, leading[axis], steps[axis])
        parts = [build((*part, slice(start, start + steps[axis]))) for start in starts]
        return parts[0] if len(parts) == 1 else _da.concatenate(parts, axis=axis)

    return build(())
