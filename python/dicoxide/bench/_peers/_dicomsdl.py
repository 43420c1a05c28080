"""dicomsdl: a reader of its own in C++."""

from __future__ import annotations

from dicoxide.bench._peers._base import Call, Opened, Peer

__all__ = ["Dicomsdl"]


class Dicomsdl(Peer):
    """From a path. It ends the process on some valid files."""

    name = package = module = "dicomsdl"
    license = "MIT"
    levels = ("file", "bulk")
    variants = ("", "out=")

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        import dicomsdl
        import numpy as np

        case = opened.case
        shape, dtype = opened.frame_shape, case.dtype
        warm = opened.out(level) if variant else None

        def decode() -> object:
            out = np.empty(case.shape, dtype) if warm is None else warm
            source = dicomsdl.open(case.path)
            for index, frame in enumerate(out.reshape(case.frames, *shape)):
                source.copyFrameData(index, frame)
            return out

        return decode
