"""Ranges of modality values: of a stored type, of frames, or between percentiles."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dicoxide._arguments import Array
from dicoxide._backend import core
from dicoxide._pixels import transform_into
from dicoxide._rendering._options import Percentiles
from dicoxide._sources import Transform

__all__ = ["ValueRangeMeter", "is_linear", "range_of_type"]

# Percentiles of values of at most this many bytes are computed from a histogram.
_HISTOGRAM_BYTES = 2


def is_linear(transform: Transform | None) -> bool:
    """Return True if a transform is none, or slope and intercept."""
    return transform is None or isinstance(transform, tuple)


def range_of_type(dtype: np.dtype[np.generic], bits: int, transform: Transform | None) -> tuple[float, float]:
    """Return the smallest and largest modality value of an integer type with `bits` significant bits."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)
    if transform is None:
        return float(low), float(high)
    if isinstance(transform, tuple):
        return _ordered(low * transform[0] + transform[1], high * transform[0] + transform[1])
    values = np.empty(2, np.float64)
    entries = getattr(transform, "entries", None)
    if entries is not None:
        return min(entries), max(entries)
    transform_into(np.array([low, high], dtype), transform, values)
    return _ordered(*values.tolist())


class ValueRangeMeter:
    """Measures the range of the modality values of frames.

    Parameters
    ----------
    percentiles : Percentiles, optional
        Percentiles at the ends of the range, with linear interpolation as by `numpy.percentile`; else the smallest and
        the largest value.
    padding : (float, float), optional
        First and last stored value to exclude, which may change between frames. NaN and infinities are excluded, too.
    """

    def __init__(self, percentiles: Percentiles | None, padding: tuple[float, float] | None) -> None:
        self._percentiles = percentiles
        self.padding = padding
        self._low, self._high = math.inf, -math.inf
        # Values of frames, and the number of each.
        self._values: list[npt.NDArray[np.float64]] = []
        self._counts: list[npt.NDArray[np.int64]] = []

    def add(self, stored: Array, transform: Transform | None) -> None:
        """Include a frame of stored values."""
        if self._percentiles is not None:
            self._add_values(stored, transform)
        elif is_linear(transform):
            found = core.value_range(stored, self.padding)
            if found is not None:
                slope, intercept = transform if isinstance(transform, tuple) else (1.0, 0.0)
                self._include(*_ordered(found[0] * slope + intercept, found[1] * slope + intercept))
        elif stored.dtype.kind in "iu" and stored.dtype.itemsize <= _HISTOGRAM_BYTES:
            found = core.value_range(stored, self.padding)
            if found is not None:
                self._add_table(stored, transform, int(found[0]), int(found[1]))
        else:
            self._include_all(_modality_values(self._unpadded(stored), transform))

    def _add_table(self, stored: Array, transform: Transform | None, first: int, last: int) -> None:
        """Include a frame of small integers from `first` to `last`, by the transform of each of these."""
        candidates = np.arange(first, last + 1).astype(stored.dtype)
        values = _modality_values(candidates, transform, keep_all=True)
        steps = np.diff(values)
        if (steps >= 0).all() or (steps <= 0).all():
            self._include_all(values[[0, -1]])
            return
        unpadded = self._unpadded(stored)
        counts = np.bincount((unpadded.astype(np.int64) - first).ravel(), minlength=len(candidates))
        present = values[counts > 0]
        self._include_all(present[np.isfinite(present)])

    def _include_all(self, values: npt.NDArray[np.float64]) -> None:
        if values.size:
            self._include(float(values.min()), float(values.max()))

    @property
    def is_empty(self) -> bool:
        """True if no value was included."""
        return self._low > self._high and not sum(map(len, self._values))

    def result(self) -> tuple[float, float]:
        """Return the range of all values; (0, 0) if there is none."""
        if self._percentiles is None:
            return (self._low, self._high) if self._low <= self._high else (0.0, 0.0)
        if not sum(map(len, self._values)):
            return 0.0, 0.0
        values, counts = np.concatenate(self._values), np.concatenate(self._counts)
        order = np.argsort(values, kind="stable")
        values, last_ranks = values[order], np.cumsum(counts[order])
        low, high = (_percentile(values, last_ranks, percent) for percent in self._percentiles[:2])
        return low, high

    def _include(self, low: float, high: float) -> None:
        self._low, self._high = min(self._low, low), max(self._high, high)

    def _add_values(self, stored: Array, transform: Transform | None) -> None:
        stored = self._unpadded(stored)
        if stored.dtype.kind in "iu" and stored.dtype.itemsize <= _HISTOGRAM_BYTES:
            bits = stored.dtype.itemsize * 8
            counts = np.bincount(stored.view(f"u{stored.dtype.itemsize}").ravel(), minlength=1 << bits)
            present = np.flatnonzero(counts)
            counts = counts[present]
            stored = present.astype(f"u{stored.dtype.itemsize}").view(stored.dtype)
        else:
            stored = stored.ravel()
            counts = np.ones(stored.size, np.int64)
        values = _modality_values(stored, transform, keep_all=True)
        is_finite = np.isfinite(values)
        self._values.append(values[is_finite])
        self._counts.append(counts[is_finite])

    def _unpadded(self, stored: Array) -> Array:
        """Return the stored values without padding, in one dimension if there is any."""
        if self.padding is None:
            return stored
        first, last = self.padding
        return stored[(stored < first) | (stored > last)]


def _modality_values(stored: Array, transform: Transform | None, *, keep_all: bool = False) -> npt.NDArray[np.float64]:
    """Return modality values; without `keep_all` only the finite ones."""
    values: npt.NDArray[np.float64]
    if transform is None:
        values = stored.astype(np.float64)
    else:
        values = np.empty(stored.shape, np.float64)
        transform_into(np.ascontiguousarray(stored), transform, values)
    return values if keep_all else values[np.isfinite(values)]


def _percentile(values: npt.NDArray[np.float64], last_ranks: npt.NDArray[np.int64], percent: float) -> float:
    """Return a percentile of ascending values; `last_ranks` has the number of values up to each."""
    rank = (int(last_ranks[-1]) - 1) * (percent / 100)
    lower = math.floor(rank)
    indices = np.searchsorted(last_ranks, [lower, math.ceil(rank)], side="right")
    before, after = values[np.minimum(indices, len(values) - 1)].tolist()
    fraction = rank - lower
    # The order of operations of numpy.percentile.
    if fraction >= 0.5:
        return float(after - (after - before) * (1 - fraction))
    return float(before + (after - before) * fraction)


def _ordered(first: float, second: float) -> tuple[float, float]:
    return (first, second) if first <= second else (second, first)
