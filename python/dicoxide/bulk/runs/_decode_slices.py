"""Decodes the slices of tasks in order, on all threads."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, groupby
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from dicoxide._arguments import Array
from dicoxide._decode import open as open_image
from dicoxide._image import Image
from dicoxide._threads import Task, ThreadPool
from dicoxide.bulk import decode_many
from dicoxide.bulk.runs._options import RunOptions
from dicoxide.bulk.runs._render_slices import SliceRenderer, needs_measuring
from dicoxide.bulk.runs._tasks import ArrayTask
from dicoxide.errors import DecodeError

__all__ = ["decode_task_slices"]

# Frames of one file are decoded in calls of about this many bytes of output.
_READ_BYTES = 8 << 20
# Upper bound of a sample's size in bytes, for sizing these calls.
_MAX_SAMPLE_BYTES = 8
# Calls in progress or waiting, for each thread.
_READS_PER_THREAD = 2

# Path, and indices of neighbouring slices that are decoded in one call.
_Read: TypeAlias = tuple[str, list[int]]


class _Consumer(Protocol):
    """Receives the slices of a task."""

    is_abandoned: bool
    """True if the remaining slices are not needed; may change at any time."""


C = TypeVar("C", bound=_Consumer)


def decode_task_slices(
    tasks: Sequence[tuple[ArrayTask, C]], options: RunOptions, threads: int
) -> Generator[tuple[C, int, Array | Exception], None, None]:
    """Decode all slices, task by task, and in the order of the array within a task.

    Parameters
    ----------
    tasks : sequence of (ArrayTask, consumer)
        Slices of abandoned consumers are skipped.
    options : RunOptions
        Decoding options.
    threads : int
        Maximum number of threads.

    Yields
    ------
    (consumer, index, ndarray or exception)
        The slice with this index in the consumer's task, as :func:`dicoxide.decode` returns it, or its error.
    """

    def group_key(pair: tuple[ArrayTask, C]) -> tuple[bool, dict[str, Any]]:
        task = pair[0]
        slices_are_files = all(frame.frame_index is None and not frame.is_omitted for frame in task.slices)
        return slices_are_files and not needs_measuring(task, options), options.decode_arguments(task)

    for (slices_are_files, arguments), group in groupby(tasks, key=group_key):
        members = list(group)
        if slices_are_files:
            yield from _decode_files(members, arguments, threads)
        else:
            for task, consumer in members:
                yield from _decode_frames(task, consumer, options, threads)


def _decode_files(
    tasks: Sequence[tuple[ArrayTask, C]], arguments: dict[str, Any], threads: int
) -> Iterator[tuple[C, int, Array | Exception]]:
    """Decode slices of files with one frame, those of all tasks in one call of `decode_many`."""
    in_flight: deque[tuple[ArrayTask, C, list[int]]] = deque()
    # Neighbouring slices of one file are those of a mosaic.
    remaining = chain.from_iterable(
        ((task, consumer, list(indices)) for _, indices in _group_by_file(task)) for task, consumer in tasks
    )

    def paths() -> Iterator[str]:
        for task, consumer, indices in remaining:
            if not consumer.is_abandoned:
                in_flight.append((task, consumer, indices))
                yield task.slices[indices[0]].path

    while True:
        try:
            for _, result in decode_many(paths(), threads=threads, on_error="return", **arguments):
                task, consumer, indices = in_flight.popleft()
                for index in indices:
                    yield consumer, index, _slice_of(task, index, result)
            return
        except Exception as error:
            # An error that `decode_many` raises in spite of on_error="return", such as options that do not fit this
            # source. Start again with the next source.
            if not in_flight:
                raise
            _, consumer, indices = in_flight.popleft()
            for index in indices:
                yield consumer, index, error
            remaining = chain(list(in_flight), remaining)
            in_flight.clear()


def _group_by_file(task: ArrayTask) -> Iterator[tuple[str, Iterator[int]]]:
    """Group the indices of neighbouring slices that are in the same file."""
    return groupby(range(len(task.slices)), key=lambda index: task.slices[index].path)


def _slice_of(task: ArrayTask, index: int, frame: Array | Exception) -> Array | Exception:
    """Return a slice of a decoded frame, which is the frame itself unless it is a mosaic."""
    tile = task.slices[index].tile
    if tile is None or isinstance(frame, Exception):
        return frame
    try:
        return tile.cut(frame, task.slice_shape)
    except DecodeError as error:
        return error


def _decode_frames(
    task: ArrayTask, consumer: C, options: RunOptions, threads: int
) -> Iterator[tuple[C, int, Array | Exception]]:
    """Decode slices that are frames of multi-frame files; each thread decodes several neighbouring frames in a call.

    Empty frames that a segmentation omits are arrays of 0.
    """
    reads = list(_split_into_reads(task))
    # With fewer calls than threads, each call uses several threads.
    threads_per_read = max(1, threads // len(reads))
    renderer = None
    omitted_shape = task.slice_shape
    if options.rendering is not None:
        renderer = SliceRenderer(task, options, threads)
        omitted_shape = renderer.slice_shape(task, strict=options.strict)
    decode_arguments = options.decode_arguments(task) | {"threads": threads_per_read}
    decode_arguments.pop("strict", None)
    images: dict[str, Image] = {}

    def decode_read(read: _Read) -> list[Array | Exception]:
        path, indices = read
        if not path:
            return [np.zeros(omitted_shape, options.output_dtype(task)) for _ in indices]
        try:
            image = images.get(path)
            if image is None:
                image = images[path] = open_image(path, strict=options.strict)
        except Exception as error:
            return [error] * len(indices)
        frames = [task.slices[index].frame_index or 0 for index in indices]
        # A frame has several slices if it is a mosaic.
        distinct = list(dict.fromkeys(frames))
        if renderer is not None:
            results = renderer.render(image, distinct, threads_per_read)
        else:
            results = _decode_or_errors(image, distinct, decode_arguments)
        decoded = dict(zip(distinct, results, strict=True))
        return [_slice_of(task, index, decoded[frame]) for index, frame in zip(indices, frames, strict=True)]

    in_flight: deque[tuple[_Read, Task[list[Array | Exception]]]] = deque()
    remaining = iter(reads)
    pool = ThreadPool(threads)
    try:
        while not consumer.is_abandoned:
            while len(in_flight) < _READS_PER_THREAD * threads and (read := next(remaining, None)) is not None:
                in_flight.append((read, pool.submit(decode_read, read)))
            if not in_flight:
                return
            (path, indices), call = in_flight.popleft()
            for index, result in zip(indices, call.result(), strict=True):
                yield consumer, index, result
            is_in_flight = any(read[0] == path for read, _ in in_flight)
            if path in images and not is_in_flight and not _continues_with(task, indices[-1], path):
                images.pop(path).close()
    finally:
        pool.stop()
        for image in images.values():
            image.close()


def _continues_with(task: ArrayTask, index: int, path: str) -> bool:
    """True if the slice after `index` is in the file `path`."""
    return index + 1 < len(task.slices) and task.slices[index + 1].path == path


def _split_into_reads(task: ArrayTask) -> Iterator[_Read]:
    """Split the slices of a task into calls: neighbouring slices of one file, up to `_READ_BYTES`."""
    slice_bytes = _MAX_SAMPLE_BYTES * math.prod(task.slice_shape)
    slice_count = max(1, _READ_BYTES // max(1, slice_bytes))
    for path, group in _group_by_file(task):
        indices = list(group)
        for start in range(0, len(indices), slice_count):
            yield path, indices[start : start + slice_count]


def _decode_or_errors(image: Image, frames: list[int], arguments: dict[str, Any]) -> list[Array | Exception]:
    """Decode frames of one image; if one of them is corrupt, return the others and its error."""
    try:
        return list(image.decode(frames, **arguments))
    except DecodeError as error:
        if len(frames) == 1:
            return [error]
    except Exception as error:
        return [error] * len(frames)
    results: list[Array | Exception] = []
    for frame in frames:
        try:
            results.append(image.decode(frame, **arguments))
        except Exception as error:
            results.append(error)
    return results
