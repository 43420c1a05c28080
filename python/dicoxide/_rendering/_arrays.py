"""Windows, look-up tables and palettes on arrays."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, target_array, threads_for
from dicoxide._backend import core
from dicoxide._rendering._options import Window, check_options
from dicoxide._rendering._windows import unusable

if TYPE_CHECKING:
    import numpy.typing as npt

    from dicoxide._core import Rendering

__all__ = ["apply_lut", "apply_palette", "apply_window"]

_MAX_ENTRIES = 1 << 16
_ENTRY_TYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


def apply_window(
    arr: Array,
    center: float,
    width: float,
    function: str = "LINEAR",
    dtype: npt.DTypeLike = "uint8",
    *,
    out: Array | None = None,
) -> Array:
    """Display values through a window: computed in float64 and rounded once, half to even.

    Parameters
    ----------
    arr : ndarray
        Modality values of any shape: integers of 1 to 8 bytes, float32 or float64.
    center, width : float
        Window Center (0028,1050) and Window Width (0028,1051), in the units of `arr`.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        VOI LUT Function (0028,1056).
    dtype : {"uint8", "uint16", "float32"}
        Type of the result: 0 to 255, 0 to 65535, or 0.0 to 1.0.
    out : ndarray, optional
        Array to write to: the shape of `arr` and `dtype`, C-contiguous and writable.

    Returns
    -------
    ndarray
        `out`, or a new array of the shape of `arr`. NaN becomes 0.

    Raises
    ------
    ValueError
        If the width is less than 1 (``LINEAR``), or not more than 0; if another argument is unsuitable.

    Notes
    -----
    PS3.3 C.11.2.1.2 and C.11.2.1.3.

    Examples
    --------
    >>> hounsfield = np.array([-160, -129, 66, 239], np.int16)
    >>> dicoxide.apply_window(hounsfield, center=40, width=400)
    array([  0,  20, 144, 255], dtype=uint8)
    """
    if function is None:
        raise ValueError("function must be 'LINEAR', 'LINEAR_EXACT' or 'SIGMOID', not None")
    options = check_options(window=(center, width), function=function, dtype=dtype)
    window = options.window
    assert isinstance(window, Window)
    if problem := unusable(function, window):
        raise ValueError(problem)
    values = _values(arr, "iuf")
    bits = values.dtype.itemsize * 8
    rendering = core.Rendering.grayscale(values.dtype.name, bits, (function, *window), dtype=options.dtype)
    return _rendered(values, rendering, values.shape, np.dtype(options.dtype), out)


def apply_lut(arr: Array, table: npt.ArrayLike, first_mapped: int = 0, *, out: Array | None = None) -> Array:
    """Replace each value by the entry of a look-up table.

    Parameters
    ----------
    arr : ndarray
        Integers or booleans of any shape.
    table : array-like
        1 to 65536 numbers: (entries,), or (entries, 3) for colours. Tables of uint8, uint16 and float32 are applied by
        the core, others by NumPy.
    first_mapped : int, default 0
        Value of the first entry. Values before and after the table have its first and last entry.
    out : ndarray, optional
        Array to write to: the shape and dtype of the result, C-contiguous and writable.

    Returns
    -------
    ndarray
        `out`, or a new array of the dtype of `table`: the shape of `arr`, with a last axis of 3 for colours.

    Raises
    ------
    ValueError
        If an argument is unsuitable.

    Notes
    -----
    PS3.3 C.11.1.1 and C.11.2.1.1.

    Examples
    --------
    >>> dicoxide.apply_lut(np.array([-5, 1, 2, 9]), np.array([10, 20, 30], np.uint8), first_mapped=1)
    array([10, 10, 20, 30], dtype=uint8)
    """
    entries = np.ascontiguousarray(table)
    if entries.ndim not in (1, 2) or (entries.ndim == 2 and entries.shape[1] != 3):
        raise ValueError(f"table has shape {entries.shape}, (entries,) or (entries, 3) expected")
    if not 1 <= len(entries) <= _MAX_ENTRIES:
        raise ValueError(f"table has {len(entries)} entries, 1 to {_MAX_ENTRIES} expected")
    if entries.dtype.kind not in "iuf":
        raise ValueError(f"table has dtype {entries.dtype}, numbers expected")
    entries = entries.astype(entries.dtype.newbyteorder("="), copy=False)
    first_mapped = operator.index(first_mapped)
    if not -(1 << 63) <= first_mapped < 1 << 63:
        raise ValueError(f"first_mapped must be a signed number of 64 bits, not {first_mapped}")
    values = _values(arr, "iub")
    shape = (*values.shape, *entries.shape[1:])
    if entries.dtype not in _ENTRY_TYPES:
        target = target_array(shape, entries.dtype, out)
        return np.take(entries, _indices(values, first_mapped, len(entries)), axis=0, out=target)
    return _rendered(values, core.Rendering.table(first_mapped, entries), shape, entries.dtype, out)


def apply_palette(
    arr: Array,
    red: npt.ArrayLike,
    green: npt.ArrayLike,
    blue: npt.ArrayLike,
    first_mapped: int = 0,
    *,
    out: Array | None = None,
) -> Array:
    """Replace each value by the colour of a palette.

    Parameters
    ----------
    arr : ndarray
        Integers or booleans of any shape.
    red, green, blue : array-like
        (entries,) each, of one dtype, as for :func:`apply_lut`.
    first_mapped : int, default 0
        Value of the first entry. Values before and after the table have its first and last entry.
    out : ndarray, optional
        Array to write to: the shape and dtype of the result, C-contiguous and writable.

    Returns
    -------
    ndarray
        `out`, or a new array of shape ``(*arr.shape, 3)``, in the dtype of the tables.

    Raises
    ------
    ValueError
        If an argument is unsuitable.

    Notes
    -----
    PS3.3 C.7.6.3.1.5 and C.7.6.3.1.6.

    Examples
    --------
    >>> ramp = np.array([0, 128, 255], np.uint8)
    >>> dicoxide.apply_palette(np.array([0, 2], np.uint8), ramp, ramp[::-1], ramp * 0)
    array([[  0, 255,   0],
           [255,   0,   0]], dtype=uint8)
    """
    tables = [np.asarray(table) for table in (red, green, blue)]
    if len({(table.shape, table.dtype) for table in tables}) != 1 or tables[0].ndim != 1:
        shapes = ", ".join(f"{table.dtype} {table.shape}" for table in tables)
        raise ValueError(f"red, green and blue must have one dtype and shape (entries,), not {shapes}")
    return apply_lut(arr, np.stack(tables, axis=-1), first_mapped, out=out)


def _indices(values: Array, first_mapped: int, count: int) -> npt.NDArray[np.int64]:
    """Return the index of the entry of each value; no step exceeds the type of the values, or 64 bits."""
    limits = np.iinfo(values.dtype)
    first, last = (min(max(end, limits.min), limits.max) for end in (first_mapped, first_mapped + count - 1))
    distances = (np.clip(values, first, last) - values.dtype.type(first)).astype(np.int64)
    skipped = min(max(first - first_mapped, 0), count - 1)
    return np.asarray(np.clip(distances + skipped, 0, count - 1))


def _values(arr: Any, kinds: str) -> Array:
    """Return values in native byte order and C order."""
    values = np.asarray(arr)
    if values.dtype.kind == "b" and "b" in kinds:
        values = values.view(np.uint8)
    if values.dtype.kind not in kinds or values.dtype.itemsize not in (1, 2, 4, 8) or values.dtype == np.float16:
        expected = "integers, float32 or float64" if "f" in kinds else "integers"
        raise ValueError(f"values of dtype {values.dtype} cannot be displayed, {expected} expected")
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return np.ascontiguousarray(values).reshape(values.shape)


def _rendered(
    values: Array, rendering: Rendering, shape: tuple[int, ...], dtype: np.dtype[Any], out: Array | None
) -> Array:
    target = target_array(shape, dtype, out, dtype=dtype)
    core.render_into(values, rendering, target, threads_for(None, 1, values.size), out is not None)
    return target
