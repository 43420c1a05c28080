"""SimpleITK: ITK, which decodes with GDCM."""

from __future__ import annotations

from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, Opened, Peer, library

__all__ = ["SimpleItk"]


class SimpleItk(Peer):
    """`ReadImage`, which gives modality values."""

    name = package = module = "SimpleITK"
    license = "Apache-2.0"
    levels = ("rescaled",)

    def votes(self, case: Case, level: str) -> str:
        return library(case, "gdcm")

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        import SimpleITK

        path = opened.case.path
        return lambda: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path, SimpleITK.sitkFloat32))
