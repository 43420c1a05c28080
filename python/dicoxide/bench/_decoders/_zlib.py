"""zlib of the standard library, for deflated frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import DEFLATED_FRAMES, Call, Decoder, LoadedCase, interleave_planes

__all__ = ["Zlib"]


class Zlib(Decoder):
    """Inflates a frame and reads its samples; NumPy unpacks bits."""

    name = "zlib"
    package = "python"
    module = "zlib"
    license = "PSF-2.0"
    levels = ("codec",)

    def version(self) -> str | None:
        import zlib

        return zlib.ZLIB_RUNTIME_VERSION

    def implementation(self, case: Case, level: str) -> str:
        return "zlib"

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        import zlib

        case, src = loaded.case, loaded.frame
        if case.transfer_syntax != DEFLATED_FRAMES or case.photometric_interpretation == "YBR_FULL_422":
            return None
        if case.bits_allocated > 1:
            return lambda: np.frombuffer(zlib.decompress(src, wbits=-15), case.dtype)
        samples = case.rows * case.columns * case.samples_per_pixel
        return lambda: np.unpackbits(
            np.frombuffer(zlib.decompress(src, wbits=-15), np.uint8), count=samples, bitorder="little"
        )

    def to_array(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        if loaded.spec.planar_configuration == 1:
            return interleave_planes(result, loaded)
        return np.asarray(result).reshape(loaded.frame_shape)
