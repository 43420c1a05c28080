"""PNG output for viewing: a folder ``NAME`` with one 8-bit image per frame, windowed, and ``series.json``."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bulk.runs._formats import _base
from dicoxide.bulk.runs._formats._voi_lut import VoiLut, read_voi_lut
from dicoxide.bulk.runs._options import RunOptions
from dicoxide.bulk.runs._tasks import ArrayTask, finding_json
from dicoxide.bulk.series import Finding, Slice
from dicoxide.errors import CorruptFrameError

__all__ = ["Writer", "apply_window"]


class Writer(_base.Writer):
    """Writes one image per slice."""

    def __init__(self, out: str, task: ArrayTask, options: RunOptions) -> None:
        super().__init__(out, task, options)
        # Path of the last file whose VOI LUT was read, and the table.
        self._cached_voi_lut: tuple[str, VoiLut | None] = ("", None)
        self._voi_lut_errors: dict[str, str] = {}

    def open(self) -> None:
        super().open()
        self._images = os.path.join(self.folder, self.task.name)
        os.mkdir(self._images)
        self._file_names: list[str] = []

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> list[bytes]:
        return [self._encode(pixels, self.task.slices[index]) for pixels, index in zip(block, indices, strict=True)]

    def append(self, prepared: list[bytes], slice_count: int) -> None:
        for image in prepared:
            name = f"{len(self._file_names):04}.png"
            with open(os.path.join(self._images, name), "wb") as file:
                file.write(image)
            self._file_names.append(name)

    def truncate(self, slice_count: int) -> None:
        for name in self._file_names[slice_count:]:
            os.unlink(os.path.join(self._images, name))
        del self._file_names[slice_count:]

    def close(self, retained: ArrayTask, metadata: dict[str, Any]) -> list[str]:
        metadata["files"] = self._file_names
        errors = sorted(set(self._voi_lut_errors.values()))
        metadata["findings"] += [finding_json(Finding("voi_lut", error)) for error in errors]
        if self._interpretation == "PALETTE COLOR":
            text = "the palette is not applied; grey levels are palette indices"
            metadata["findings"].append(finding_json(Finding("palette", text)))
        _base.write_json(os.path.join(self._images, "series.json"), metadata)
        return [self.task.name]

    def _voi_lut(self, path: str) -> VoiLut | None:
        """Return the VOI LUT of a file. The last one is cached, for multi-frame files; threads may read it twice."""
        cached_path, voi_lut = self._cached_voi_lut
        if cached_path != path:
            voi_lut = None
            try:
                voi_lut = read_voi_lut(path)
            except CorruptFrameError as error:
                self._voi_lut_errors[path] = f"{error}: not applied, grey levels are from minimum to maximum"
            self._cached_voi_lut = path, voi_lut
        return voi_lut

    @property
    def _interpretation(self) -> str:
        return self.task.plan.photometric_interpretation

    def _encode(self, pixels: Array, frame: Slice) -> bytes:
        from PIL import Image

        if pixels.ndim == 3:
            if pixels.shape[2] not in (3, 4) or pixels.dtype.kind != "u":
                layout = f"{pixels.shape[2]} {pixels.dtype} samples per pixel"
                raise ValueError(f"PNG needs 3 or 4 unsigned samples per pixel, not {layout}")
            bits_stored = int(self.metadata(self.task, [])["attributes"].get("BitsStored") or 8)
            levels = (pixels >> (bits_stored - 8) if bits_stored > 8 else pixels).astype(np.uint8)
        else:
            is_inverted = self._interpretation == "MONOCHROME1"
            voi_lut = None if _is_usable(frame.window) else self._voi_lut(frame.path or self.task.plan.first_slice.path)
            levels = apply_window(pixels, frame.window, voi_lut, is_inverted=is_inverted)
        stream = io.BytesIO()
        Image.fromarray(levels).save(stream, "png", compress_level=1)
        return stream.getvalue()


def _is_usable(window: tuple[float, float, str] | None) -> bool:
    """Return True if the window's width is one that its function allows (PS3.3 C.11.2.1.2.1 and C.11.2.1.3)."""
    if window is None:
        return False
    _, width, function = window
    return width >= 1 if function == "LINEAR" else width > 0 and function in ("LINEAR_EXACT", "SIGMOID")


def apply_window(
    pixels: Array,
    window: tuple[float, float, str] | None,
    voi_lut: VoiLut | None = None,
    *,
    is_inverted: bool = False,
) -> Array:
    """Map modality values to grey levels (PS3.3 C.11.2): by a window or a table, or from the minimum to the maximum.

    Parameters
    ----------
    pixels : ndarray
        (rows, columns), modality values.
    window : (center, width, function) or None
        VOI LUT Function ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``. A window with another function, or with a width
        that its function does not allow (C.11.2.1.2.1 and C.11.2.1.3), is ignored.
    voi_lut : VoiLut, optional
        Table to use if there is no usable window.
    is_inverted : bool
        True if the minimum is white (MONOCHROME1).

    Returns
    -------
    ndarray of uint8
        (rows, columns).
    """
    values: Array = np.nan_to_num(pixels.astype(np.float64))
    center, width, function = window if window is not None and _is_usable(window) else (0.0, 0.0, "")
    if function == "LINEAR":
        # With a width of 1 the ramp has no length: values are black or white.
        fractions = (values - (center - 0.5)) / max(width - 1, np.finfo("f8").tiny) + 0.5
    elif function == "LINEAR_EXACT":
        fractions = (values - center) / width + 0.5
    elif function == "SIGMOID":
        # Clipped so that the exponential does not overflow.
        fractions = 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    elif voi_lut is not None:
        fractions = voi_lut.fractions(values)
    else:
        low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
        fractions = (values - low) / (high - low) if high > low else np.zeros_like(values)
    levels: Array = np.rint(np.clip(fractions, 0, 1) * 255).astype(np.uint8)
    return np.subtract(255, levels, dtype=np.uint8) if is_inverted else levels
