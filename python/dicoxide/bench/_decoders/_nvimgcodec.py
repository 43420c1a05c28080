"""nvImageCodec, which needs an NVIDIA GPU."""

from __future__ import annotations

import glob

import numpy as np

from dicoxide.bench._decoders._base import JPEG, JPEG_2000, JPEG_LOSSLESS, Call, Decoder, LoadedCase

__all__ = ["NvImageCodec"]


class NvImageCodec(Decoder):
    """From the codestream to an array in host memory."""

    name = "nvImageCodec"
    package = "nvidia-nvimgcodec-cu12"
    module = "nvidia.nvimgcodec"
    license = "Apache-2.0, its binaries proprietary"
    levels = ("codec",)

    def is_installed(self) -> bool:
        return bool(glob.glob("/dev/nvidia[0-9]*")) and super().is_installed()

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        if loaded.case.transfer_syntax not in JPEG | JPEG_LOSSLESS | JPEG_2000:
            return None
        from nvidia import nvimgcodec

        decoder, src = nvimgcodec.Decoder(), loaded.frame
        parameters = nvimgcodec.DecodeParams(color_spec=nvimgcodec.ColorSpec.UNCHANGED, allow_any_depth=True)
        return lambda: np.asarray(decoder.decode(src, parameters).cpu())
