"""Decodes frames of many files into one array, on several threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dicoxide._arguments import LARGE_SAMPLES, Array, Rescale, thread_count
from dicoxide._decode import open as open_image
from dicoxide._image import Image
from dicoxide._threads import ThreadPool
from dicoxide.errors import CorruptFrameError, DecodeError

__all__ = ["Sources", "check_frame_size", "decode_into", "real_world_units"]

# (path, zero-based frame index) of each slice.
Sources: TypeAlias = Sequence[tuple[str, int]]
# Consecutive slices from one file: index of the first in the array, and the frame index of each.
_Run: TypeAlias = tuple[int, list[int]]
# Errors by slice index.
_Errors: TypeAlias = dict[int, Exception]

# Maximum number of files in one call of a thread. Smaller batches spend more time on the queue than on small images.
_BATCH_FILES = 16


@dataclass(frozen=True, slots=True)
class _SliceDecoder:
    """Decodes the slices of single files into `target`; `threads` is for one file.

    `units` are the units of real-world values, None if they are not checked.
    """

    target: Array
    rescale: Rescale
    quantity: str | None
    units: str | None
    threads: int | None
    keep_errors: bool
    strict: bool
    fallback: bool

    def decode_batch(self, batch: Sequence[tuple[str, list[_Run]]]) -> _Errors:
        """Decode several files, one after the other."""
        errors: _Errors = {}
        for path, runs in batch:
            try:
                errors |= self._decode_file(path, runs)
            except (DecodeError, OSError) as error:
                error.add_note(f"file: {path}")
                raise
        return errors

    def _decode_file(self, path: str, runs: Sequence[_Run]) -> _Errors:
        """Decode the slices of one file; return errors by slice index, if they are kept."""
        errors: _Errors = {}
        try:
            with open_image(path, strict=self.strict, fallback=self.fallback) as image:
                _check_shape(image, self.target)
                for start, frames in runs:
                    try:
                        self._decode_run(image, start, frames)
                    except (DecodeError, OSError):
                        if not self.keep_errors:
                            raise
                        errors |= self._decode_singly(image, start, frames)
        except (DecodeError, OSError) as error:
            if not self.keep_errors:
                raise
            for start, frames in runs:
                errors |= dict.fromkeys(range(start, start + len(frames)), error)
        for index in errors:
            self.target[index] = np.nan if self.target.dtype.kind == "f" else 0
        return errors

    def _decode_run(self, image: Image, start: int, frames: list[int]) -> None:
        count = image.number_of_frames
        if max(frames) >= count:
            raise CorruptFrameError(
                f"{count} frames found, frame index {max(frames)} expected: the file has changed (PS3.3 C.7.6.6)",
                kind="Mismatch",
                clause="PS3.3 C.7.6.6",
                transfer_syntax=image.transfer_syntax,
            )
        out = self.target[start : start + len(frames)]
        if self.units is not None and (units := image.real_world_units(frames[0], self.quantity)) != self.units:
            raise ValueError(
                f"real-world values of the slices have different units: {self.units!r} and {units!r} "
                "(PS3.3 C.7.6.16.2.11)"
            )
        image.decode(frames, out, rescale=self.rescale, quantity=self.quantity, threads=self.threads)

    def _decode_singly(self, image: Image, start: int, frames: list[int]) -> _Errors:
        """Decode frame by frame; return the errors of those that fail."""
        errors: _Errors = {}
        for index, frame in enumerate(frames, start):
            try:
                self._decode_run(image, index, [frame])
            except (DecodeError, OSError) as error:
                errors[index] = error
        return errors


def decode_into(
    target: Array,
    sources: Sources,
    *,
    rescale: Rescale,
    quantity: str | None,
    units: str | None,
    threads: int | None,
    keep_errors: bool,
    strict: bool,
    fallback: bool,
) -> _Errors:
    """Decode ``sources[i]`` into ``target[i]``. Each file is opened once.

    With `keep_errors`, errors are returned by slice index and the samples of failed slices are 0, or NaN in floating
    point. Otherwise the first error, in the order of the files, is raised. `units` is the result of
    :func:`real_world_units`; slices with other units are an error.
    """
    runs_by_path: dict[str, list[_Run]] = {}
    previous_path = ""
    for index, (path, frame) in enumerate(sources):
        runs = runs_by_path.setdefault(path, [])
        if path == previous_path:
            runs[-1][1].append(frame)
        else:
            runs.append((index, [frame]))
        previous_path = path
    files = list(runs_by_path.items())
    workers = thread_count(threads)
    threads_per_file = None if threads is None and len(files) == 1 else max(1, workers // max(1, len(files)))
    decoder = _SliceDecoder(target, rescale, quantity, units, threads_per_file, keep_errors, strict, fallback)
    if len(files) == 1 or workers == 1:
        return decoder.decode_batch(files)
    step = max(1, min(_BATCH_FILES, len(files) // (4 * workers)))
    batches = [files[start : start + step] for start in range(0, len(files), step)]
    with ThreadPool(min(workers, len(batches))) as pool:
        errors: _Errors = {}
        for task in [pool.submit(decoder.decode_batch, batch) for batch in batches]:
            errors |= task.result()
        return dict(sorted(errors.items()))


def real_world_units(sources: Sources, quantity: str | None, *, keep_errors: bool = False) -> str | None:
    """Return the units of the real-world values of the first slice; None if there are no slices.

    With `keep_errors`, slices that cannot be read are skipped.
    """
    for path, frame in sources:
        try:
            with open_image(path) as image:
                return image.real_world_units(frame, quantity)
        except (DecodeError, OSError) as error:
            if not keep_errors:
                error.add_note(f"file: {path}")
                raise
    return None


def check_frame_size(
    sources: Sources,
    frame_shape: tuple[int, ...],
    *,
    strict: bool,
    fallback: bool,
    keep_errors: bool = False,
) -> None:
    """Raise if no slice can have `frame_shape`, judged by the size of its pixel data; called before allocating.

    All slices declare the same shape, so one plausible slice is enough. Small frames are not checked. With
    `keep_errors`, slices that cannot be read are skipped; otherwise the first slice decides.
    """
    first_error: DecodeError | OSError | None = None
    for path, frame in sources if math.prod(frame_shape) > LARGE_SAMPLES else ():
        try:
            with open_image(path, strict=strict, fallback=fallback) as image:
                image.check([frame])
                return
        except (DecodeError, OSError) as error:
            error.add_note(f"file: {path}")
            first_error = first_error or error
            if not keep_errors:
                break
    if first_error is not None:
        raise first_error


def _check_shape(image: Image, target: Array) -> None:
    """Raise if the frames of a file no longer have the shape that the plan expects."""
    shape = image.shape[1:] if image.number_of_frames > 1 else image.shape
    if shape != target.shape[1:]:
        raise CorruptFrameError(
            f"frame shape {shape} found, {target.shape[1:]} expected: the file has changed (PS3.3 C.7.6.3)",
            kind="Mismatch",
            clause="PS3.3 C.7.6.3",
            transfer_syntax=image.transfer_syntax,
        )
