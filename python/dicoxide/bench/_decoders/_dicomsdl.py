"""dicomsdl, an independent reader in C++."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, Decoder, LoadedCase, interleave_planes, is_ybr, shared_library

__all__ = ["Dicomsdl"]


class Dicomsdl(Decoder):
    """Decodes a path frame by frame. Crashes on some valid files."""

    name = package = module = "dicomsdl"
    license = "MIT"
    levels = ("file", "bulk")
    variants = ("", "out=")

    def implementation(self, case: Case, level: str) -> str:
        return shared_library(case, self.name)

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        import dicomsdl

        case = loaded.case
        if is_ybr(case):
            return None
        frame_shape = loaded.frame_shape
        if _returns_planes(loaded):
            frame_shape = (case.samples_per_pixel, *frame_shape[:2])
        shape = (case.frames, *frame_shape)
        reused = loaded.out(level).reshape(shape) if variant else None

        def decode() -> Array:
            out = np.empty(shape, case.dtype) if reused is None else reused
            source = dicomsdl.open(case.path)
            for index, frame in enumerate(out):
                source.copyFrameData(index, frame)
            return out

        return decode

    def to_array(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        if _returns_planes(loaded):
            return np.stack([interleave_planes(frame, loaded) for frame in result])
        return np.asarray(result)


def _returns_planes(loaded: LoadedCase) -> bool:
    """True if frames are returned as consecutive sample planes."""
    return loaded.case.samples_per_pixel > 1 and loaded.spec.planar_configuration == 1
