"""Answers: what a decoder gives, in a form that can be compared, and how far it is from another."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bench._cases import Case

__all__ = ["checksum", "difference", "normal"]

# Modality values in float32 may be rounded once more, or once less.
_RELATIVE = 1e-6
# Of lossy syntaxes: what ISO/IEC 10918-2 allows for an inverse DCT, and one more for colour.
_ROUNDING = 2


def normal(values: Array, shape: tuple[int, ...], dtype: str) -> Array:
    """`values` in `shape` and, where no value changes by it, in `dtype`; as they are where they do not fit."""
    values = np.asarray(values)
    if values.size != int(np.prod(shape)):
        return values
    values = values.reshape(shape)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    wanted = np.dtype(dtype).newbyteorder("=")
    if values.dtype == wanted or wanted.kind == "f":
        return values.astype(wanted, copy=False)
    if values.dtype.itemsize == wanted.itemsize and values.dtype.kind in "iu" and wanted.kind in "iu":
        # A codec does not know whether its samples have a sign.
        return values.view(wanted)
    converted = values.astype(wanted)
    return converted if np.array_equal(converted, values) else values


def checksum(values: Array) -> str:
    """Of type, shape and values."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return hashlib.sha256(f"{little.dtype.str}{little.shape}".encode() + little.tobytes()).hexdigest()


def difference(values: Array, reference: Array, case: Case) -> dict[str, Any] | None:
    """How many samples are wrong, where the first is and by how much at most; None where all are right."""
    if values.shape != reference.shape:
        return {"samples": reference.size, "of": reference.size, "first": [0] * reference.ndim, "max_difference": None}
    exact = np.float64 if reference.dtype.kind == "f" else np.int64
    if reference.dtype.kind == "f":
        apart = np.abs(values.astype(exact) - reference.astype(exact))
        is_wrong = ~(apart <= _RELATIVE * np.maximum(1.0, np.abs(reference)))
    else:
        if np.array_equal(values, reference):
            return None
        apart = np.abs(values.astype(exact) - reference.astype(exact))
        is_wrong = apart > (_ROUNDING if case.is_lossy else 0)
    count = int(np.count_nonzero(is_wrong))
    if not count:
        return None
    first = np.unravel_index(int(np.argmax(is_wrong)), reference.shape)
    largest = float(np.nanmax(apart)) if apart.size else 0.0
    return {"samples": count, "of": reference.size, "first": [int(at) for at in first], "max_difference": largest}
