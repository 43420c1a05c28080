"""GDCM: as pydicom's plugin, and by its own reader."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, Opened, is_ybr, library, planes_last
from dicoxide.bench._decoders._pydicom import Plugin

__all__ = ["Gdcm"]


class Gdcm(Plugin):
    """Grassroots DICOM. It ends the process on some valid files."""

    name = module = plugin = "gdcm"
    package = "python-gdcm"
    license = "Apache-2.0"
    levels = ("pixel_array", "file", "bulk")

    def votes(self, case: Case, level: str) -> str:
        return library(case, self.name)

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        if level != "file":
            return super().bind(level, opened, variant, threads)
        if is_ybr(opened.case):
            return None
        import gdcm

        path = opened.case.path

        def decode() -> Any:
            reader = gdcm.ImageReader()
            reader.SetFileName(path)
            if not reader.Read():
                raise ValueError("gdcm cannot read the file")
            image = reader.GetImage()
            return image.GetBuffer(), image.GetPlanarConfiguration()

        return decode

    def values(self, level: str, opened: Opened, result: Any) -> Array:
        if level == "pixel_array":
            return np.asarray(result)
        text, planar = result
        # What its wrapper hands out is text, with a surrogate for each byte that is none.
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
        values = np.frombuffer(data, opened.case.dtype)
        if planar and opened.case.samples_per_pixel > 1 and opened.case.frames == 1:
            return planes_last(values, opened)
        return values
