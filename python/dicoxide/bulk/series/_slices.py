"""Decodes frames of many files into one array, on several threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np

from dicoxide._arguments import LARGE_SAMPLES, Array, Rescale, thread_count
from dicoxide._decode import open as open_image
from dicoxide._image import Image
from dicoxide._threads import ThreadPool
from dicoxide.bulk.series._mosaic import Tile
from dicoxide.bulk.series._slice_rendering import SliceRendering, render_frames
from dicoxide.errors import CorruptFrameError, DecodeError

__all__ = ["SliceSource", "check_frame_size", "decode_into", "real_world_units"]


class SliceSource(NamedTuple):
    """File and zero-based frame index of a slice, and its place in the frame if that is a mosaic.

    The path is empty for a slice that is in no file and has samples of 0.
    """

    path: str
    frame: int
    tile: Tile | None = None


# Consecutive slices from one file: index of the first in the array, and the sources.
_Run: TypeAlias = tuple[int, list[SliceSource]]
# Errors by slice index.
_Errors: TypeAlias = dict[int, Exception]

# Maximum number of files in one call of a thread. Smaller batches spend more time on the queue than on small images.
_BATCH_FILES = 16


@dataclass(frozen=True, slots=True)
class _SliceDecoder:
    """Decodes the slices of single files into `target`; `threads` is for one file.

    `units` are the units of real-world values, None if they are not checked. `slice_shape` is the shape that files
    declare, which differs from that of rendered slices.
    """

    target: Array
    slice_shape: tuple[int, ...]
    rendering: SliceRendering | None
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
                for start, sources in runs:
                    try:
                        self._decode_run(image, start, sources)
                    except (DecodeError, OSError):
                        if not self.keep_errors:
                            raise
                        errors |= self._decode_singly(image, start, sources)
        except (DecodeError, OSError) as error:
            if not self.keep_errors:
                raise
            for start, sources in runs:
                errors |= dict.fromkeys(range(start, start + len(sources)), error)
        for index in errors:
            self.target[index] = np.nan if self.target.dtype.kind == "f" else 0
        return errors

    def _decode_run(self, image: Image, start: int, sources: Sequence[SliceSource]) -> None:
        out = self.target[start : start + len(sources)]
        tile = sources[0].tile
        _check_shape(image, self.slice_shape, tile)
        frames = [source.frame for source in sources]
        count = image.number_of_frames
        if max(frames) >= count:
            raise CorruptFrameError(
                f"{count} frames found, frame index {max(frames)} expected: the file has changed (PS3.3 C.7.6.6)",
                kind="Mismatch",
                clause="PS3.3 C.7.6.6",
                transfer_syntax=image.transfer_syntax,
            )
        if self.units is not None and (units := image.real_world_units(frames[0], self.quantity)) != self.units:
            raise ValueError(
                f"real-world values of the slices have different units: {self.units!r} and {units!r} "
                "(PS3.3 C.7.6.16.2.11)"
            )
        if tile is None:
            self._decode_frames(image, frames, out)
            return
        mosaic = np.empty((1, tile.frame_rows, tile.frame_columns, *out.shape[3:]), out.dtype)
        for index, source in enumerate(sources):
            if index == 0 or source.frame != frames[index - 1]:
                self._decode_frames(image, [source.frame], mosaic)
            if source.tile is not None:
                out[index] = source.tile.cut(mosaic[0], out.shape[1:])

    def _decode_frames(self, image: Image, frames: list[int], out: Array) -> None:
        if self.rendering is not None:
            render_frames(image, frames, out, self.rendering, self.threads)
            return
        image.decode(frames, out, rescale=self.rescale, quantity=self.quantity, threads=self.threads)

    def _decode_singly(self, image: Image, start: int, sources: Sequence[SliceSource]) -> _Errors:
        """Decode frame by frame; return the errors of those that fail."""
        errors: _Errors = {}
        for _, group in groupby(enumerate(sources, start), key=lambda item: item[1].frame):
            indices, members = zip(*group, strict=True)
            try:
                self._decode_run(image, indices[0], members)
            except (DecodeError, OSError) as error:
                errors |= dict.fromkeys(indices, error)
        return errors


def decode_into(
    target: Array,
    sources: Sequence[SliceSource],
    *,
    rescale: Rescale,
    quantity: str | None,
    units: str | None,
    threads: int | None,
    keep_errors: bool,
    strict: bool,
    fallback: bool,
    slice_shape: tuple[int, ...] | None = None,
    rendering: SliceRendering | None = None,
) -> _Errors:
    """Decode ``sources[i]`` into ``target[i]``. Each file is opened once. Slices without a file are filled with 0.

    With `keep_errors`, errors are returned by slice index and the samples of failed slices are 0, or NaN in floating
    point. Otherwise the first error, in the order of the files, is raised. `units` is the result of
    :func:`real_world_units`; slices with other units are an error. With `rendering`, slices are rendered, and
    `slice_shape` is their shape in the files.
    """
    runs_by_path: dict[str, list[_Run]] = {}
    previous_path = ""
    for index, source in enumerate(sources):
        if not source.path:
            target[index] = 0
            previous_path = ""
            continue
        runs = runs_by_path.setdefault(source.path, [])
        if source.path == previous_path:
            runs[-1][1].append(source)
        else:
            runs.append((index, [source]))
        previous_path = source.path
    files = list(runs_by_path.items())
    workers = thread_count(threads)
    threads_per_file = None if threads is None and len(files) == 1 else max(1, workers // max(1, len(files)))
    decoder = _SliceDecoder(
        target,
        target.shape[1:] if slice_shape is None else slice_shape,
        rendering,
        rescale,
        quantity,
        units,
        threads_per_file,
        keep_errors,
        strict,
        fallback,
    )
    if len(files) == 1 or workers == 1:
        return decoder.decode_batch(files)
    step = max(1, min(_BATCH_FILES, len(files) // (4 * workers)))
    batches = [files[start : start + step] for start in range(0, len(files), step)]
    with ThreadPool(min(workers, len(batches))) as pool:
        errors: _Errors = {}
        for task in [pool.submit(decoder.decode_batch, batch) for batch in batches]:
            errors |= task.result()
        return dict(sorted(errors.items()))


def _has_file(source: SliceSource) -> bool:
    return bool(source.path)


def real_world_units(sources: Sequence[SliceSource], quantity: str | None, *, keep_errors: bool = False) -> str | None:
    """Return the units of the real-world values of the first slice in a file; None if there is none.

    With `keep_errors`, slices that cannot be read are skipped.
    """
    for path, frame, _ in filter(_has_file, sources):
        try:
            with open_image(path) as image:
                return image.real_world_units(frame, quantity)
        except (DecodeError, OSError) as error:
            if not keep_errors:
                error.add_note(f"file: {path}")
                raise
    return None


def check_frame_size(
    sources: Sequence[SliceSource],
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
    for path, frame, _ in filter(_has_file, sources) if math.prod(frame_shape) > LARGE_SAMPLES else ():
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


def _check_shape(image: Image, slice_shape: tuple[int, ...], tile: Tile | None) -> None:
    """Raise if the frames of a file no longer have the shape that the plan expects."""
    shape = image.shape[1:] if image.number_of_frames > 1 else image.shape
    expected = slice_shape if tile is None else (tile.frame_rows, tile.frame_columns, *slice_shape[2:])
    if shape != expected:
        raise CorruptFrameError(
            f"frame shape {shape} found, {expected} expected: the file has changed (PS3.3 C.7.6.3)",
            kind="Mismatch",
            clause="PS3.3 C.7.6.3",
            transfer_syntax=image.transfer_syntax,
        )
