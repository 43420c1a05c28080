"""pydicom with its own decoders, and `pixel_array` with whichever plugin pydicom chooses."""

from __future__ import annotations

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, LoadedCase
from dicoxide.bench._decoders._plugin import Plugin

__all__ = ["Pydicom"]


class Pydicom(Plugin):
    """`dcmread(path).pixel_array`; at the level ``pixel_array`` the decoder that is part of pydicom."""

    name = package = module = plugin = "pydicom"
    license = "MIT"
    levels = ("pixel_array", "file", "rescaled", "bulk")

    def implementation(self, case: Case, level: str) -> str:
        # From a path, compressed pixel data are decoded by the first available plugin.
        return self.name if level == "pixel_array" or case.is_native else ""

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        if level == "pixel_array":
            return super().bind(level, loaded, variant, threads)
        import pydicom
        from pydicom.pixels.processing import apply_modality_lut

        path = loaded.case.path
        if level == "file":
            return lambda: pydicom.dcmread(path).pixel_array
        if loaded.has_dose_grid_scaling:
            return None

        def rescaled() -> Array:
            dataset = pydicom.dcmread(path)
            return np.asarray(apply_modality_lut(dataset.pixel_array, dataset), np.float32)

        return rescaled
