"""Wavelet and component transforms of JPEG 2000 in both directions, written from ITU-T T.800 (Annexes F and G)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Lifting parameters (Table F.4).
ALPHA, BETA, GAMMA, DELTA = -1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971
K = 1.230174104914001
# Samples on each side that the lifting steps need.
BORDER = 4
ICT = np.array([[0.299, 0.587, 0.114], [-0.16875, -0.33126, 0.5], [0.5, -0.41869, -0.08131]])
INVERSE_ICT = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])


def _lift(values: Array, parity: int, step: Any) -> None:
    """Add `step` of the sum of both neighbours to the inner samples of a parity (along axis 0)."""
    indices = np.arange(2 - parity, len(values) - 1, 2)
    values[indices] += step(values[indices - 1] + values[indices + 1])


def _extended(values: Array) -> Array:
    """Extend a signal on both sides by symmetry about its first and last sample (F.3.7)."""
    return np.pad(values, ((BORDER, BORDER), (0, 0)), mode="reflect")


def analyse(values: Array, start: int, wavelet: str) -> tuple[Array, Array]:
    """Return the low- and high-pass samples of columns whose first sample has coordinate `start` (F.4.6)."""
    is_odd = start % 2
    if not len(values):
        return values, values
    if len(values) == 1:
        return (values[:0], 2 * values) if is_odd else (values, values[:0])
    work = _extended(values)
    # The border is even, so that parities of indices and coordinates differ by that of the start.
    odd, even = 1 - is_odd, is_odd
    if wavelet == "5/3":
        _lift(work, odd, lambda total: -(total >> 1))
        _lift(work, even, lambda total: total + 2 >> 2)
    else:
        for parity, factor in ((odd, ALPHA), (even, BETA), (odd, GAMMA), (even, DELTA)):
            _lift(work, parity, lambda total, factor=factor: factor * total)
    inner = work[BORDER:-BORDER]
    low, high = inner[is_odd::2], inner[1 - is_odd :: 2]
    return (low, high) if wavelet == "5/3" else (low / K, high * K)


def synthesise(low: Array, high: Array, start: int, wavelet: str) -> Array:
    """Return the samples of columns from their low- and high-pass samples (F.3.6)."""
    is_odd = start % 2
    count = len(low) + len(high)
    if not count:
        return low
    if count == 1:
        # Odd coefficients, which only truncated code-blocks give, are rounded toward zero as by OpenJPEG.
        return (high + (high < 0) >> 1 if wavelet == "5/3" else high / 2) if is_odd else low
    values = np.empty((count, low.shape[1]), low.dtype)
    values[is_odd::2] = low if wavelet == "5/3" else low * K
    values[1 - is_odd :: 2] = high if wavelet == "5/3" else high / K
    work = _extended(values)
    odd, even = 1 - is_odd, is_odd
    if wavelet == "5/3":
        _lift(work, even, lambda total: -(total + 2 >> 2))
        _lift(work, odd, lambda total: total >> 1)
    else:
        for parity, factor in ((even, DELTA), (odd, GAMMA), (even, BETA), (odd, ALPHA)):
            _lift(work, parity, lambda total, factor=factor: -factor * total)
    return work[BORDER:-BORDER]


def split(values: Array, x: int, y: int, wavelet: str) -> dict[str, Array]:
    """Return the four bands of a resolution whose first sample is at (x, y) (F.4.2)."""
    low, high = analyse(values, y, wavelet)
    bands = {}
    for vertical, part in (("L", low), ("H", high)):
        left, right = analyse(part.T, x, wavelet)
        bands["L" + vertical], bands["H" + vertical] = left.T, right.T
    return bands


def merge(bands: dict[str, Array], x: int, y: int, wavelet: str) -> Array:
    """Return a resolution whose first sample is at (x, y) from its four bands (F.3.2)."""
    low = synthesise(bands["LL"].T, bands["HL"].T, x, wavelet).T
    high = synthesise(bands["LH"].T, bands["HH"].T, x, wavelet).T
    return synthesise(low, high, y, wavelet)


def transform_components(planes: list[Array], wavelet: str) -> list[Array]:
    """Apply the RCT or ICT to the first three components (G.2.1, G.3.1)."""
    red, green, blue, *others = planes
    if wavelet == "5/3":
        return [red + 2 * green + blue >> 2, blue - green, red - green, *others]
    return [*np.tensordot(ICT, np.stack([red, green, blue]), 1), *others]


def restore_components(planes: list[Array], wavelet: str) -> list[Array]:
    """Invert the RCT or ICT (G.2.2, G.3.2)."""
    first, second, third, *others = planes
    if wavelet == "5/3":
        green = first - (second + third >> 2)
        return [third + green, green, second + green, *others]
    return [*np.tensordot(INVERSE_ICT, np.stack([first, second, third]), 1), *others]
