"""A folder ``NAME`` with a PNG file of 8 bits a frame, windowed, for looking at, and ``series.json``."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bulk.runs._formats import _base
from dicoxide.bulk.runs._tasks import Job

__all__ = ["Writer", "windowed"]


class Writer(_base.Writer):
    """Writes an image a slice."""

    def open(self) -> None:
        super().open()
        self._images = os.path.join(self.folder, self.job.name)
        os.mkdir(self._images)
        self._written: list[str] = []

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> list[bytes]:
        return [
            self._image(pixels, self.job.slices[index].window) for pixels, index in zip(block, indices, strict=True)
        ]

    def append(self, prepared: list[bytes], count: int) -> None:
        for image in prepared:
            name = f"{len(self._written):04}.png"
            with open(os.path.join(self._images, name), "wb") as file:
                file.write(image)
            self._written.append(name)

    def forget(self, count: int) -> None:
        for name in self._written[count:]:
            os.unlink(os.path.join(self._images, name))
        del self._written[count:]

    def close(self, kept: Job, told: dict[str, Any]) -> list[str]:
        told["files"] = self._written
        if self._interpretation == "PALETTE COLOR":
            told["findings"].append("the palette is not applied: shades of grey are indices into it")
        _base.write_json(os.path.join(self._images, "series.json"), told)
        return [self.job.name]

    @property
    def _interpretation(self) -> str:
        return self.job.plan.photometric_interpretation

    def _image(self, pixels: Array, window: tuple[float, float, str] | None) -> bytes:
        from PIL import Image

        if pixels.ndim == 3:
            if pixels.shape[2] not in (3, 4) or pixels.dtype.kind != "u":
                raise ValueError(f"PNG holds 3 or 4 unsigned samples, not {pixels.shape[2]} of {pixels.dtype}")
            depth = int(self.document(self.job, [])["attributes"].get("BitsStored") or 8)
            shown = (pixels >> (depth - 8) if depth > 8 else pixels).astype(np.uint8)
        else:
            shown = windowed(pixels, window, is_inverted=self._interpretation == "MONOCHROME1")
        stream = io.BytesIO()
        Image.fromarray(shown).save(stream, "png", compress_level=1)
        return stream.getvalue()


def windowed(pixels: Array, window: tuple[float, float, str] | None, *, is_inverted: bool = False) -> Array:
    """Modality values as they are shown (PS3.3 C.11.2.1.2): from the window, else from least to most.

    Parameters
    ----------
    pixels : ndarray
        (rows, columns), modality values.
    window : (center, width, function) or None
        VOI LUT Function is ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``; another, or a width that has no meaning with it
        (C.11.2.1.2.1 and C.11.2.1.3), is as none.
    is_inverted : bool
        The least value is white (MONOCHROME1).

    Returns
    -------
    ndarray of uint8
        (rows, columns).
    """
    values: Array = np.nan_to_num(pixels.astype(np.float64))
    center, width, function = window or (0.0, 0.0, "")
    if function == "LINEAR" and width >= 1:
        # Where the width is 1 the ramp has no length: all is below the threshold or above.
        shown = (values - (center - 0.5)) / max(width - 1, np.finfo("f8").tiny) + 0.5
    elif function == "LINEAR_EXACT" and width > 0:
        shown = (values - center) / width + 0.5
    elif function == "SIGMOID" and width > 0:
        shown = 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    else:
        least, most = (values.min(), values.max()) if values.size else (0.0, 0.0)
        shown = (values - least) / (most - least) if most > least else np.zeros_like(values)
    levels: Array = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    return np.subtract(255, levels, dtype=np.uint8) if is_inverted else levels
