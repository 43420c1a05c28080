"""dicomsdl: a reader of its own in C++."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, Opened, Peer, is_ybr, library, planes_last

__all__ = ["Dicomsdl"]


class Dicomsdl(Peer):
    """From a path. It ends the process on some valid files."""

    name = package = module = "dicomsdl"
    license = "MIT"
    levels = ("file", "bulk")
    variants = ("", "out=")

    def votes(self, case: Case, level: str) -> str:
        return library(case, self.name)

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        import dicomsdl

        case = opened.case
        if is_ybr(case):
            return None
        shape = opened.frame_shape
        if _is_planar(opened):
            shape = (case.samples_per_pixel, *shape[:2])
        every = (case.frames, *shape)
        warm = opened.out(level).reshape(every) if variant else None

        def decode() -> Array:
            out = np.empty(every, case.dtype) if warm is None else warm
            source = dicomsdl.open(case.path)
            for index, frame in enumerate(out):
                source.copyFrameData(index, frame)
            return out

        return decode

    def values(self, level: str, opened: Opened, result: Any) -> Array:
        if _is_planar(opened):
            return np.stack([planes_last(frame, opened) for frame in result])
        return np.asarray(result)


def _is_planar(opened: Opened) -> bool:
    """Whether it gives one sample plane after the other."""
    return opened.case.samples_per_pixel > 1 and opened.spec.planar_configuration == 1
