"""Codestreams that consist of a valid header followed by the samples, for stand-in decoders."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

RNG = np.random.default_rng(83)
FRAMES = RNG.integers(0, 256, (4, 5, 7), np.uint8)


# An empty MCT segment of T.801: only fallback decoders decode codestreams with extensions of JPEG 2000.
MCT = b"\xff\x74\0\x02"


def jpeg_2000(samples: np.ndarray[Any, Any]) -> bytes:
    """Return a codestream header (T.800 A.5.1, T.801 A.3), followed by the samples instead of tiles."""
    rows, columns = samples.shape
    depth = samples.dtype.itemsize * 8 - 1
    size = struct.pack(">HH8LH3B", 41, 1 << 15, columns + 3, rows + 2, 3, 2, columns, rows, 3, 2, 1, depth, 1, 1)
    return b"\xff\x4f\xff\x51" + size + MCT + samples.tobytes()


def jpeg_arithmetic(samples: np.ndarray[Any, Any]) -> bytes:
    """Return the header of a JPEG codestream with arithmetic coding (T.81 B.2.2), followed by the samples."""
    return _jpeg(samples, 0xC9)


def jpeg_ls(samples: np.ndarray[Any, Any]) -> bytes:
    """Return a codestream header (T.87 C.2.2, C.2.3), followed by the samples.

    The scan header selects a mapping table, so that only fallback decoders decode it.
    """
    scan = b"\xff\xda" + struct.pack(">H6B", 8, 1, 1, 1, 0, 0, 0)
    return _jpeg_header(samples, 0xF7) + scan + samples.tobytes()


def _jpeg(samples: np.ndarray[Any, Any], marker: int) -> bytes:
    return _jpeg_header(samples, marker) + samples.tobytes()


def _jpeg_header(samples: np.ndarray[Any, Any], marker: int) -> bytes:
    return b"\xff\xd8\xff" + struct.pack(">BHBHHB3B", marker, 11, 8, *samples.shape, 1, 1, 0x11, 0)
