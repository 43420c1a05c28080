"""Rendering in plain float64 NumPy, written from PS3.3 C.11: the reference of the tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
HIGHEST = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def modality_values(stored: Array, transform: Any = None) -> npt.NDArray[np.float64]:
    """Return modality values by (slope, intercept), or (first mapped value, entries)."""
    values = stored.astype(np.float64)
    if transform is None:
        return values
    first, second = transform
    if np.ndim(second) == 1:
        indices = np.clip(values - first, 0, len(second) - 1).astype(np.intp)
        return np.asarray(second, np.float64)[indices]
    return values * first + second


def voi_fractions(values: npt.NDArray[np.float64], voi: tuple[Any, ...]) -> npt.NDArray[np.float64]:
    """Return output values of 0 to 1, not rounded.

    `voi` is (function, center, width), ("RANGE", low, high) or ("LUT", first mapped value, entries, bits).
    """
    kind = voi[0]
    if kind == "LUT":
        _, first, entries, bits = voi
        indices = np.clip(np.floor(np.nan_to_num(values)) - first, 0, len(entries) - 1).astype(np.intp)
        return np.asarray(entries, np.float64)[indices] / ((1 << bits) - 1)
    center, width = voi[1:]
    if kind == "LINEAR":
        low, high = center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            ramp = (values - (center - 0.5)) / (width - 1) + 0.5
        return np.where(values <= low, 0.0, np.where(values > high, 1.0, ramp))
    if kind == "LINEAR_EXACT":
        low, high = center - width / 2, center + width / 2
        return np.where(values <= low, 0.0, np.where(values > high, 1.0, (values - center) / width + 0.5))
    if kind == "SIGMOID":
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-4 * (values - center) / width))
    assert kind == "RANGE"
    if center == width:
        return np.zeros_like(values)
    return np.clip((values - center) / (width - center), 0, 1)


def render(
    stored: Array,
    voi: tuple[Any, ...],
    *,
    transform: Any = None,
    inverted: bool = False,
    padding: tuple[int, int] | None = None,
    dtype: str = "uint8",
) -> Array:
    """Return the output of stored values."""
    values = modality_values(stored, transform)
    levels = voi_fractions(values, voi) * HIGHEST[dtype]
    if inverted:
        levels = HIGHEST[dtype] - levels
    levels[np.isnan(values)] = 0
    if padding is not None:
        levels[(stored >= padding[0]) & (stored <= padding[1])] = 0
    return (levels if dtype == "float32" else np.rint(levels)).astype(dtype)
