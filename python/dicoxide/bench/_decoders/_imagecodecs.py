"""imagecodecs: the codecs alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import (
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    Call,
    Opened,
    Peer,
    library,
    planes_last,
)

__all__ = ["Imagecodecs"]


class Imagecodecs(Peer):
    """libjpeg-turbo, CharLS, OpenJPEG and an RLE of its own."""

    name = package = module = "imagecodecs"
    license = "BSD-3-Clause"
    levels = ("codec",)
    variants = ("", "out=")

    def votes(self, case: Case, level: str) -> str:
        return library(case, "libjpeg-turbo" if case.transfer_syntax in JPEG | JPEG_LOSSLESS else self.name)

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        import imagecodecs

        case, src = opened.case, opened.frame
        out = opened.out(level) if variant else None
        if case.transfer_syntax == RLE:
            dtype = np.dtype(case.dtype)
            flat: Any = None if out is None else out.reshape(-1).view(np.uint8)
            return lambda: imagecodecs.dicomrle_decode(src, dtype, out=flat)
        decoders: tuple[tuple[frozenset[str], Any], ...] = (
            (JPEG | JPEG_LOSSLESS, imagecodecs.jpeg8_decode),
            (JPEG_LS, imagecodecs.jpegls_decode),
            (JPEG_2000, imagecodecs.jpeg2k_decode),
        )
        for uids, decode in decoders:
            if case.transfer_syntax in uids:
                return partial(decode, src, out=out)
        return None

    def values(self, level: str, opened: Opened, result: Any) -> Array:
        if opened.case.transfer_syntax == RLE:
            return planes_last(np.frombuffer(result, opened.case.dtype), opened)
        return np.asarray(result)
