"""Renders the slices of one task; the range of values is that of the array, or of each picture."""

from __future__ import annotations

from typing import Any

from dicoxide._arguments import Array, byte_limit
from dicoxide._decode import open as open_image
from dicoxide._image import Image
from dicoxide._rendering import RenderOptions
from dicoxide.bulk.runs._options import ARRAY_FORMATS, RunOptions
from dicoxide.bulk.runs._tasks import ArrayTask
from dicoxide.bulk.series import SliceRendering, measure_slices, render_frames

__all__ = ["SliceRenderer", "needs_measuring"]


def needs_measuring(task: ArrayTask, options: RunOptions) -> bool:
    """True if slices of an array may have no window, so that they are displayed with the range of its values."""
    rendering = options.rendering
    if rendering is None or options.format not in ARRAY_FORMATS or len(task.slices) == 1:
        return False
    is_gray = task.plan.photometric_interpretation.startswith("MONOCHROME")
    if not is_gray or rendering.window not in ("first", "range"):
        return False
    return rendering.window == "range" or any(frame.window is None for frame in task.slices)


class SliceRenderer:
    """Renders frames of the files of a task. Values are measured when it is created, which may decode all slices.

    Parameters
    ----------
    task : ArrayTask
        The array.
    options : RunOptions
        Options with a rendering.
    threads : int
        Maximum number of threads that measure.
    """

    def __init__(self, task: ArrayTask, options: RunOptions, threads: int) -> None:
        self._options: RenderOptions = options.decode_arguments(task)["render"]
        self._max_bytes = byte_limit(options.max_bytes)
        measured = None
        if needs_measuring(task, options):
            measured = measure_slices(
                task.plan.slice_sources, self._options, threads=threads, strict=options.strict, keep_errors=True
            )
        self._rendering = SliceRendering(self._options, measured)

    def render(self, image: Image, frames: list[int], threads: int) -> list[Array | Exception]:
        """Return rendered frames, or their errors. Each is rendered alone, for its own range of values."""
        results: list[Array | Exception] = []
        for frame in frames:
            try:
                results.append(render_frames(image, frame, None, self._rendering, threads, max_bytes=self._max_bytes))
            except Exception as error:
                results.append(error)
        return results

    def slice_shape(self, task: ArrayTask, **open_options: Any) -> tuple[int, ...]:
        """Return the shape of a rendered slice; that of the frame if no rendering is defined."""
        try:
            with open_image(task.plan.first_slice.path, **open_options) as image:
                return image._renderer(self._options).frame_shape()
        except Exception:
            return task.slice_shape
