"""Lazy dask arrays of series and files: a chunk is decoded by the task that computes it.

Graphs hold paths and references to one function, so workers need the same paths and this package only.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dicoxide._arguments import Array, Rescale, check_gray, check_rescale, target_array, thread_count
from dicoxide._decode import open as open_image
from dicoxide._rendering import RenderOptions
from dicoxide._threads import ThreadPool
from dicoxide.bulk import render_options
from dicoxide.bulk.series import (
    Header,
    Keywords,
    OnError,
    Paths,
    SeriesResult,
    SliceRendering,
    SliceSource,
    ValueRange,
    Volume,
    VolumePlan,
    check_frame_size,
    check_measurable,
    decode_into,
    join_ranges,
    make_volume,
    measure_slices,
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

__all__ = ["decode_block", "from_files", "from_series", "measure_block"]

# Default size of a chunk: large against the overhead of a task, small against the memory of a worker.
_CHUNK_BYTES = 32 << 20


class _ImageKind(NamedTuple):
    """Number of frames, shape of a frame in the file and in the array, and stored type of a file."""

    frame_count: int
    frame_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _BlockOptions(NamedTuple):
    """Arguments of :func:`decode_block` that all blocks of an array share."""

    frame_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rescale: Rescale = False
    quantity: str | None = None
    units: str | None = None
    strict: bool = False
    fallback: bool = True
    render: RenderOptions | None = None


def from_series(
    paths: Paths,
    *,
    slices_per_chunk: int | None = None,
    rescale: Rescale = False,
    quantity: str | None = None,
    dtype: npt.DTypeLike | None = None,
    render: bool | Mapping[str, Any] = False,
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
    render : bool or mapping
        Render slices: True, or options of :func:`dicoxide.render`, such as ``{"window": (40, 400)}``. Slices without a
        window have the range of the values of all such slices, which tasks measure before the first one is rendered;
        percentiles are refused. `dtype` is that of the rendered slices.
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
        As for :func:`dicoxide.read_series`, but ``array`` is a dask array of the same shape and type. Rendered, its
        last axes are those of a rendered slice, and its type is uint8, uint16 or float32.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: the error of the first file, in order, that has one.
    """
    render_options = _render_options(render, rescale, quantity, dtype)
    if slices_per_chunk is not None and slices_per_chunk < 1:
        raise ValueError(f"slices_per_chunk must be at least 1, not {slices_per_chunk}")
    plans = plan_series(paths, split_by=split_by, merge=merge, threads=threads, on_error=on_error)
    volumes = (
        make_volume(
            plan,
            _plan_array(plan, slices_per_chunk, rescale, quantity, dtype, render_options, strict, fallback),
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
    render: bool | Mapping[str, Any] = False,
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
    render : bool or mapping
        As for :func:`from_series`; the range of values is that of all files of an array.
    threads : int, optional
        Maximum number of threads that read headers; all cores by default.

    Returns
    -------
    dask array, or list of dask array
        (files, ...), where ... is the shape that ``dicoxide.decode`` or ``dicoxide.render`` returns for each file. If
        files differ in shape or type: a list with one array per file, in chunks of frames.

    Raises
    ------
    DecodeError, OSError
        The error of the first file, in order, whose header cannot be read.
    """
    render_options = _render_options(render, rescale, quantity, dtype)
    if files_per_chunk is not None and files_per_chunk < 1:
        raise ValueError(f"files_per_chunk must be at least 1, not {files_per_chunk}")
    files = [os.fspath(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    if not files:
        raise ValueError("at least one file is needed to determine shape and type")
    with ThreadPool(min(thread_count(threads), len(files))) as pool:
        kinds = [task.result() for task in [pool.submit(_read_kind, path, render_options) for path in files]]
    if rescale:
        for kind in kinds:
            check_gray(math.prod(kind.frame_shape[2:]))

    def files_array(members: list[str], kind: _ImageKind) -> Any:
        if render_options is not None:
            output = np.dtype(render_options.dtype)
        else:
            output = target_array((0,), kind.dtype, None, rescale=rescale, dtype=dtype).dtype
        frames_per_chunk = _frames_per_chunk(kind.output_shape, output)
        frame_axis = (kind.frame_count,) if kind.frame_count > 1 else ()
        leading_shape = (len(members), *frame_axis)
        steps = (files_per_chunk or max(1, frames_per_chunk // kind.frame_count), frames_per_chunk)
        sources = [SliceSource(path, frame) for path in members for frame in range(kind.frame_count)]
        units = real_world_units(sources, quantity) if rescale == "real_world" else None
        options = _BlockOptions(
            kind.frame_shape, kind.output_shape, output, rescale, quantity, units, strict, fallback, render_options
        )
        measures = render_options is not None and render_options.window in ("first", "range")
        return _dask_array(sources, leading_shape, steps, options, measures=measures)

    if len(set(kinds)) == 1:
        return files_array(files, kinds[0])
    return [files_array([path], kind)[0] for path, kind in zip(files, kinds, strict=True)]


def _render_options(
    render: bool | Mapping[str, Any], rescale: Rescale, quantity: str | None, dtype: npt.DTypeLike | None
) -> RenderOptions | None:
    """Return the options of `render`, checked against the others; None if slices are not rendered."""
    check_rescale(rescale, quantity)
    options = render_options(render, dtype=dtype)
    if options is None:
        return None
    if rescale:
        raise ValueError("rescale does not fit render, which needs stored values")
    check_measurable(options)
    return options


def decode_block(
    sources: Sequence[SliceSource],
    leading_shape: tuple[int, ...],
    options: _BlockOptions,
    value_range: ValueRange = None,
) -> Array:
    """Decode or render frames of files into an array, on one thread; `leading_shape` is its shape before the rows.

    The call of each task.
    """
    strict, fallback = options.strict, options.fallback
    check_frame_size(sources, options.frame_shape, strict=strict, fallback=fallback)
    target = np.empty((len(sources), *options.output_shape), options.dtype)
    decode_into(
        target,
        sources,
        rescale=options.rescale,
        quantity=options.quantity,
        units=options.units,
        threads=1,
        keep_errors=False,
        strict=strict,
        fallback=fallback,
        slice_shape=options.frame_shape,
        rendering=None if options.render is None else SliceRendering(options.render, value_range),
    )
    return target.reshape(*leading_shape, *options.output_shape)


def measure_block(sources: Sequence[SliceSource], options: _BlockOptions) -> ValueRange:
    """Return the range of the values of those frames that have no window, on one thread. The call of a task."""
    assert options.render is not None
    return measure_slices(sources, options.render, strict=options.strict, fallback=options.fallback)


def _read_kind(path: str, render: RenderOptions | None) -> _ImageKind:
    try:
        header: Header = read_header(path)
        shape = header.frame_shape if render is None else _rendered_shape(path, render)
    except (DecodeError, OSError) as error:
        error.add_note(f"file: {path}")
        raise
    dtype = np.dtype(header.dtype).newbyteorder("=")
    return _ImageKind(header.slices[0].file.frame_count, header.frame_shape, shape, dtype)


def _rendered_shape(path: str, options: RenderOptions) -> tuple[int, ...]:
    """Return the shape of a rendered frame of a file."""
    with open_image(path) as image:
        return image._renderer(options).frame_shape()


def _plan_array(
    plan: VolumePlan,
    slices_per_chunk: int | None,
    rescale: Rescale,
    quantity: str | None,
    dtype: npt.DTypeLike | None,
    render: RenderOptions | None,
    strict: bool,
    fallback: bool,
) -> Any:
    """Return the dask array of a plan."""
    shape = plan.frame_shape
    if render is None:
        output = output_dtype(plan, rescale=rescale, dtype=dtype)
    else:
        output = np.dtype(render.dtype)
        shape = _rendered_shape(plan.first_slice.path, render)
        if plan.first_slice.tile is not None:
            if render.max_size is not None or render.reduce:
                raise ValueError("max_size and reduce do not fit slices of mosaics")
            shape = (*plan.frame_shape[:2], *shape[2:])
    leading_shape = plan.shape[: len(plan.shape) - len(plan.frame_shape)]
    slice_step = slices_per_chunk or _frames_per_chunk(shape, output)
    steps = (1,) * (len(leading_shape) - 1) + (slice_step,)
    applied = plan.applied_rescale(rescale)
    units = read_units(plan, rescale, quantity)
    options = _BlockOptions(
        plan.frame_shape,
        shape,
        output,
        applied,
        quantity if applied else None,
        units,
        strict,
        fallback,
        render,
    )
    # The task that measures a slice without a window finds its VOI LUT, if it has one.
    measures = render is not None and (
        render.window == "range" or (render.window == "first" and any(frame.window is None for frame in plan.slices))
    )
    return _dask_array(plan.slice_sources, leading_shape, steps, options, measures=measures)


def _frames_per_chunk(frame_shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Return the number of frames that fit into a chunk, at least 1."""
    return max(1, _CHUNK_BYTES // max(1, math.prod(frame_shape) * dtype.itemsize))


def _dask_array(
    sources: Sequence[SliceSource],
    leading_shape: tuple[int, ...],
    steps: Sequence[int],
    options: _BlockOptions,
    *,
    measures: bool,
) -> Any:
    """Return the dask array (*leading_shape, ...) of `sources`; `steps` are its chunk lengths per axis.

    With `measures`, tasks measure the range of the values first.
    """
    source_indices = np.arange(len(sources)).reshape(leading_shape)
    # Not pure: the same paths may hold other values later, so each task needs a unique name.
    delayed = partial(_dask.delayed, pure=False)
    value_range = None
    if measures:
        step = math.prod(steps[: len(leading_shape)])
        blocks = [sources[start : start + step] for start in range(0, len(sources), step)]
        value_range = delayed(join_ranges)([delayed(partial(measure_block, block, options))() for block in blocks])

    def build(selection: tuple[slice, ...]) -> Any:
        axis = len(selection)
        if axis == len(leading_shape):
            indices = source_indices[selection]
            block = [sources[index] for index in indices.ravel().tolist()]
            task = delayed(partial(decode_block, block, indices.shape, options))
            return _da.from_delayed(
                task(value_range=value_range), (*indices.shape, *options.output_shape), options.dtype
            )
        starts = range(0, leading_shape[axis], steps[axis])
        parts = [build((*selection, slice(start, start + steps[axis]))) for start in starts]
        return parts[0] if len(parts) == 1 else _da.concatenate(parts, axis=axis)

    return build(())
