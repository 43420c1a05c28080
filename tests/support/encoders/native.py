"""Encoder of native Pixel Data values (PS3.5 8)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def cells(
    values: Array, bits_allocated: int, bits_stored: int, high_bit: int, garbage: Array | None = None
) -> npt.NDArray[np.uint64]:
    """Return the Bits Allocated of each sample as an integer: value up to High Bit, other bits from ``garbage``."""
    shift = high_bit + 1 - bits_stored
    mask = ((1 << bits_stored) - 1) << shift
    out = np.zeros(values.shape, np.uint64)
    noise = np.zeros(values.size, int).tolist() if garbage is None else garbage.reshape(-1).tolist()
    for index, (value, around) in enumerate(zip(values.reshape(-1).tolist(), noise, strict=True)):
        # Negative Python integers are infinite two's complement.
        whole = ((value << shift) & mask) | (around & ~mask)
        out.reshape(-1)[index] = whole & ((1 << bits_allocated) - 1)
    return out


def subsample_422(frames: Array) -> Array:
    """Convert (frames, rows, columns, 3) to Y0 Y1 Cb Cr per pair of pixels, with the colour of the first pixel."""
    pairs = frames.reshape(-1, 6)
    return pairs[:, [0, 3, 1, 2]].reshape(len(frames), -1)


def share_colour(frames: Array) -> Array:
    """Return ``frames`` after 4:2:2 subsampling: every second pixel has the colour of the pixel before."""
    pairs = frames.reshape(-1, 6).copy()
    pairs[:, 4:] = pairs[:, 1:3]
    return pairs.reshape(frames.shape)


def encode(
    frames: Array,
    bits_allocated: int,
    *,
    bits_stored: int | None = None,
    high_bit: int | None = None,
    planar_configuration: int = 0,
    big_endian: bool = False,
    ow: bool = False,
    ybr_422: bool = False,
    garbage: Array | None = None,
    pad: bool = True,
) -> bytes:
    """Return the value of Pixel Data.

    ``frames`` is (frames, rows, columns, samples); with ``ow``, 8-bit samples and packed bits in big endian are
    written as 16-bit words, whose two bytes are swapped (PS3.5 7.3, 8.1.2).
    """
    if frames.dtype.kind == "f":
        samples = frames
        whole = frames.dtype.newbyteorder(">" if big_endian else "<")
    else:
        stored = bits_allocated if bits_stored is None else bits_stored
        high = stored - 1 if high_bit is None else high_bit
        samples = cells(frames, bits_allocated, stored, high, garbage)
        whole = np.dtype(f"{'>' if big_endian else '<'}u{max(1, bits_allocated // 8)}")
    if ybr_422:
        samples = subsample_422(samples)
    elif planar_configuration == 1:
        samples = np.moveaxis(samples, -1, 1)
    value = pack(samples.reshape(-1).tolist()) if bits_allocated == 1 else samples.astype(whole).tobytes()
    if pad and len(value) % 2:
        value += b"\0"
    if ow and big_endian and bits_allocated <= 8:
        value = b"".join(value[offset : offset + 2][::-1] for offset in range(0, len(value), 2))
    return value


def pack(bits: list[int]) -> bytes:
    """Pack bits, least significant first, without gaps between frames (PS3.5 8.1.1)."""
    number = sum(bit << index for index, bit in enumerate(bits))
    return number.to_bytes(-(-len(bits) // 8), "little")
