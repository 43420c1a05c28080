"""SimpleITK, which decodes with GDCM."""

from __future__ import annotations

from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, Decoder, LoadedCase, shared_library

__all__ = ["SimpleItk"]


class SimpleItk(Decoder):
    """`ReadImage`, which returns modality values."""

    name = package = module = "SimpleITK"
    license = "Apache-2.0"
    levels = ("rescaled",)

    def implementation(self, case: Case, level: str) -> str:
        return shared_library(case, "gdcm")

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        import SimpleITK

        path = loaded.case.path
        if loaded.has_dose_grid_scaling:
            return None
        return lambda: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path, SimpleITK.sitkFloat32))
