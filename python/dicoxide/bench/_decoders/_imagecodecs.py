"""imagecodecs, which has codecs without DICOM."""

from __future__ import annotations

from functools import partial
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
    JPEG_XL,
    RLE,
    Call,
    Decoder,
    LoadedCase,
    interleave_planes,
    shared_library,
)

__all__ = ["Imagecodecs"]


class Imagecodecs(Decoder):
    """libjpeg-turbo, CharLS, OpenJPEG, OpenJPH, libjxl and its own RLE codec."""

    name = package = module = "imagecodecs"
    license = "BSD-3-Clause"
    levels = ("codec",)
    variants = ("", "out=")

    def implementation(self, case: Case, level: str) -> str:
        if case.transfer_syntax in HTJ2K:
            return "OpenJPH"
        return shared_library(case, "libjpeg-turbo" if case.transfer_syntax in JPEG | JPEG_LOSSLESS else self.name)

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        import imagecodecs

        case, src = loaded.case, loaded.frame
        out = loaded.out(level) if variant else None
        if case.transfer_syntax == RLE:
            dtype = np.dtype(case.dtype)
            out_bytes: Any = None if out is None else out.reshape(-1).view(np.uint8)
            return lambda: imagecodecs.dicomrle_decode(src, dtype, out=out_bytes)
        functions: tuple[tuple[frozenset[str], Any], ...] = (
            (JPEG | JPEG_LOSSLESS, imagecodecs.jpeg8_decode),
            (JPEG_LS, imagecodecs.jpegls_decode),
            (JPEG_2000, partial(imagecodecs.jpeg2k_decode, numthreads=threads)),
            (HTJ2K, imagecodecs.htj2k_decode),
            (JPEG_XL, partial(imagecodecs.jpegxl_decode, numthreads=threads)),
        )
        for uids, decode in functions:
            if case.transfer_syntax in uids:
                return partial(decode, src, out=out)
        return None

    def to_array(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        if loaded.case.transfer_syntax == RLE:
            return interleave_planes(np.frombuffer(result, loaded.case.dtype), loaded)
        return np.asarray(result)
