"""nvImageCodec, where there is a GPU."""

from __future__ import annotations

import glob
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._decoders._base import JPEG, JPEG_2000, JPEG_LOSSLESS, Call, Opened, Peer

__all__ = ["NvImageCodec"]


class NvImageCodec(Peer):
    """From the codestream to the memory of the computer, as the others do."""

    name = "nvImageCodec"
    package = "nvidia-nvimgcodec-cu12"
    module = "nvidia.nvimgcodec"
    license = "Apache-2.0, its binaries proprietary"
    levels = ("codec",)

    def is_there(self) -> bool:
        return bool(glob.glob("/dev/nvidia[0-9]*")) and super().is_there()

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        if opened.case.transfer_syntax not in JPEG | JPEG_LOSSLESS | JPEG_2000:
            return None
        from nvidia import nvimgcodec

        decoder, src = nvimgcodec.Decoder(), opened.frame
        parameters = nvimgcodec.DecodeParams(color_spec=nvimgcodec.ColorSpec.UNCHANGED, allow_any_depth=True)
        return lambda: np.asarray(decoder.decode(src, parameters).cpu())

    def values(self, level: str, opened: Opened, result: Any) -> Array:
        return np.asarray(result)
