"""Samples → samples: packed bits and rescale, as functions on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dicoxide._arguments import owned_bytes
from dicoxide._backend import core

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Buffer

Array: TypeAlias = "npt.NDArray[Any]"

__all__ = ["exact_copy", "pack_bits", "rescale", "rescale_into", "unpack_bits"]


def unpack_bits(
    src: Buffer,
    count: int | None = None,
    offset_bits: int = 0,
    *,
    out: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """Unpack samples of one bit, least significant bit first.

    Parameters
    ----------
    src : bytes-like
        Packed samples.
    count : int, optional
        How many samples; all that are there by default.
    offset_bits : int
        Bits before the first sample, any number: frames need not start on a byte.
    out : ndarray, optional
        Where to unpack to: uint8, C-contiguous, writable, of `count` items in any shape.

    Returns
    -------
    ndarray
        (count,) of uint8, each 0 or 1; or `out`.

    Raises
    ------
    TruncatedFrameError
        If `src` holds fewer bits.

    References
    ----------
    PS3.5 8.1.1.
    """
    data = src if type(src) is bytes else owned_bytes(src)
    if offset_bits < 0 or offset_bits > len(data) * 8:
        raise ValueError(f"offset_bits is {offset_bits}, src has {len(data) * 8} bits")
    if count is not None and count < 0:
        raise ValueError(f"count is {count}, 0 or more expected")
    if out is None:
        out = np.empty(len(data) * 8 - offset_bits if count is None else count, np.uint8)
    elif not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an ndarray of uint8, not {type(out).__name__}")
    elif count is not None and out.size != count:
        raise ValueError(f"out must be an ndarray of uint8 and {count} items, found {out.size}")
    core.unpack_bits_into(data, offset_bits, out)
    return out


def pack_bits(src: Buffer | npt.ArrayLike, *, out: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.uint8]:
    """Pack samples into bits, least significant bit first.

    Parameters
    ----------
    src : array-like or bytes-like
        Samples of any shape, in C order; 0 becomes 0, anything else 1.
    out : ndarray, optional
        Where to pack to: uint8, C-contiguous, writable, one item for every eight samples.

    Returns
    -------
    ndarray
        (bytes,) of uint8; bits after the last sample are 0.

    References
    ----------
    PS3.5 8.1.1.
    """
    samples = np.frombuffer(src, np.uint8) if isinstance(src, (bytes, bytearray, memoryview)) else np.asarray(src)
    if samples.dtype.kind not in "buif":
        raise ValueError(f"samples of {samples.dtype} cannot be packed, integers, floats or bools expected")
    if samples.dtype != np.uint8:
        samples = samples != 0
    flat = np.ascontiguousarray(samples).view(np.uint8).reshape(-1)
    target = _target(out, (-(-flat.size // 8),), np.dtype(np.uint8))
    core.pack_bits_into(flat, target)
    return target


def rescale(
    arr: Array,
    slope: float,
    intercept: float,
    dtype: npt.DTypeLike | None = None,
    *,
    out: Array | None = None,
) -> Array:
    """Output value = stored value × slope + intercept.

    Parameters
    ----------
    arr : ndarray
        Stored values: integers or floats of 1 to 8 bytes, any shape.
    slope, intercept : float
        Rescale Slope (0028,1053) and Rescale Intercept (0028,1052).
    dtype : dtype-like
        Type of the result: float32 (the default), float64 or an integer type.
    out : ndarray, optional
        Where to write to: the shape of `arr`, C-contiguous, writable, native byte order; fixes the type.

    Returns
    -------
    ndarray
        The shape of `arr`: computed in float64 and rounded once.

    Raises
    ------
    ValueError
        If the type is an integer one and a value that is present would not be exact.

    References
    ----------
    PS3.3 C.11.1.
    """
    arr = np.asarray(arr)
    if out is not None and not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an ndarray, not {type(out).__name__}")
    if out is not None and dtype is not None and out.dtype != np.dtype(dtype):
        raise ValueError(f"out is of {out.dtype}, dtype says {np.dtype(dtype)}")
    wanted = np.dtype(np.float32 if dtype is None else dtype) if out is None else out.dtype
    if wanted.kind not in "iu" and wanted not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"rescale gives float32, float64 or an integer type, not {wanted}")
    target = _target(out, arr.shape, wanted)
    rescale_into(arr, slope, intercept, target, is_warm=out is not None)
    return target


def rescale_into(stored: Array, slope: float, intercept: float, target: Array, *, is_warm: bool = False) -> None:
    """Rescale `stored` of any layout into `target`, which is checked, and written to before if it `is_warm`."""
    if stored.dtype.kind not in "iuf" or stored.dtype.itemsize not in (1, 2, 4, 8) or stored.dtype == np.float16:
        raise ValueError(f"values of {stored.dtype} cannot be rescaled, integers or floats expected")
    if not stored.dtype.isnative:
        stored = stored.astype(stored.dtype.newbyteorder("="))
    core.rescale_into(np.ascontiguousarray(stored), float(slope), float(intercept), target, is_warm)


def exact_copy(values: Array, target: Array) -> None:
    """Copy `values` into `target` of another type; integers only where every value stays what it is."""
    np.copyto(target, values, casting="unsafe")
    if target.dtype.kind in "iu" and not np.array_equal(target, values):
        raise ValueError(f"values of {values.dtype} are not all exact in {target.dtype} (PS3.3 C.11.1)")


def _target(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an ndarray, not {type(out).__name__}")
    fits = out.shape == shape or (len(shape) == 1 and out.size == shape[0])
    if not (fits and out.dtype == dtype and out.dtype.isnative):
        raise ValueError(f"out must be an ndarray of {dtype} and shape {shape}, found {out.dtype} and {out.shape}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ValueError("out must be C-contiguous, aligned and writable")
    return out
