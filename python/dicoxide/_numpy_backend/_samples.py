"""Samples from native bytes, and samples to other samples: colour, rescale, wider types, packed bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import fault
from dicoxide._numpy_backend._info import FrameInfo

Samples = npt.NDArray[Any]

_EXACT_IN_FLOAT64 = 2.0**53


def decode_native(src: bytes, offset_bits: int, info: FrameInfo, big_endian: bool) -> Samples:
    """The samples of one native frame, planar configuration 0 (PS3.5 8.1, 8.2)."""
    needed = -(-(info.native_frame_bits + offset_bits) // 8)
    if len(src) < needed:
        raise fault("Truncated", f"{len(src)} bytes found, {needed} expected", "PS3.5 8.1.1", len(src))
    if info.is_bit_packed:
        bits = np.unpackbits(np.frombuffer(src, np.uint8), count=offset_bits + info.pixels, bitorder="little")
        return bits[offset_bits:]
    cell = f"{'>' if big_endian else '<'}u{info.sample_bytes}"
    cells = np.frombuffer(src, cell, info.native_frame_bits // info.bits_allocated).astype(f"=u{info.sample_bytes}")
    if info.is_native_422:
        if info.pixels % 2:
            raise fault("Unsupported", "YBR_FULL_422 with an odd number of pixels", "PS3.3 C.7.6.3.1.2")
        # Y0 Y1 Cb Cr of a pair of pixels become Y0 Cb Cr, Y1 Cb Cr.
        cells = cells.reshape(-1, 4)[:, [0, 2, 3, 1, 2, 3]]
    elif info.planar_configuration == 1:
        cells = cells.reshape(info.samples_per_pixel, info.pixels).T
    return info.aligned(np.ascontiguousarray(cells).reshape(-1))


def ybr_full_to_rgb(samples: Samples) -> Samples:
    """8-bit ``YBR_FULL`` to RGB with pydicom's values (PS3.3 C.7.6.3.1.2)."""
    y, cb, cr = samples.view(np.uint8).reshape(-1, 3).T.astype(np.float64) - [[0], [128], [128]]
    weights = [1.402, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587, 1.772]
    red_cr, green_cb, green_cr, blue_cb = np.array(weights, np.float32).astype(np.float64)
    # pydicom multiplies matrices of float32. A product of one with a whole number below 256 is exact in float64, so
    # this is a fused multiply-add, rounded once for each term, whatever the machine has.
    green = (y + green_cb * cb).astype(np.float32) + green_cr * cr
    rgb = np.stack([y + red_cr * cr, green, y + blue_cb * cb], axis=-1).astype(np.float32)
    rounded: Samples = np.clip(np.floor(rgb + np.float32(0.5)), 0, 255).astype(np.uint8)
    return rounded.reshape(-1).view(samples.dtype)


def check_output(out: Samples, info: FrameInfo, rescaled: bool, ybr_to_rgb: bool) -> None:
    """Whether ``out`` can hold the samples."""
    if rescaled and info.samples_per_pixel != 1:
        raise fault("Output", "rescale of an image with more than one sample per pixel", "PS3.3 C.11.1")
    if ybr_to_rgb and (info.samples_per_pixel != 3 or info.dtype != np.uint8):
        raise fault("Unsupported", "YBR_FULL to RGB needs three unsigned samples of 8 bits", "PS3.3 C.7.6.3.1.2")
    wider_integer = info.dtype.kind in "iu" and out.dtype.kind in "iu" and np.can_cast(info.dtype, out.dtype)
    if not rescaled and out.dtype != info.dtype and not wider_integer:
        raise fault("Output", f"output of {out.dtype} cannot hold samples of {info.dtype}")


def check_memory(out: Samples) -> None:
    """Whether ``out`` is memory that samples can be written to."""
    if not isinstance(out, np.ndarray) or out.dtype.kind not in "iuf" or not out.dtype.isnative:
        raise ValueError("out must be an ndarray of integers or floats in native byte order")
    if out.dtype.itemsize > 8 or out.dtype == np.float16:
        raise ValueError("out must be an ndarray of integers or floats in native byte order")
    if not out.flags.writeable:
        raise ValueError("out cannot be written to: it is read-only")
    if not out.flags.c_contiguous:
        raise ValueError("out must be C-contiguous")


def rescale(samples: Samples, slope: float, intercept: float, out: Samples) -> None:
    """``samples`` * slope + intercept into ``out``: rounded once to a float, exact or refused in an integer."""
    with np.errstate(over="ignore", invalid="ignore"):
        if out.dtype.kind == "f":
            out[...] = (samples.astype(np.float64) * slope + intercept).astype(out.dtype)
            return
        whole = samples.dtype.kind in "iu" and _is_whole(slope) and _is_whole(intercept)
        if whole and _largest(samples.dtype, slope, intercept) > _EXACT_IN_FLOAT64:
            values = samples.astype(object) * int(slope) + int(intercept)
            exact = np.ones(values.shape, bool)
        else:
            cells = samples.astype(np.float64)
            values = cells * slope + intercept
            exact = (np.abs(values) <= _EXACT_IN_FLOAT64) & (np.floor(values) == values)
            if not whole and samples.dtype.kind in "iu" and samples.dtype.itemsize == 8:
                exact &= cells.astype(object) == samples.astype(object)
        limits = np.iinfo(out.dtype)
        exact &= ((values >= limits.min) & (values <= limits.max)).astype(bool)
        if not exact.all():
            text = f"the value of sample {np.argmin(exact)} is not exact in {out.dtype}"
            raise fault("Output", text, "PS3.3 C.11.1")
        out[...] = values.astype(out.dtype)


def _is_whole(coefficient: float) -> bool:
    return float(coefficient).is_integer() and abs(coefficient) < 2.0**63


def _largest(dtype: np.dtype[Any], slope: float, intercept: float) -> int:
    """No value of an integer type is farther from zero after its rescale."""
    limits = np.iinfo(dtype)
    return max(-int(limits.min), int(limits.max)) * abs(int(slope)) + abs(int(intercept))
