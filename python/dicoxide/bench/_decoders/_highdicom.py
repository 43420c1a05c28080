"""highdicom: pydicom's decoders behind an interface of its own."""

from __future__ import annotations

import numpy as np

from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, Opened, Peer

__all__ = ["Highdicom"]


class Highdicom(Peer):
    """`imread` and the frames of it."""

    name = package = module = "highdicom"
    license = "MIT"
    levels = ("file", "rescaled", "bulk")

    def votes(self, case: Case, level: str) -> str:
        # Its samples are those of pydicom's first plugin.
        return ""

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        import highdicom

        path = opened.case.path
        if opened.case.samples_per_pixel > 1:
            return None
        if level == "file":
            return lambda: highdicom.imread(path).get_stored_frames()
        return lambda: highdicom.imread(path).get_frames(
            dtype=np.float32, apply_real_world_transform=False, apply_presentation_lut=False
        )
