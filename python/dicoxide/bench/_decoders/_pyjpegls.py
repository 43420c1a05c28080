"""pyjpegls, a wrapper of CharLS."""

from __future__ import annotations

import numpy as np

from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import JPEG_LS, Call, LoadedCase, shared_library
from dicoxide.bench._decoders._plugin import Plugin

__all__ = ["Pyjpegls"]


class Pyjpegls(Plugin):
    """CharLS, as a plugin of pydicom and as a codec."""

    name = package = plugin = "pyjpegls"
    module = "jpeg_ls"
    license = "MIT"
    levels = ("codec", "pixel_array")

    def implementation(self, case: Case, level: str) -> str:
        return shared_library(case, self.name)

    def _bind_codec(self, loaded: LoadedCase) -> Call | None:
        if loaded.case.transfer_syntax not in JPEG_LS:
            return None
        import jpeg_ls

        src = np.frombuffer(loaded.frame, np.uint8)
        return lambda: jpeg_ls.decode(src)
