"""Reduction of rendered frames to a maximum size: the mean of the area of each output pixel, by Pillow."""

from __future__ import annotations

import numpy as np

from dicoxide._arguments import Array
from dicoxide._extras import require

__all__ = ["limited_shape", "reductions", "resize_into"]


def limited_shape(shape: tuple[int, ...], max_size: int | None) -> tuple[int, ...]:
    """Return the shape of a frame whose larger side is at most `max_size` pixels, with its aspect ratio."""
    rows, columns, *samples = shape
    largest = max(rows, columns)
    if max_size is None or largest <= max_size:
        return shape
    require("pillow", feature="max_size")
    scaled = (max(1, (side * max_size * 2 + largest) // (2 * largest)) for side in (rows, columns))
    return (*scaled, *samples)


def reductions(shape: tuple[int, ...], max_size: int | None) -> range:
    """Return the numbers of resolutions to discard, most first, that leave at least `max_size` pixels."""
    if max_size is None:
        return range(1)
    largest, most = max(shape[:2]), 0
    # One pixel stays one pixel.
    while largest >> most > 1 and -(-largest >> most + 1) >= max_size:
        most += 1
    return range(most, -1, -1)


def resize_into(frame: Array, target: Array) -> None:
    """Reduce a frame, (rows, columns[, 3]) of uint8, uint16 or float32, to the size of `target`."""
    from PIL import Image

    size = (target.shape[1], target.shape[0])
    if frame.dtype == np.uint8:
        target[...] = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))
        return
    # Pillow averages other types in float32 only, which is exact enough for 16 bits.
    planes = [frame] if frame.ndim == 2 else [frame[..., sample] for sample in range(frame.shape[2])]
    targets = [target] if frame.ndim == 2 else [target[..., sample] for sample in range(frame.shape[2])]
    for plane, target_plane in zip(planes, targets, strict=True):
        mean = np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BOX))
        target_plane[...] = mean if frame.dtype == np.float32 else np.clip(np.rint(mean), 0, 0xFFFF)
