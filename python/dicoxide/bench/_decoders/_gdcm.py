"""GDCM (Grassroots DICOM), as a plugin of pydicom and with its own reader."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, LoadedCase, interleave_planes, is_ybr, shared_library
from dicoxide.bench._decoders._plugin import Plugin

__all__ = ["Gdcm"]


class Gdcm(Plugin):
    """Plugin of pydicom, and `ImageReader`. Crashes on some valid files."""

    name = module = plugin = "gdcm"
    package = "python-gdcm"
    license = "Apache-2.0"
    levels = ("pixel_array", "file", "bulk")

    def implementation(self, case: Case, level: str) -> str:
        return shared_library(case, self.name)

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        if level != "file":
            return super().bind(level, loaded, variant, threads)
        if is_ybr(loaded.case):
            return None
        import gdcm

        path = loaded.case.path

        def decode() -> Any:
            reader = gdcm.ImageReader()
            reader.SetFileName(path)
            if not reader.Read():
                raise ValueError("gdcm cannot read the file")
            image = reader.GetImage()
            return image.GetBuffer(), image.GetPlanarConfiguration()

        return decode

    def to_array(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        if level == "pixel_array":
            return np.asarray(result)
        buffer, planar_configuration = result
        # The SWIG wrapper returns str: bytes that are not UTF-8 are surrogates.
        data = buffer.encode("utf-8", "surrogateescape") if isinstance(buffer, str) else bytes(buffer)
        values = np.frombuffer(data, loaded.case.dtype)
        if planar_configuration and loaded.case.samples_per_pixel > 1 and loaded.case.frames == 1:
            return interleave_planes(values, loaded)
        return values
