"""Converts samples: native bytes to stored values, YBR_FULL to RGB, rescale; and checks output arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import make_error
from dicoxide._numpy_backend._frame_info import FrameInfo
from dicoxide._numpy_backend._lookup_table import LookupTable, ValueRanges
from dicoxide._numpy_backend._rendering import Rendering

Samples = npt.NDArray[Any]

# All integers up to this magnitude are exact in float64.
_MAX_EXACT_FLOAT64 = 2.0**53

# Message for a value that an integer output does not hold, and its clause.
_INEXACT = "the value of sample {} is not exact in {}", "PS3.3 C.11.1"
_UNDEFINED = "the real-world value of sample {} is undefined, or not exact in {}", "PS3.3 C.7.6.16.2.11"


def decode_native(src: bytes, bit_offset: int, info: FrameInfo, is_big_endian: bool) -> Samples:
    """Return the samples of one native frame, one-dimensional and in planar configuration 0 (PS3.5 8.1, 8.2).

    `bit_offset` is the number of bits in the first byte of `src` that belong to the frame before.
    """
    expected_bytes = -(-(info.native_frame_bits + bit_offset) // 8)
    if len(src) < expected_bytes:
        info.check_subsampling(len(src), expected_bytes)
        raise make_error("Truncated", f"{len(src)} bytes found, {expected_bytes} expected", "PS3.5 8.1.1", len(src))
    if info.is_bit_packed:
        bits = np.unpackbits(np.frombuffer(src, np.uint8), count=bit_offset + info.pixels, bitorder="little")
        return bits[bit_offset:]
    stored_dtype = f"{'>' if is_big_endian else '<'}u{info.sample_bytes}"
    stored_count = info.native_frame_bits // info.bits_allocated
    samples = np.frombuffer(src, stored_dtype, stored_count).astype(f"=u{info.sample_bytes}")
    if info.is_native_422:
        if info.pixels % 2:
            raise make_error("Unsupported", "YBR_FULL_422 with an odd number of pixels", "PS3.3 C.7.6.3.1.2")
        # Y0 Y1 Cb Cr of two pixels become Y0 Cb Cr, Y1 Cb Cr.
        samples = samples.reshape(-1, 4)[:, [0, 2, 3, 1, 2, 3]]
    elif info.planar_configuration == 1:
        samples = samples.reshape(info.samples_per_pixel, info.pixels).T
    return info.align_stored_bits(np.ascontiguousarray(samples).reshape(-1))


def ybr_full_to_rgb(samples: Samples) -> Samples:
    """Convert 8-bit ``YBR_FULL`` samples to RGB, with the same values as pydicom (PS3.3 C.7.6.3.1.2)."""
    y, cb, cr = samples.view(np.uint8).reshape(-1, 3).T.astype(np.float64) - [[0], [128], [128]]
    weights = [1.402, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587, 1.772]
    red_cr, green_cb, green_cr, blue_cb = np.array(weights, np.float32).astype(np.float64)
    # pydicom multiplies float32 matrices with fused multiply-add. The product of a float32 weight and an integer below
    # 256 is exact in float64, so adding it in float64 and rounding to float32 gives the same on any machine.
    green = (y + green_cb * cb).astype(np.float32) + green_cr * cr
    rgb = np.stack([y + red_cr * cr, green, y + blue_cb * cb], axis=-1).astype(np.float32)
    rounded: Samples = np.clip(np.floor(rgb + np.float32(0.5)), 0, 255).astype(np.uint8)
    return rounded.reshape(-1).view(samples.dtype)


def check_output(
    out: Samples,
    info: FrameInfo,
    transform: tuple[float, float] | LookupTable | ValueRanges | Rendering | None,
    ybr_to_rgb: bool,
) -> None:
    """Raise if `out` cannot hold the samples."""
    is_rescaled = transform is not None and not isinstance(transform, Rendering)
    if is_rescaled and info.samples_per_pixel != 1:
        raise make_error("Output", "rescale of an image with more than one sample per pixel", "PS3.3 C.11.1")
    if ybr_to_rgb and (info.samples_per_pixel != 3 or info.dtype != np.uint8):
        raise make_error("Unsupported", "YBR_FULL to RGB needs three unsigned samples of 8 bits", "PS3.3 C.7.6.3.1.2")
    if isinstance(transform, Rendering):
        transform.check(info.dtype, info.samples_per_pixel, out.dtype)
        return
    is_wider_integer = info.dtype.kind in "iu" and out.dtype.kind in "iu" and np.can_cast(info.dtype, out.dtype)
    if not is_rescaled and out.dtype != info.dtype and not is_wider_integer:
        raise make_error("Output", f"output of {out.dtype} cannot hold samples of {info.dtype}")


def check_memory(out: Samples) -> None:
    """Raise if `out` is not an array that samples can be written to."""
    if not isinstance(out, np.ndarray) or out.dtype.kind not in "iuf" or not out.dtype.isnative:
        raise ValueError("out must be an ndarray of integers or floats in native byte order")
    if out.dtype.itemsize > 8 or out.dtype == np.float16:
        raise ValueError("out must be an ndarray of integers or floats in native byte order")
    if not out.flags.writeable:
        raise ValueError("out cannot be written to: it is read-only")
    if not out.flags.c_contiguous:
        raise ValueError("out must be C-contiguous")


def transform(samples: Samples, transform: tuple[float, float] | LookupTable | ValueRanges, out: Samples) -> None:
    """Write the modality values of `samples` to `out`, rounded once to a float type, or exact in an integer type."""
    if isinstance(transform, ValueRanges):
        _map_ranges(samples, transform, out)
    elif isinstance(transform, LookupTable):
        rescale(transform.apply(samples), 1.0, 0.0, out)
    else:
        rescale(samples, *transform, out)


def _map_ranges(samples: Samples, ranges: ValueRanges, out: Samples) -> None:
    """Write the real-world values of `samples` to `out`; a sample without one is NaN, or an error."""
    if (linear := ranges.linear_of_all(samples.dtype)) is not None:
        rescale(samples, *linear, out, _UNDEFINED)
        return
    values, is_exact = ranges.apply(samples)
    if out.dtype.kind == "f":
        with np.errstate(over="ignore"):
            out[...] = values.astype(out.dtype)
    else:
        rescale(np.where(is_exact, values, np.nan), 1.0, 0.0, out, _UNDEFINED)


def rescale(
    samples: Samples, slope: float, intercept: float, out: Samples, problem: tuple[str, str] = _INEXACT
) -> None:
    """Write ``samples * slope + intercept`` to `out`, rounded once to a float type, or exact in an integer type.

    `problem` has the message for a value that is not exact, and its clause.

    Exactness of an integer output is decided for each value:

    - If all operands are integers and a result may exceed 2^53, Python integers are used, which are always exact.
    - Otherwise float64 is used. A result is exact if it is an integer of at most 2^53 in magnitude, and the stored
      value is exact in float64, which it may not be if it has 8 bytes.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if out.dtype.kind == "f":
            out[...] = (samples.astype(np.float64) * slope + intercept).astype(out.dtype)
            return
        all_integers = samples.dtype.kind in "iu" and _is_integer(slope) and _is_integer(intercept)
        if all_integers and _max_magnitude(samples.dtype, slope, intercept) > _MAX_EXACT_FLOAT64:
            values = samples.astype(object) * int(slope) + int(intercept)
            is_exact = np.ones(values.shape, bool)
        else:
            floats = samples.astype(np.float64)
            values = floats * slope + intercept
            is_exact = (np.abs(values) <= _MAX_EXACT_FLOAT64) & (np.floor(values) == values)
            if not all_integers and samples.dtype.kind in "iu" and samples.dtype.itemsize == 8:
                is_exact &= floats.astype(object) == samples.astype(object)
        limits = np.iinfo(out.dtype)
        is_exact &= ((values >= limits.min) & (values <= limits.max)).astype(bool)
        if not is_exact.all():
            text, clause = problem
            raise make_error("Output", text.format(np.argmin(is_exact), out.dtype), clause)
        out[...] = values.astype(out.dtype)


def _is_integer(coefficient: float) -> bool:
    return float(coefficient).is_integer() and abs(coefficient) < 2.0**63


def _max_magnitude(dtype: np.dtype[Any], slope: float, intercept: float) -> int:
    """Return an upper bound on the magnitude of rescaled values of an integer type."""
    limits = np.iinfo(dtype)
    return max(-int(limits.min), int(limits.max)) * abs(int(slope)) + abs(int(intercept))
