"""Decoding of bare JPEG codestreams with the options of single calls of the core."""

from __future__ import annotations

from typing import Any

import numpy as np

import dicoxide
from dicoxide._backend import core
from dicoxide._options import DecodeOptions

# True for the instructions that every CPU has.
LEVELS = (True, False)


def frame_spec(src: bytes, uid: str = "1.2.840.10008.1.2.4.50", **attributes: Any) -> dicoxide.FrameSpec:
    """Return the attributes of a data set that agree with the codestream."""
    info = dicoxide.codestream_info(src)
    assert info.rows is not None
    assert info.columns is not None
    assert info.precision is not None
    components = info.components or 1
    declared = {
        "samples_per_pixel": components,
        "bits_allocated": 8 if info.precision <= 8 else 16,
        "bits_stored": info.precision,
        "photometric_interpretation": "YBR_FULL" if components == 3 else "MONOCHROME2",
    }
    return dicoxide.FrameSpec(uid, info.rows, info.columns, **{**declared, **attributes})


def decoded_at_level(
    src: bytes,
    is_portable: bool,
    *,
    uid: str = "1.2.840.10008.1.2.4.50",
    attributes: dict[str, Any] | None = None,
    **options: Any,
) -> np.ndarray[Any, Any]:
    """Return the stored samples that the portable or the fastest instructions decode."""
    spec = frame_spec(src, uid, **(attributes or {}))
    out = np.zeros(spec.shape, spec.dtype)
    core.decode_frame_into(out, spec, src, DecodeOptions(portable=is_portable, **options))
    return out
