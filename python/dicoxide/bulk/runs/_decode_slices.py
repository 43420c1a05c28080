"""Slices of jobs, decoded in their order on all threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, groupby
from typing import Any, Protocol, TypeVar

from dicoxide._arguments import Array
from dicoxide._decode import open as open_image
from dicoxide._image import Image
from dicoxide._threads import Task, ThreadPool
from dicoxide.bulk._many import decode_many
from dicoxide.bulk.runs._options import Options
from dicoxide.bulk.runs._tasks import Job
from dicoxide.errors import DecodeError

__all__ = ["decoded_slices"]

# Frames of one file are decoded together up to about this many bytes of them.
_TOGETHER_BYTES = 8 << 20


class _Owner(Protocol):
    """Whoever wants the slices of a job."""

    is_dead: bool
    """Whether the rest of the slices is not wanted any more."""


_O = TypeVar("_O", bound=_Owner)


def decoded_slices(
    jobs: Sequence[tuple[Job, _O]], options: Options, threads: int
) -> Generator[tuple[_O, int, Array | Exception], None, None]:
    """Decode all slices of `jobs`, job after job, slice after slice.

    Parameters
    ----------
    jobs : sequence of (Job, owner)
        Slices of an owner that has died are left out.
    options : Options
        How to decode.
    threads : int
        Most threads.

    Yields
    ------
    (owner, index, ndarray or exception)
        The slice of the owner's job, as :func:`dicoxide.decode` gives it, or why not.
    """

    def how(pair: tuple[Job, _O]) -> tuple[bool, dict[str, Any]]:
        job = pair[0]
        return all(one.frame_index is None for one in job.slices), options.decoding(job)

    for (is_whole, decoding), group in groupby(jobs, key=how):
        pairs = list(group)
        if is_whole:
            yield from _files(pairs, decoding, threads)
        else:
            for job, owner in pairs:
                yield from _frames(job, owner, decoding, threads)


def _files(
    pairs: Sequence[tuple[Job, _O]], decoding: dict[str, Any], threads: int
) -> Iterator[tuple[_O, int, Array | Exception]]:
    """Slices that are files, in one stream."""
    asked: deque[tuple[Job, _O, int]] = deque()
    rest = chain.from_iterable(((job, owner, index) for index in range(len(job.slices))) for job, owner in pairs)

    def paths() -> Iterator[str]:
        for job, owner, index in rest:
            if not owner.is_dead:
                asked.append((job, owner, index))
                yield job.slices[index].path

    while True:
        try:
            for _, result in decode_many(paths(), threads=threads, on_error="return", **decoding):
                _, owner, index = asked.popleft()
                yield owner, index, result
            return
        except Exception as error:
            # What `decode_many` does not return: the options do not fit this source. It goes on with the next.
            if not asked:
                raise
            _, owner, index = asked.popleft()
            yield owner, index, error
            rest = chain(list(asked), rest)
            asked.clear()


def _frames(job: Job, owner: _O, decoding: dict[str, Any], threads: int) -> Iterator[tuple[_O, int, Array | Exception]]:
    """Slices of a job that are frames of larger files, some frames at once on each thread."""
    reads = list(_reads(job))
    strict = bool(decoding.get("strict"))
    image_options = {key: value for key, value in decoding.items() if key != "strict"}
    # Frames that are fewer than threads are decoded by several each.
    image_options["threads"] = max(1, threads // len(reads))
    images: dict[str, Image] = {}

    def decode_read(read: tuple[str, list[int]]) -> list[Array | Exception]:
        path, indices = read
        try:
            image = images.get(path)
            if image is None:
                image = images[path] = open_image(path, strict=strict)
        except Exception as error:
            return [error] * len(indices)
        frames = [job.slices[index].frame_index or 0 for index in indices]
        return _each(image, frames, image_options)

    waiting: deque[tuple[tuple[str, list[int]], Task[list[Array | Exception]]]] = deque()
    rest = iter(reads)
    decoders = ThreadPool(threads)
    try:
        while not owner.is_dead:
            while len(waiting) < 2 * threads and (read := next(rest, None)) is not None:
                waiting.append((read, decoders.submit(decode_read, read)))
            if not waiting:
                return
            (path, indices), task = waiting.popleft()
            for index, result in zip(indices, task.result(), strict=True):
                yield owner, index, result
            upcoming = {read[0] for read, _ in waiting}
            if path not in upcoming and path in images and not _wants_more(job, indices[-1], path):
                images.pop(path).close()
    finally:
        decoders.stop()
        for image in images.values():
            image.close()


def _wants_more(job: Job, index: int, path: str) -> bool:
    return index + 1 < len(job.slices) and job.slices[index + 1].path == path


def _reads(job: Job) -> Iterator[tuple[str, list[int]]]:
    """Neighbouring slices of one file, as many as are decoded together."""
    size = 8
    for length in job.slice_shape:
        size *= length
    most = max(1, _TOGETHER_BYTES // max(1, size))
    for path, group in groupby(range(len(job.slices)), key=lambda index: job.slices[index].path):
        indices = list(group)
        for start in range(0, len(indices), most):
            yield path, indices[start : start + most]


def _each(image: Image, frames: list[int], options: dict[str, Any]) -> list[Array | Exception]:
    """Frames of one image; where one of them cannot be decoded, the others still are."""
    try:
        return list(image.decode(frames, **options))
    except DecodeError as error:
        if len(frames) == 1:
            return [error]
    except Exception as error:
        return [error] * len(frames)
    results: list[Array | Exception] = []
    for frame in frames:
        try:
            results.append(image.decode(frame, **options))
        except Exception as error:
            results.append(error)
    return results
