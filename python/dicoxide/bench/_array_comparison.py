"""Comparison of decoded arrays: a common form, a checksum, and the samples that differ."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case

__all__ = ["checksum", "difference", "normalise"]

# Relative tolerance of modality values in float32: one rounding more or less.
_FLOAT_TOLERANCE = 1e-6
# Tolerance of lossy transfer syntaxes, in stored values: 1 for the inverse DCT (ISO/IEC 10918-2) or the 9/7 wavelet, 1
# for the colour conversion.
_LOSSY_TOLERANCE = 2


def normalise(values: Array, shape: tuple[int, ...], dtype: str) -> Array:
    """Return `values` in `shape` and, if that changes no value, in `dtype`; unchanged if the size differs."""
    values = np.asarray(values)
    if values.size != int(np.prod(shape)):
        return values
    values = values.reshape(shape)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    target = np.dtype(dtype).newbyteorder("=")
    if values.dtype == target or target.kind == "f":
        return values.astype(target, copy=False)
    if values.dtype.itemsize == target.itemsize and values.dtype.kind in "iu" and target.kind in "iu":
        # Bare codecs do not know if samples are signed.
        return values.view(target)
    converted = values.astype(target)
    return converted if np.array_equal(converted, values) else values


def checksum(values: Array) -> str:
    """Return the SHA-256 of type, shape and values, independent of byte order."""
    little_endian = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    header = f"{little_endian.dtype.str}{little_endian.shape}".encode()
    return hashlib.sha256(header + little_endian.tobytes()).hexdigest()


def difference(values: Array, reference: Array, case: Case) -> dict[str, Any] | None:
    """Return the number of wrong samples, the index of the first and the largest difference; None if all are correct.

    Samples of lossy transfer syntaxes and float32 values, which are modality values, may differ by rounding.
    """
    if values.shape != reference.shape:
        return {"samples": reference.size, "of": reference.size, "first": [0] * reference.ndim, "max_difference": None}
    is_float = reference.dtype.kind == "f"
    if not is_float and np.array_equal(values, reference):
        return None
    exact_type = np.float64 if is_float else np.int64
    deviations = np.abs(values.astype(exact_type) - reference.astype(exact_type))
    tolerance = _LOSSY_TOLERANCE if case.is_lossy else 0
    if is_float:
        # NaN is never within the tolerance.
        is_wrong = ~(deviations <= _FLOAT_TOLERANCE * np.maximum(1.0, np.abs(reference)) + tolerance * case.slope)
    else:
        is_wrong = deviations > tolerance
    wrong_count = int(np.count_nonzero(is_wrong))
    if not wrong_count:
        return None
    first = np.unravel_index(int(np.argmax(is_wrong)), reference.shape)
    largest = float(np.nanmax(deviations)) if deviations.size else 0.0
    return {
        "samples": wrong_count,
        "of": reference.size,
        "first": [int(index) for index in first],
        "max_difference": largest,
    }
