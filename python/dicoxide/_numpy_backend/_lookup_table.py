"""Look-up tables and ranges, from stored values to modality or real-world values (PS3.3 C.11.1.1.1, C.7.6.16.2.11)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import make_error

_CLAUSE = "PS3.3 C.11.1.1.1"
_RANGE_CLAUSE = "PS3.3 C.7.6.16.2.11"
_MAX_ENTRIES = 1 << 16


class LookupTable:
    """A table from stored values to modality values.

    Attributes
    ----------
    first_mapped : int
        Stored value of the first entry.
    entries : list of float
        Entries in the order of the stored values. Stored values before or after the table have its first or last entry.
    """

    def __init__(self, first_mapped: int, entries: npt.NDArray[np.uint16]) -> None:
        if not 1 <= len(entries) <= _MAX_ENTRIES:
            text = f"look-up table has {len(entries)} entries, 1 to {_MAX_ENTRIES} expected"
            raise make_error("Malformed", text, _CLAUSE)
        self.first_mapped = first_mapped
        self._entries = np.array(entries, np.float64)

    @property
    def entries(self) -> list[float]:
        return [float(entry) for entry in self._entries]

    def apply(self, samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the entry of each sample; `samples` are integers."""
        if samples.dtype.kind == "f":
            raise make_error("Output", "look-up table for float samples", _CLAUSE)
        last_mapped = self.first_mapped + len(self._entries) - 1
        # Python integers: 64-bit samples are compared exactly.
        values, positions = np.unique(samples, return_inverse=True)
        indices = [min(max(value, self.first_mapped), last_mapped) - self.first_mapped for value in values.tolist()]
        return self._entries[np.array(indices, np.intp)[positions.reshape(samples.shape)]]


class ValueRanges:
    """Ranges of stored values, each with real-world values of its own; other stored values have none: NaN.

    Parameters
    ----------
    ranges : sequence of (float, float, values)
        First and last stored value, and (slope, intercept) or an array of float64 with one entry per integer.
    """

    def __init__(self, ranges: Sequence[tuple[float, float, tuple[float, float] | npt.NDArray[np.float64]]]) -> None:
        self._ranges = sorted(ranges, key=lambda value_range: value_range[0])
        if not self._ranges:
            raise _range_error("no range of real-world values, at least one expected")
        for first, last, values in self._ranges:
            if not first <= last:
                raise _range_error(f"range of real-world values from {first} to {last}")
            if isinstance(values, tuple):
                if not all(map(math.isfinite, values)):
                    raise _range_error(f"slope {values[0]} and intercept {values[1]} found, finite numbers expected")
            elif not (float(first).is_integer() and float(last).is_integer() and len(values) == last - first + 1):
                raise _range_error(f"{len(values)} entries found, one per stored value expected")
        for (_, last, _), (first, _, _) in zip(self._ranges, self._ranges[1:], strict=False):
            if first <= last:
                raise _range_error("ranges of real-world values overlap")

    def linear_of_all(self, dtype: np.dtype[Any]) -> tuple[float, float] | None:
        """Return slope and intercept if one range has all values of an integer type of up to 32 bits."""
        first, last, values = self._ranges[0]
        if len(self._ranges) > 1 or not isinstance(values, tuple) or dtype.kind == "f" or dtype.itemsize > 4:
            return None
        limits = np.iinfo(dtype)
        return values if first <= limits.min and last >= limits.max else None

    def apply(self, samples: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Return the value of each sample, and True for each whose stored value is exact in float64."""
        floats = samples.astype(np.float64)
        is_wide = samples.dtype.kind in "iu" and samples.dtype.itemsize == 8
        is_exact = (
            (floats.astype(object) == samples.astype(object)).astype(bool) if is_wide else np.ones(samples.shape, bool)
        )
        result = np.full(samples.shape, np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            for first, last, values in self._ranges:
                # Python integers: 64-bit samples are compared exactly.
                compared = samples.astype(object) if is_wide else floats
                is_inside = ((compared >= first) & (compared <= last)).astype(bool)
                if isinstance(values, tuple):
                    result[is_inside] = floats[is_inside] * values[0] + values[1]
                elif samples.dtype.kind == "f":
                    raise make_error("Output", "look-up table for float samples", _CLAUSE)
                else:
                    result[is_inside] = np.asarray(values)[(floats[is_inside] - first).astype(np.intp)]
        return result, is_exact


def _range_error(text: str) -> ValueError:
    return make_error("Malformed", text, _RANGE_CLAUSE)
