"""PyAV, which decodes video by FFmpeg."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide._transfer_syntaxes import VIDEO_CODECS
from dicoxide.bench._cases import Case
from dicoxide.bench._decoders._base import Call, Decoder, LoadedCase

__all__ = ["PyAv"]


class PyAv(Decoder):
    """FFmpeg, with the fragments that pydicom joins. dicoxide decodes video by the same library."""

    name = "PyAV"
    package = module = "av"
    license = "BSD-3-Clause"
    levels = ("file",)

    def implementation(self, case: Case, level: str) -> str:
        return "FFmpeg"

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        if loaded.case.transfer_syntax not in VIDEO_CODECS:
            return None
        import av
        import pydicom
        from pydicom.encaps import generate_fragments, parse_basic_offsets

        def decode() -> Array:
            value = io.BytesIO(pydicom.dcmread(loaded.case.path).PixelData)
            parse_basic_offsets(value)
            stream = io.BytesIO(b"".join(generate_fragments(value)))
            with av.open(stream) as container:
                container.streams.video[0].thread_count = threads
                return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])

        return decode

    def to_array(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        return np.asarray(result).reshape(loaded.case.shape)
