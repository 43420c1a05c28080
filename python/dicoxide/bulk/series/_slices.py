"""Frames of many files, decoded straight into the places of one array on several threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from dicoxide._arguments import LARGE_SAMPLES, Array, thread_count
from dicoxide._decode import open as open_image
from dicoxide._image import Image
from dicoxide._threads import ThreadPool
from dicoxide.errors import CorruptFrameError, DecodeError

# (path, index of the frame in it) of each slice.
Sources: TypeAlias = Sequence[tuple[str, int]]
# Frames of one file that lie one after another in the array: where the first goes, and which they are.
_Run: TypeAlias = tuple[int, list[int]]
_Errors: TypeAlias = dict[int, Exception]

# Files that one thread decodes at a time: asking for the next ones takes as long as decoding a small one.
_BATCH = 16


def fill(
    target: Array,
    sources: Sources,
    *,
    rescale: bool,
    threads: int | None,
    keep_errors: bool,
    strict: bool,
    fallback: bool,
) -> _Errors:
    """Decode `sources` into ``target[0]``, ``target[1]`` and so on.

    The first error in the order of the files is raised; or, with `keep_errors`, errors are returned by index, and what
    they are about is zero, NaN in floating point. Each file is opened once.
    """
    jobs: dict[str, list[_Run]] = {}
    last = ""
    for place, (path, frame) in enumerate(sources):
        runs = jobs.setdefault(path, [])
        if path == last:
            runs[-1][1].append(frame)
        else:
            runs.append((place, [frame]))
        last = path
    at_once = thread_count(threads)
    inner = None if threads is None and len(jobs) == 1 else max(1, at_once // max(1, len(jobs)))

    def decode_batch(batch: list[tuple[str, list[_Run]]]) -> _Errors:
        errors: _Errors = {}
        for path, runs in batch:
            try:
                errors |= _decode_file(target, path, runs, rescale, inner, keep_errors, strict, fallback)
            except (DecodeError, OSError) as error:
                error.add_note(f"of {path}")
                raise
        return errors

    files = list(jobs.items())
    if len(files) == 1 or at_once == 1:
        return decode_batch(files)
    step = max(1, min(_BATCH, len(files) // (4 * at_once)))
    batches = [files[start : start + step] for start in range(0, len(files), step)]
    with ThreadPool(min(at_once, len(batches))) as decoders:
        errors: _Errors = {}
        for task in [decoders.submit(decode_batch, batch) for batch in batches]:
            errors |= task.result()
        return dict(sorted(errors.items()))


def _decode_file(
    target: Array,
    path: str,
    runs: list[_Run],
    rescale: bool,
    threads: int | None,
    keep_errors: bool,
    strict: bool,
    fallback: bool,
) -> _Errors:
    """Decode frames of one file; errors by place, if they are kept."""
    errors: _Errors = {}
    try:
        with open_image(path, strict=strict, fallback=fallback) as image:
            _check(image, target)
            for place, frames in runs:
                try:
                    _decode_run(image, target, place, frames, rescale, threads)
                except (DecodeError, OSError):
                    if not keep_errors:
                        raise
                    errors |= _decode_singly(image, target, place, frames, rescale, threads)
    except (DecodeError, OSError) as error:
        if not keep_errors:
            raise
        for place, frames in runs:
            errors |= dict.fromkeys(range(place, place + len(frames)), error)
    for place in errors:
        target[place] = np.nan if target.dtype.kind == "f" else 0
    return errors


def require(
    sources: Sources,
    frame_shape: tuple[int, ...],
    *,
    strict: bool,
    fallback: bool,
    keep_errors: bool = False,
) -> None:
    """Refuse slices that cannot be as large as their headers say, before memory is taken for all of them.

    One that can be is enough: the others are said to be as large.
    """
    failed: DecodeError | OSError | None = None
    for path, frame in sources if math.prod(frame_shape) > LARGE_SAMPLES else ():
        try:
            with open_image(path, strict=strict, fallback=fallback) as image:
                image.check([frame])
                return
        except (DecodeError, OSError) as error:
            error.add_note(f"of {path}")
            failed = failed or error
            if not keep_errors:
                break
    if failed is not None:
        raise failed


def _check(image: Image, target: Array) -> None:
    """Refuse a file that is no longer what its header said when the volume was planned."""
    shape = image.shape[1:] if image.number_of_frames > 1 else image.shape
    if shape != target.shape[1:]:
        raise CorruptFrameError(
            f"frames of {shape} found, {target.shape[1:]} expected: the file has changed (PS3.3 C.7.6.3)",
            kind="Mismatch",
            clause="PS3.3 C.7.6.3",
            transfer_syntax=image.transfer_syntax,
        )


def _decode_run(image: Image, target: Array, place: int, frames: list[int], rescale: bool, threads: int | None) -> None:
    count = image.number_of_frames
    if max(frames) >= count:
        raise CorruptFrameError(
            f"{count} frames found, frame {max(frames)} expected: the file has changed (PS3.3 C.7.6.6)",
            kind="Mismatch",
            clause="PS3.3 C.7.6.6",
            transfer_syntax=image.transfer_syntax,
        )
    out = target[place : place + len(frames)]
    image.decode(frames, out, rescale=rescale, threads=threads)


def _decode_singly(
    image: Image, target: Array, place: int, frames: list[int], rescale: bool, threads: int | None
) -> _Errors:
    """Frame by frame, to know which of them fail."""
    errors: _Errors = {}
    for at, frame in enumerate(frames, place):
        try:
            _decode_run(image, target, at, [frame], rescale, threads)
        except (DecodeError, OSError) as error:
            errors[at] = error
    return errors
