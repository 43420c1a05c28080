"""highdicom, which decodes with pydicom's plugins."""

from __future__ import annotations

import numpy as np

from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, Decoder, LoadedCase

__all__ = ["Highdicom"]


class Highdicom(Decoder):
    """`imread`, and the frames of the image."""

    name = package = module = "highdicom"
    license = "MIT"
    levels = ("file", "rescaled", "bulk")

    def implementation(self, case: Case, level: str) -> str:
        # The first available plugin of pydicom decodes.
        return ""

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        import highdicom

        path = loaded.case.path
        if loaded.case.samples_per_pixel > 1:
            return None
        if level == "file":
            return lambda: highdicom.imread(path).get_stored_frames()
        if loaded.has_dose_grid_scaling:
            return None
        return lambda: highdicom.imread(path).get_frames(
            dtype=np.float32, apply_real_world_transform=False, apply_presentation_lut=False
        )
