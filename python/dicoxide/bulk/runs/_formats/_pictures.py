"""Picture output: a folder ``NAME`` with one rendered slice per file (PNG, JPEG, WebP, TIFF), and ``series.json``."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bulk.runs._formats import _base
from dicoxide.bulk.runs._tasks import ArrayTask

__all__ = ["Writer"]

# Suffix and Pillow's name and options of each format.
_FORMATS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "png": (".png", "PNG", {"compress_level": 1}),
    "jpeg": (".jpg", "JPEG", {}),
    "webp": (".webp", "WEBP", {}),
    "tiff": (".tif", "TIFF", {"compression": "tiff_adobe_deflate"}),
}
# Formats with an option for the quality.
_LOSSY_FORMATS = frozenset({"jpeg", "webp"})


class Writer(_base.Writer):
    """Writes one image per slice."""

    def open(self) -> None:
        super().open()
        self._images = os.path.join(self.folder, self.task.name)
        os.mkdir(self._images)
        self._file_names: list[str] = []

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> list[bytes]:
        return list(map(self._encode, block))

    def append(self, prepared: list[bytes], slice_count: int) -> None:
        suffix = _FORMATS[self.options.format][0]
        for image in prepared:
            name = f"{len(self._file_names):04}{suffix}"
            with open(os.path.join(self._images, name), "wb") as file:
                file.write(image)
            self._file_names.append(name)

    def truncate(self, slice_count: int) -> None:
        for name in self._file_names[slice_count:]:
            os.unlink(os.path.join(self._images, name))
        del self._file_names[slice_count:]

    def close(self, retained: ArrayTask, metadata: dict[str, Any]) -> list[str]:
        metadata["files"] = self._file_names
        _base.write_json(os.path.join(self._images, "series.json"), metadata)
        return [self.task.name]

    def _encode(self, pixels: Array) -> bytes:
        from PIL import Image

        _, name, save_options = _FORMATS[self.options.format]
        if pixels.ndim == 3 and pixels.dtype == np.uint16:
            # Pillow writes colour with 8 bits only.
            pixels = (pixels >> 8).astype(np.uint8)
        if self.options.format in _LOSSY_FORMATS:
            save_options = save_options | {"quality": self.options.quality}
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, name, **save_options)
        return stream.getvalue()
