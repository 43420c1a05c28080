"""Rendering of the frames of one file, with a range of values that is that of a whole volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dicoxide._arguments import Array
from dicoxide._image import Image
from dicoxide._rendering import RenderOptions

__all__ = ["SliceRendering", "render_frames"]


class SliceRendering(NamedTuple):
    """Options of :func:`dicoxide.render`, and the range of modality values of frames without a window.

    Without a range, that of the frames of each call is measured.
    """

    options: RenderOptions
    value_range: tuple[float, float] | None = None


def render_frames(
    image: Image,
    frames: Sequence[int] | int,
    out: Array | None,
    rendering: SliceRendering,
    threads: int | None,
    *,
    max_bytes: int | None = None,
) -> Array:
    """Render frames of an image, into `out` if it is given."""
    renderer = image._renderer(rendering.options)
    renderer.value_range = rendering.value_range
    return renderer.render(frames, out, threads=threads, max_bytes=max_bytes)
