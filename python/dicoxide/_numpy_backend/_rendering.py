"""Rendering of stored values in NumPy (PS3.4 N.2.1), the range of values, and overlays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import make_error
from dicoxide._numpy_backend._lookup_table import LookupTable, ValueRanges

Samples = npt.NDArray[Any]
Transform = tuple[float, float] | LookupTable | ValueRanges

_WINDOW_CLAUSES = {
    "LINEAR": "PS3.3 C.11.2.1.2.1",
    "LINEAR_EXACT": "PS3.3 C.11.2.1.3",
    "SIGMOID": "PS3.3 C.11.2.1.3",
}
_MAX_OUTPUT = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
_PALETTE_CLAUSE = "PS3.3 C.7.6.3.1.5"
_MAX_ENTRIES = 1 << 16


@dataclass(frozen=True)
class Rendering:
    """A function from the stored values of a frame to output samples, made by `grayscale` or `table`.

    Attributes
    ----------
    dtype : dtype
        Type of the output.
    samples_per_value : int
        Output samples per stored value: 1, or 3 for a palette of RGB entries.
    """

    dtype: np.dtype[Any]
    samples_per_value: int
    _stored: np.dtype[Any] | None = None
    _voi: Any = None
    _transform: Transform | None = None
    _inverted: bool = False
    _padding: tuple[float, float] | None = None
    _first_mapped: int = 0
    _entries: Samples | None = None

    @staticmethod
    def grayscale(
        stored: str,
        bits_stored: int,
        voi: Any,
        *,
        transform: Transform | None = None,
        inverted: bool = False,
        padding: tuple[float, float] | None = None,
        dtype: str = "uint8",
    ) -> Rendering:
        """Return the grayscale pipeline: modality transform, VOI, inversion, output range (PS3.4 N.2.1).

        Parameters
        ----------
        stored : str
            NumPy name of the type of the stored values.
        bits_stored : int
            Significant bits of the stored values.
        voi : tuple
            (``"LINEAR"``, ``"LINEAR_EXACT"`` or ``"SIGMOID"``, center, width), (``"RANGE"``, low, high), or
            (`LookupTable`, bits per entry).
        transform : (float, float), LookupTable or ValueRanges, optional
            Modality transform.
        inverted : bool
            True if large values are dark.
        padding : (float, float), optional
            First and last stored value, both inclusive, that render as the lowest output.
        dtype : str
            ``"uint8"``, ``"uint16"`` or ``"float32"``.
        """
        if dtype not in _MAX_OUTPUT:
            raise make_error("Output", f"rendered samples are uint8, uint16 or float32, not {dtype}")
        _check_voi(voi)
        stored_dtype = np.dtype(stored)
        if not 1 <= bits_stored <= stored_dtype.itemsize * 8:
            text = f"{bits_stored} bits stored, 1 to {stored_dtype.itemsize * 8} expected"
            raise make_error("Output", text, "PS3.3 C.7.6.3")
        if isinstance(transform, tuple) and not all(map(math.isfinite, transform)):
            text = f"slope {transform[0]} and intercept {transform[1]} found, finite numbers expected"
            raise make_error("Output", text, "PS3.3 C.11.1")
        if stored_dtype.kind == "f" and isinstance(transform, LookupTable):
            raise make_error("Output", "look-up table for float samples", "PS3.3 C.11.1.1.1")
        return Rendering(np.dtype(dtype), 1, stored_dtype, voi, transform, inverted, padding)

    @staticmethod
    def table(first_mapped: int, entries: Samples) -> Rendering:
        """Return a palette: the output is ``entries[stored - first_mapped]``, clamped to the ends of the table.

        `entries` has shape (n,), or (n, 3) for RGB, with 1 ≤ n ≤ 65 536 (PS3.3 C.7.6.3.1.5).
        """
        if entries.ndim not in (1, 2) or (entries.ndim == 2 and entries.shape[1] != 3):
            raise ValueError("entries must be an ndarray of shape (n,) or (n, 3)")
        if not 1 <= len(entries) <= _MAX_ENTRIES:
            text = f"palette has {len(entries)} entries, 1 to {_MAX_ENTRIES} expected"
            raise make_error("Malformed", text, _PALETTE_CLAUSE)
        samples = 3 if entries.ndim == 2 else 1
        if entries.dtype.name not in _MAX_OUTPUT:
            text = (
                f"palette of {entries.dtype} with {samples} components, uint8, uint16 or float32 with 1 or 3 expected"
            )
            raise make_error("Output", text, _PALETTE_CLAUSE)
        return Rendering(entries.dtype, samples, _first_mapped=first_mapped, _entries=entries.copy())

    def check(self, stored: np.dtype[Any], samples_per_pixel: int, out: np.dtype[Any]) -> None:
        """Raise if the rendering does not apply to the stored values, or `out` is not its output type."""
        if out != self.dtype:
            raise make_error("Output", f"output of {out}, rendered samples are {self.dtype}")
        if self._entries is None:
            if stored != self._stored:
                raise make_error("Output", f"rendering of {self._stored}, stored values are {stored}")
        elif stored.kind == "f":
            raise make_error("Output", "palette for float samples", _PALETTE_CLAUSE)
        elif samples_per_pixel != 1:
            text = "palette for an image with more than one sample per pixel"
            raise make_error("Output", text, _PALETTE_CLAUSE)

    def apply(self, samples: Samples) -> Samples:
        """Return the output of the one-dimensional `samples`: three times as many for a palette of RGB entries."""
        if self._entries is not None:
            last = self._first_mapped + len(self._entries) - 1
            # Python integers: 64-bit samples are compared exactly.
            values, positions = np.unique(samples, return_inverse=True)
            indices = [min(max(value, self._first_mapped), last) - self._first_mapped for value in values.tolist()]
            entries: Samples = self._entries[np.array(indices, np.intp)[positions.reshape(samples.shape)]]
            return entries.reshape(-1)
        stored = samples.astype(np.float64)
        with np.errstate(all="ignore"):
            largest = _MAX_OUTPUT[self.dtype.name]
            output = _apply_voi(_apply_modality(samples, stored, self._transform), self._voi, largest)
            if self._inverted:
                output = largest - output
            is_lowest = np.isnan(output)
            if self._padding is not None:
                is_lowest |= (stored >= self._padding[0]) & (stored <= self._padding[1])
            output = np.where(is_lowest, 0.0, output)
            return output.astype(np.float32) if self.dtype == np.float32 else np.rint(output).astype(self.dtype)


def _check_voi(voi: Any) -> None:
    name, first, *rest = voi
    if isinstance(name, LookupTable):
        if not 1 <= first <= 16:
            text = f"VOI LUT entries of {first} bits found, 1 to 16 expected"
            raise make_error("Malformed", text, "PS3.3 C.11.2.1.1")
        return
    (second,) = rest
    if name == "RANGE":
        if not (math.isfinite(first) and math.isfinite(second) and first <= second):
            raise make_error("Output", f"range from {first} to {second}, finite and ascending values expected")
        return
    if name not in _WINDOW_CLAUSES:
        text = f"VOI function {name}, LINEAR, LINEAR_EXACT or SIGMOID expected"
        raise make_error("Output", text, "PS3.3 C.11.2.1.3")
    clause = _WINDOW_CLAUSES[name]
    if not (math.isfinite(first) and math.isfinite(second)):
        text = f"window center {first} and width {second} found, finite numbers expected"
        raise make_error("Malformed", text, clause)
    if second < 1 if name == "LINEAR" else second <= 0:
        expected = "at least 1" if name == "LINEAR" else "a width above 0"
        raise make_error("Malformed", f"window width {second} found, {expected} expected", clause)


def _apply_modality(samples: Samples, stored: Samples, transform: Transform | None) -> Samples:
    """Return the modality values of `samples`, NaN for those without one; `stored` has them in float64."""
    if transform is None:
        return stored
    if isinstance(transform, LookupTable):
        return transform.apply(samples)
    if isinstance(transform, ValueRanges):
        return transform.apply(samples)[0]
    slope, intercept = transform
    return stored * slope + intercept


def _apply_voi(values: Samples, voi: Any, largest: float) -> Samples:
    """Return the unrounded outputs of modality values (PS3.3 C.11.2.1)."""
    if isinstance(voi[0], LookupTable):
        table, bits = voi
        entries = np.array(table.entries)
        index = np.clip(np.floor(values) - table.first_mapped, 0, len(entries) - 1)
        found = entries[np.nan_to_num(index).astype(np.intp)] / (2.0**bits - 1) * largest
        return np.where(np.isnan(values), np.nan, np.minimum(found, largest))
    name, first, second = voi
    if name == "RANGE":
        if first == second:
            return np.where(np.isnan(values), np.nan, 0.0)
        fraction: Samples = np.clip((values - first) / (second - first), 0, 1)
        return fraction * largest
    if name == "SIGMOID":
        return np.asarray(largest / (1 + np.exp(-4 * (values - first) / second)))
    center, width = (first - 0.5, second - 1.0) if name == "LINEAR" else (first, second)
    line = ((values - center) / width + 0.5) * largest
    line = np.where(values > center + width / 2, largest, line)
    return np.where(values <= center - width / 2, 0.0, line)


def find_value_range(samples: Samples, padding: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the smallest and largest finite sample without those in `padding`; None if there is none."""
    is_value = np.isfinite(samples)
    if padding is not None:
        is_value &= ~((samples >= padding[0]) & (samples <= padding[1]))
    found = samples[is_value]
    return (float(found.min()), float(found.max())) if found.size else None


def draw_overlay(
    frame: Samples, plane: bytes, shape: tuple[int, int], origin: tuple[int, int], value: float, bit_offset: int
) -> None:
    """Set the pixels of `frame` to `value` where a bit of `plane`, (rows, columns) = `shape`, is 1 (PS3.3 C.9.2)."""
    rows, columns = shape
    expected = -(-(rows * columns + bit_offset) // 8)
    if len(plane) < expected:
        text = f"overlay plane has {len(plane)} bytes, at least {expected} expected"
        raise make_error("Truncated", text, "PS3.3 C.9.2", len(plane))
    bits = np.unpackbits(np.frombuffer(plane, np.uint8), count=bit_offset + rows * columns, bitorder="little")
    is_set = bits[bit_offset:].reshape(rows, columns).astype(bool)
    row, column = origin
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + rows, frame.shape[0]), min(column + columns, frame.shape[1])
    if top < bottom and left < right:
        region = frame[top:bottom, left:right]
        region[is_set[top - row : bottom - row, left - column : right - column]] = value
