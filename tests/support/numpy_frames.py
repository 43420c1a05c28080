"""Helpers of NumPy backend tests: attributes, frames and assertions."""

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


def open_numpy_frames(
    syntax: str, value: bytes, attributes: dict[str, Any] = MONO_8, **arguments: Any
) -> _numpy_backend.Frames:
    return open_frames(_numpy_backend, syntax, value, **(attributes | arguments))


def decode_frames(
    opened: _numpy_backend.Frames, dtype: str, samples: int, indices: list[int] | None = None, **options: Any
) -> tuple[np.ndarray, list[Deviation]]:
    """Decode all frames, or those of ``indices``, to one row of ``samples`` samples each; return deviations too."""
    frame_indices = list(range(len(opened))) if indices is None else indices
    out = np.full((len(frame_indices), samples), 77, dtype)
    rescales = options.pop("rescales", None)
    path, deviations = opened.decode_into(out, frame_indices, DecodeOptions(**options), transforms=rescales)
    assert path == _numpy_backend.CPU_PATH == "numpy"
    return out, deviations


def decode_one_frame(
    syntax: str, value: bytes, dtype: str, attributes: dict[str, Any] = MONO_8, **arguments: Any
) -> list[Any]:
    """Decode a value that is the bytes of one frame; return its samples."""
    opened = open_numpy_frames(syntax, value, attributes, whole=True, **arguments)
    samples = opened._info.samples
    return decode_frames(opened, dtype, samples)[0][0].tolist()


def kind_and_offset(error: pytest.ExceptionInfo[DecodeError]) -> tuple[str, int | None]:
    return error.value.kind, error.value.offset


def assert_describes_error(error: CorruptFrameError, syntax: str, length: int) -> None:
    assert error.kind in ("Truncated", "Malformed", "Mismatch")
    assert isinstance(error, TruncatedFrameError) == (error.kind == "Truncated")
    assert error.transfer_syntax == syntax
    assert error.offset is None or 0 <= error.offset <= length
    assert str(error).endswith(f"({error.clause})")
    assert "\n" not in str(error)


def rle_frame(*segments: bytes, header: list[int] | None = None) -> bytes:
    """Return an RLE frame: header of sixteen integers, then the segments; ``header`` replaces the correct integers."""
    if header is None:
        return rle.assemble(list(segments))
    return struct.pack("<16L", *header, *[0] * (16 - len(header))) + b"".join(segments)
