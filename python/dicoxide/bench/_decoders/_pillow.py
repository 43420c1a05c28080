"""Pillow, as a plugin of pydicom for JPEG and JPEG 2000."""

from __future__ import annotations

from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import shared_library
from dicoxide.bench._decoders._plugin import Plugin

__all__ = ["Pillow"]


class Pillow(Plugin):
    """libjpeg-turbo and OpenJPEG, as bundled with Pillow."""

    name = package = plugin = "pillow"
    module = "PIL"
    license = "MIT-CMU"

    def implementation(self, case: Case, level: str) -> str:
        return shared_library(case, "libjpeg-turbo")
