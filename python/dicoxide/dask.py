"""Lazy dask arrays of series and files: a chunk is decoded by the task that computes it.

Graphs hold paths and references to one function, so workers need the same paths and this package only.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dicoxide._arguments import Array, Rescale, check_gray, check_rescale, target_array, thread_count
from dicoxide._threads import ThreadPool
from dicoxide.bulk.series import (
    Header,
    Keywords,
    OnError,
    Paths,
    SeriesResult,
    SliceSource,
    Volume,
    VolumePlan,
    check_frame_size,
    decode_into,
    make_volume,
    output_dtype,
    plan_series,
    read_header,
    read_units,
    real_world_units,
)
from dicoxide.errors import DecodeError

if TYPE_CHECKING:
    import numpy.typing as npt

try:
    _dask: Any = import_module("dask")
    _da: Any = import_module("dask.array")
except ImportError as error:
    raise ImportError('dicoxide.dask needs dask: pip install "dicoxide[dask]"') from error

__all__ = ["decode_block", "from_files", "from_series"]

# Default size of a chunk: large against the overhead of a task, small against the memory of a worker.
_CHUNK_BYTES = 32 << 20


class _ImageKind(NamedTuple):
    """Number of frames, shape of a frame and stored type of a file."""

    frame_count: int
    frame_shape: tuple[int, ...]
    dtype: np.dtype[Any]


def from_series(
    paths: Paths,
    *,
    slices_per_chunk: int | None = None,
    rescale: Rescale = False,
    quantity: str | None = None,
    dtype: npt.DTypeLike | None = None,
    split_by: Keywords = (),
    merge: Keywords = (),
    threads: int | None = None,
    on_error: OnError = "raise",
    strict: bool = False,
    fallback: bool = True,
) -> SeriesResult[Volume]:
    """Return the volumes of folders or files as dask arrays: headers are read now, slices are decoded by tasks.

    Parameters
    ----------
    paths, rescale, quantity, dtype, split_by, merge, strict, fallback
        As for :func:`dicoxide.read_series`.
    slices_per_chunk : int, optional
        Number of slices that one task decodes; by default the number that fits into 32 MiB. A chunk holds slices of one
        index of the fourth axis.
    threads : int, optional
        Maximum number of threads that read headers; all cores by default. A task decodes on one thread.
    on_error : {"raise", "return", "skip"}
        Handling of headers that cannot be read, as for :func:`dicoxide.read_series`. A slice that cannot be decoded
        always makes the computation fail.

    Returns
    -------
    SeriesResult of Volume
        As for :func:`dicoxide.read_series`, but ``array`` is a dask array of the same shape and type.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: the error of the first file, in order, that has one.
    """
    check_rescale(rescale, quantity)
    if slices_per_chunk is not None and slices_per_chunk < 1:
        raise ValueError(f"slices_per_chunk must be at least 1, not {slices_per_chunk}")
    plans = plan_series(paths, split_by=split_by, merge=merge, threads=threads, on_error=on_error)
    volumes = (
        make_volume(
            plan,
            _plan_array(plan, slices_per_chunk, rescale, quantity, dtype, strict, fallback),
            rescale=rescale,
            quantity=quantity,
        )
        for plan in plans
    )
    return SeriesResult(volumes, plans.skipped, plans.errors)


def from_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    files_per_chunk: int | None = None,
    rescale: Rescale = False,
    quantity: str | None = None,
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    strict: bool = False,
    fallback: bool = True,
) -> Any:
    """Return one dask array of many files, in the order given: headers are read now, frames are decoded by tasks.

    Parameters
    ----------
    paths : path, or iterable of paths
        Image files.
    files_per_chunk : int, optional
        Number of files that one task decodes; by default the number that fits into 32 MiB.
    rescale, quantity, dtype, strict, fallback
        As for :func:`dicoxide.decode`.
    threads : int, optional
        Maximum number of threads that read headers; all cores by default.

    Returns
    -------
    dask array, or list of dask array
        (files, ...), where ... is the shape that ``dicoxide.decode`` returns for each file. If files differ in shape or
        type: a list with one array per file, in chunks of frames.

    Raises
    ------
    DecodeError, OSError
        The error of the first file, in order, whose header cannot be read.
    """
    check_rescale(rescale, quantity)
    if files_per_chunk is not None and files_per_chunk < 1:
        raise ValueError(f"files_per_chunk must be at least 1, not {files_per_chunk}")
    files = [os.fspath(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    if not files:
        raise ValueError("at least one file is needed to determine shape and type")
    with ThreadPool(min(thread_count(threads), len(files))) as pool:
        headers = [task.result() for task in [pool.submit(_read_header, path) for path in files]]
    kinds = [
        _ImageKind(header.slices[0].file.frame_count, header.frame_shape, np.dtype(header.dtype).newbyteorder("="))
        for header in headers
    ]
    if rescale:
        for kind in kinds:
            check_gray(math.prod(kind.frame_shape[2:]))

    def files_array(members: list[str], kind: _ImageKind) -> Any:
        output = target_array((0,), kind.dtype, None, rescale=rescale, dtype=dtype).dtype
        frames_per_chunk = _frames_per_chunk(kind.frame_shape, output)
        frame_axis = (kind.frame_count,) if kind.frame_count > 1 else ()
        leading_shape = (len(members), *frame_axis)
        steps = (files_per_chunk or max(1, frames_per_chunk // kind.frame_count), frames_per_chunk)
        sources = [SliceSource(path, frame) for path in members for frame in range(kind.frame_count)]
        units = real_world_units(sources, quantity) if rescale == "real_world" else None
        options = {"rescale": rescale, "quantity": quantity, "units": units, "strict": strict, "fallback": fallback}
        return _dask_array(sources, leading_shape, kind.frame_shape, output, steps, options)

    if len(set(kinds)) == 1:
        return files_array(files, kinds[0])
    return [files_array([path], kind)[0] for path, kind in zip(files, kinds, strict=True)]


def decode_block(
    sources: Sequence[SliceSource],
    leading_shape: tuple[int, ...],
    frame_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    rescale: Rescale,
    quantity: str | None,
    units: str | None,
    strict: bool,
    fallback: bool,
) -> Array:
    """Decode frames of files into an array (*leading_shape, *frame_shape), on one thread. The call of each task."""
    check_frame_size(sources, frame_shape, strict=strict, fallback=fallback)
    target = np.empty((len(sources), *frame_shape), dtype)
    decode_into(
        target,
        sources,
        rescale=rescale,
        quantity=quantity,
        units=units,
        threads=1,
        keep_errors=False,
        strict=strict,
        fallback=fallback,
    )
    return target.reshape(*leading_shape, *frame_shape)


def _read_header(path: str) -> Header:
    try:
        return read_header(path)
    except (DecodeError, OSError) as error:
        error.add_note(f"file: {path}")
        raise


def _plan_array(
    plan: VolumePlan,
    slices_per_chunk: int | None,
    rescale: Rescale,
    quantity: str | None,
    dtype: npt.DTypeLike | None,
    strict: bool,
    fallback: bool,
) -> Any:
    """Return the dask array of a plan."""
    output = output_dtype(plan, rescale=rescale, dtype=dtype)
    leading_shape = plan.shape[: len(plan.shape) - len(plan.frame_shape)]
    slice_step = slices_per_chunk or _frames_per_chunk(plan.frame_shape, output)
    steps = (1,) * (len(leading_shape) - 1) + (slice_step,)
    applied = plan.applied_rescale(rescale)
    options: dict[str, Any] = {"rescale": applied, "quantity": quantity if applied else None}
    options |= {"units": read_units(plan, rescale, quantity), "strict": strict, "fallback": fallback}
    return _dask_array(plan.slice_sources, leading_shape, plan.frame_shape, output, steps, options)


def _frames_per_chunk(frame_shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Return the number of frames that fit into a chunk, at least 1."""
    return max(1, _CHUNK_BYTES // max(1, math.prod(frame_shape) * dtype.itemsize))


def _dask_array(
    sources: Sequence[SliceSource],
    leading_shape: tuple[int, ...],
    frame_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    steps: Sequence[int],
    options: dict[str, Any],
) -> Any:
    """Return the dask array (*leading_shape, *frame_shape) of `sources`; `steps` are its chunk lengths per axis."""
    source_indices = np.arange(len(sources)).reshape(leading_shape)

    def build(selection: tuple[slice, ...]) -> Any:
        axis = len(selection)
        if axis == len(leading_shape):
            indices = source_indices[selection]
            block = [sources[index] for index in indices.ravel().tolist()]
            # Not pure: the same paths may hold other values later, so each task needs a unique name.
            task = _dask.delayed(partial(decode_block, block, indices.shape, frame_shape, dtype, **options), pure=False)
            return _da.from_delayed(task(), (*indices.shape, *frame_shape), dtype)
        starts = range(0, leading_shape[axis], steps[axis])
        parts = [build((*selection, slice(start, start + steps[axis]))) for start in starts]
        return parts[0] if len(parts) == 1 else _da.concatenate(parts, axis=axis)

    return build(())
