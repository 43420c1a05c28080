"""pylibjpeg with its plugins pylibjpeg-rle, pylibjpeg-libjpeg and pylibjpeg-openjpeg."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import (
    HTJ2K,
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    Call,
    LoadedCase,
    interleave_planes,
    shared_library,
)
from dicoxide.bench._decoders._plugin import Plugin

__all__ = ["Pylibjpeg"]


class Pylibjpeg(Plugin):
    """A plugin of pydicom, and its codecs alone."""

    name = package = module = plugin = "pylibjpeg"
    license = "MIT, its libjpeg GPL-3.0"
    levels = ("codec", "pixel_array")

    def implementation(self, case: Case, level: str) -> str:
        return shared_library(case, self.name) if case.transfer_syntax in JPEG_2000 | HTJ2K else self.name

    @property
    def install(self) -> str:
        return "pip install pylibjpeg pylibjpeg-rle pylibjpeg-libjpeg pylibjpeg-openjpeg"

    def _bind_codec(self, loaded: LoadedCase) -> Call | None:
        case, src = loaded.case, loaded.frame
        try:
            if case.transfer_syntax == RLE:
                from rle.rle import decode_frame

                pixel_count, bits = case.rows * case.columns, case.bits_allocated
                return lambda: decode_frame(src, pixel_count, bits, "<")
            if case.transfer_syntax in JPEG_2000 | HTJ2K:
                import openjpeg

                return lambda: openjpeg.decode(src)
            if case.transfer_syntax in JPEG | JPEG_LOSSLESS | JPEG_LS:
                import libjpeg

                return lambda: libjpeg.decode(src)
        except ImportError:
            return None
        return None

    def to_array(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        if level == "codec" and loaded.case.transfer_syntax == RLE:
            return interleave_planes(np.frombuffer(result, loaded.case.dtype), loaded)
        return np.asarray(result)
