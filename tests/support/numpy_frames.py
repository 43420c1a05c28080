"""Frames of the NumPy backend for its tests."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from dicoxide import _numpy_backend
from dicoxide._deviations import Deviation
from dicoxide._options import DecodeOptions
from dicoxide.errors import (
    CorruptFrameError,
    DecodeError,
    TruncatedFrameError,
)
from support.backend_comparison import open_frames
from support.encoders import rle

MONO_8: dict[str, Any] = {
    "rows": 2,
    "columns": 2,
    "samples_per_pixel": 1,
    "bits_allocated": 8,
    "bits_stored": 8,
    "high_bit": 7,
    "pixel_representation": 0,
    "planar_configuration": 0,
    "photometric_interpretation": "MONOCHROME2",
}


WIDE = {"bits_allocated": 16, "bits_stored": 16, "high_bit": 15}


MONO_16 = MONO_8 | WIDE


RGB_8 = MONO_8 | {"samples_per_pixel": 3, "photometric_interpretation": "RGB"}


def frames(syntax: str, value: bytes, attributes: dict[str, Any] = MONO_8, **more: Any) -> _numpy_backend.Frames:
    return open_frames(_numpy_backend, syntax, value, **(attributes | more))


def decode(
    opened: _numpy_backend.Frames, dtype: str, samples: int, indices: list[int] | None = None, **options: Any
) -> tuple[np.ndarray, list[Deviation]]:
    """Decode all frames, or those of ``indices``, to an array of shape (frames, samples)."""
    wanted = list(range(len(opened))) if indices is None else indices
    out = np.full((len(wanted), samples), 77, dtype)
    rescales = options.pop("rescales", None)
    path, notes = opened.decode_into(out, wanted, DecodeOptions(**options), rescales=rescales)
    assert path == _numpy_backend.CPU_PATH == "numpy"
    return out, notes


def one(syntax: str, value: bytes, dtype: str, attributes: dict[str, Any] = MONO_8, **more: Any) -> list[Any]:
    """Return the samples of a value that consists of one frame."""
    opened = frames(syntax, value, attributes, whole=True, **more)
    samples = opened._info.samples
    return decode(opened, dtype, samples)[0][0].tolist()


def facts(error: pytest.ExceptionInfo[DecodeError]) -> tuple[str, int | None]:
    return error.value.kind, error.value.offset


def assert_well_told(error: CorruptFrameError, syntax: str, length: int) -> None:
    assert error.kind in ("Truncated", "Malformed", "Mismatch")
    assert isinstance(error, TruncatedFrameError) == (error.kind == "Truncated")
    assert error.transfer_syntax == syntax
    assert error.offset is None or 0 <= error.offset <= length
    assert str(error).endswith(f"({error.clause})")
    assert "\n" not in str(error)


def rle_frame(*segments: bytes, header: list[int] | None = None) -> bytes:
    """Return an RLE frame of segments; ``header`` replaces the first numbers of its header."""
    if header is None:
        return rle.assemble(list(segments))
    return struct.pack("<16L", *header, *[0] * (16 - len(header))) + b"".join(segments)
