"""Expected samples of JPEG 2000 frames, and their decoding at CPU levels."""

from __future__ import annotations

from typing import Any

import numpy as np

import dicoxide
from support.encoders.jpeg2000_cases import Frame
from support.encoders.jpeg2000_geometry import ceil_div
from support.jpeg_frames import decoded_at_level

JPEG_2000 = "1.2.840.10008.1.2.4.91"


def expected_samples(frame: Frame) -> np.ndarray[Any, Any]:
    """Return (rows, columns[, components]) of a frame; subsampled components are replicated."""
    planes, steps = frame.encoded.planes, frame.options.get("subsampling")
    if steps is None:
        return frame.encoded.values
    assert not frame.options.get("reduce")
    left, top = frame.options.get("offset", (0, 0))
    rows, columns = frame.samples.shape[:2]
    whole = []
    for plane, (dx, dy) in zip(planes, steps, strict=True):
        # Pixels before the first sample of a component take that sample.
        y = np.clip((top + np.arange(rows)) // dy - ceil_div(top, dy), 0, None)
        x = np.clip((left + np.arange(columns)) // dx - ceil_div(left, dx), 0, None)
        whole.append(plane[y[:, None], x])
    return np.stack(whole, -1)


def expected_dtype(frame: Frame) -> np.dtype[Any]:
    """Return the smallest type of the samples."""
    bits = 8 if frame.precision <= 8 else 16 if frame.precision <= 16 else 32
    signs = frame.options.get("is_signed")
    is_signed = any(signs) if isinstance(signs, tuple) else frame.samples.dtype.kind == "i"
    return np.dtype(f"{'i' if is_signed else 'u'}{bits // 8}")


def decoded(frame: Frame, is_portable: bool) -> np.ndarray[Any, Any]:
    """Return the samples that the portable or the fastest instructions decode."""
    info = dicoxide.codestream_info(frame.src)
    bits = 8 * expected_dtype(frame).itemsize
    return decoded_at_level(
        frame.src,
        is_portable,
        uid=JPEG_2000,
        attributes={
            "bits_allocated": bits,
            "pixel_representation": int(bool(info.is_signed)),
            "photometric_interpretation": "RGB" if info.components == 3 else "MONOCHROME2",
        },
    )


def assert_equals_frame(found: np.ndarray[Any, Any], frame: Frame) -> None:
    """Assert the samples of the encoder, or for 9/7 samples that differ by rounding."""
    expected = expected_samples(frame)
    assert found.shape == expected.shape
    difference = np.abs(found.astype(np.int64) - expected).max(initial=0)
    assert difference <= (0 if frame.is_lossless else max(1, frame.tolerance)), (difference, frame)
