"""Public functions on arrays: packing of one-bit samples, and rescale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, owned_bytes
from dicoxide._backend import core

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Buffer

    from dicoxide._core import LookupTable, ValueRanges

__all__ = ["pack_bits", "rescale", "transform_into", "unpack_bits"]


def unpack_bits(
    src: Buffer,
    count: int | None = None,
    offset_bits: int = 0,
    *,
    out: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """Unpack one-bit samples, least significant bit of each byte first.

    Parameters
    ----------
    src : bytes-like
        Packed samples.
    count : int, optional
        Number of samples to unpack. Defaults to all after `offset_bits`.
    offset_bits : int, default 0
        Number of bits to skip before the first sample. Frames need not start at a byte boundary.
    out : ndarray, optional
        Array to write to: uint8, C-contiguous, writable, any shape, `count` elements.

    Returns
    -------
    ndarray
        `out`, or a new array of shape (count,) and dtype uint8. Each element is 0 or 1.

    Raises
    ------
    TruncatedFrameError
        If `src` has fewer than ``offset_bits + count`` bits.
    ValueError
        If `offset_bits`, `count` or `out` is out of range.

    Notes
    -----
    PS3.5 8.1.1.

    Examples
    --------
    >>> dicoxide.unpack_bits(bytes([0b00000101]), count=4)
    array([1, 0, 1, 0], dtype=uint8)
    """
    data = src if type(src) is bytes else owned_bytes(src)
    if offset_bits < 0 or offset_bits > len(data) * 8:
        raise ValueError(f"offset_bits is {offset_bits}, 0 to {len(data) * 8} expected")
    if count is not None and count < 0:
        raise ValueError(f"count must be at least 0, not {count}")
    if out is None:
        out = np.empty(len(data) * 8 - offset_bits if count is None else count, np.uint8)
    elif not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an ndarray of uint8, not {type(out).__name__}")
    elif count is not None and out.size != count:
        raise ValueError(f"out must be an ndarray of uint8 with {count} elements, not {out.size}")
    core.unpack_bits_into(data, offset_bits, out)
    return out


def pack_bits(src: Buffer | npt.ArrayLike, *, out: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.uint8]:
    """Pack samples into bits, least significant bit of each byte first.

    Parameters
    ----------
    src : array-like or bytes-like
        Samples of any shape, in C order. 0 becomes 0, any other value becomes 1.
    out : ndarray, optional
        Array to write to: uint8, C-contiguous, writable, ``ceil(samples / 8)`` elements.

    Returns
    -------
    ndarray
        `out`, or a new array of shape (bytes,) and dtype uint8. Bits after the last sample are 0.

    Raises
    ------
    ValueError
        If `src` has another dtype than bool, integer or float, or `out` does not fit.

    Notes
    -----
    PS3.5 8.1.1.

    Examples
    --------
    >>> dicoxide.pack_bits([1, 0, 1, 0])
    array([5], dtype=uint8)
    """
    samples = np.frombuffer(src, np.uint8) if isinstance(src, (bytes, bytearray, memoryview)) else np.asarray(src)
    if samples.dtype.kind not in "buif":
        raise ValueError(f"samples of dtype {samples.dtype} cannot be packed, bool, integer or float expected")
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
    """Return ``arr * slope + intercept``, computed in float64 and rounded once to the output type.

    Parameters
    ----------
    arr : ndarray
        Stored values of any shape: integers of 1 to 8 bytes, float32 or float64.
    slope, intercept : float
        Rescale Slope (0028,1053) and Rescale Intercept (0028,1052).
    dtype : dtype-like, optional
        dtype of the result: float32 (the default), float64 or an integer type.
    out : ndarray, optional
        Array to write to: the shape of `arr`, C-contiguous, writable, native byte order. Its dtype is that of the
        result.

    Returns
    -------
    ndarray
        `out`, or a new array of the shape of `arr`, in native byte order.

    Raises
    ------
    ValueError
        If the result has an integer type and one of the values cannot be represented exactly; if `arr`, `dtype` or
        `out` has an unsuitable type.

    Notes
    -----
    PS3.3 C.11.1.

    Examples
    --------
    >>> stored = np.array([0, 1024], np.uint16)
    >>> dicoxide.rescale(stored, 1, -1024)
    array([-1024.,     0.], dtype=float32)
    >>> dicoxide.rescale(stored, 1, -1024, dtype="int16")
    array([-1024,     0], dtype=int16)
    """
    arr = np.asarray(arr)
    if out is not None and not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an ndarray, not {type(out).__name__}")
    if out is not None and dtype is not None and out.dtype != np.dtype(dtype):
        raise ValueError(f"out has dtype {out.dtype}, dtype is {np.dtype(dtype)}")
    target_dtype = np.dtype(np.float32 if dtype is None else dtype) if out is None else out.dtype
    if target_dtype.kind not in "iu" and target_dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype of rescaled values must be float32, float64 or an integer type, not {target_dtype}")
    target = _target(out, arr.shape, target_dtype)
    transform_into(arr, (float(slope), float(intercept)), target, is_warm=out is not None)
    return target


def transform_into(
    stored: Array, transform: tuple[float, float] | LookupTable | ValueRanges, target: Array, *, is_warm: bool = False
) -> None:
    """Convert `stored`, of any memory layout, to modality or real-world values in `target`, which has been checked.

    `transform` is (slope, intercept), a look-up table, or ranges of real-world values. `is_warm` is True if the memory
    of `target` has been written to before. The core may then bypass the caches.
    """
    if stored.dtype.kind not in "iuf" or stored.dtype.itemsize not in (1, 2, 4, 8) or stored.dtype == np.float16:
        raise ValueError(f"values of dtype {stored.dtype} cannot be rescaled, integers, float32 or float64 expected")
    if not stored.dtype.isnative:
        stored = stored.astype(stored.dtype.newbyteorder("="))
    core.rescale_into(np.ascontiguousarray(stored), transform, target, is_warm)


def _target(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return `out`, checked, or a new array. A one-dimensional result fits an `out` of any shape."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an ndarray, not {type(out).__name__}")
    has_shape = out.shape == shape or (len(shape) == 1 and out.size == shape[0])
    if not (has_shape and out.dtype == dtype and out.dtype.isnative):
        raise ValueError(f"out must have dtype {dtype} and shape {shape}, not {out.dtype} and {out.shape}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ValueError("out must be C-contiguous, aligned and writable")
    return out
