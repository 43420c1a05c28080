"""Range of the modality values of slices without a window, measured before they are rendered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias

from dicoxide._arguments import thread_count
from dicoxide._decode import open as open_image
from dicoxide._image import Image
from dicoxide._rendering import Percentiles, RenderOptions
from dicoxide._threads import ThreadPool
from dicoxide.bulk.series._slices import SliceSource
from dicoxide.errors import DecodeError

__all__ = ["ValueRange", "check_measurable", "join_ranges", "measure_slices"]

# Smallest and largest modality value; None if there is none.
ValueRange: TypeAlias = "tuple[float, float] | None"

# Frames that are decoded in one call.
_BATCH_FRAMES = 4


def check_measurable(options: RenderOptions) -> None:
    """Raise a ValueError if the window depends on all values at once."""
    if isinstance(options.window, Percentiles):
        raise ValueError("percentiles need all values of a volume in memory: use Volume.render, or a window")


def measure_slices(
    sources: Sequence[SliceSource],
    options: RenderOptions,
    *,
    threads: int | None = 1,
    strict: bool = False,
    fallback: bool = True,
    keep_errors: bool = False,
) -> ValueRange:
    """Return the range of the modality values of those slices for which `options` select no window.

    Slices with a window are not decoded. With `keep_errors`, slices that cannot be decoded are skipped.
    """

    def measure_file(path: str, frames: list[int]) -> ValueRange:
        try:
            with open_image(path, strict=strict, fallback=fallback) as image:
                return _measure_image(image, frames, options, keep_errors=keep_errors)
        except (DecodeError, OSError) as error:
            if keep_errors:
                return None
            error.add_note(f"file: {path}")
            raise

    files = [
        (path, list(dict.fromkeys(source.frame for source in group)))
        for path, group in groupby(sources, key=attrgetter("path"))
        if path
    ]
    workers = min(thread_count(threads), len(files))
    if workers <= 1:
        return join_ranges(measure_file(path, frames) for path, frames in files)
    with ThreadPool(workers) as pool:
        return join_ranges([task.result() for task in [pool.submit(measure_file, *file) for file in files]])


def join_ranges(ranges: Iterable[ValueRange]) -> ValueRange:
    """Return the smallest range that contains all `ranges`."""
    return reduce(_join, ranges, None)


def _join(first: ValueRange, second: ValueRange) -> ValueRange:
    if first is None or second is None:
        return first or second
    return min(first[0], second[0]), max(first[1], second[1])


def _measure_image(image: Image, frames: list[int], options: RenderOptions, *, keep_errors: bool) -> ValueRange:
    renderer = image._renderer(options)
    needed = [frame for frame in frames if renderer.needs_value_range([frame])]
    measured: ValueRange = None
    for start in range(0, len(needed), _BATCH_FRAMES):
        batch = needed[start : start + _BATCH_FRAMES]
        try:
            stored = image.decode(batch, threads=1)
        except (DecodeError, OSError):
            if not keep_errors:
                raise
            continue
        measured = _join(measured, renderer.measured_range(zip(batch, stored, strict=True)))
    return measured
