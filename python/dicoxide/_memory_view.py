"""`copy=False`: native samples as a read-only view of where they lie."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide import _deviations
from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._sources.base import DEFLATED, EXPLICIT, IMPLICIT, Source
from dicoxide.errors import TruncatedFrameError

if TYPE_CHECKING:
    import numpy.typing as npt

# Samples that are compared at once, so that the check needs little memory.
_CHECK_SAMPLES = 1 << 20


def samples(src: Any, source: Source, *, raw: bool, strict: bool) -> npt.NDArray[Any]:
    """All frames that are there, (frames, rows, columns[, samples]), read-only, bits above the stored ones included.

    Raises
    ------
    ValueError
        If the samples are not laid out as :func:`dicoxide.decode` gives them.
    TruncatedFrameError
        If there are fewer frames than the data set says.
    CorruptFrameError
        If attributes are what no image has, or, with `strict`, if there are other bytes than those of the frames.
    """
    spec = source.spec
    # The core checks the attributes.
    core.Frames(spec.transfer_syntax, b"", *spec.core_attributes(), whole=True)
    _require_plain(spec, raw=raw)
    flat = _flat(src, source)
    frame_samples = math.prod(spec.shape)
    declared = source.number_of_frames or 1
    count = flat.size // frame_samples
    if count < declared:
        raise TruncatedFrameError(
            f"{count} frames found, {declared} expected (PS3.5 8.1.1)",
            kind="Truncated",
            clause="PS3.5 8.1.1",
            offset=flat.nbytes,
            transfer_syntax=spec.transfer_syntax,
        )
    # One byte too many is padding, even where it is as large as a frame (PS3.5 8.1.1).
    expected_bytes = declared * frame_samples * spec.dtype.itemsize
    value_bytes = source.value_bytes
    if value_bytes <= expected_bytes + expected_bytes % 2:
        count = declared
    notes = _departures(source, count, value_bytes, expected_bytes)
    if strict:
        _deviations.raise_first(notes, spec.transfer_syntax)
    _deviations.warn(notes)
    every = flat[: count * frame_samples].reshape(count, *spec.shape)
    every.flags.writeable = False
    return every


def aligned(every: npt.NDArray[Any], spec: FrameSpec, indices: Sequence[int], has_axis: bool) -> npt.NDArray[Any]:
    """The frames `indices` of `every`, whose values must already be what masking and sign extension make of them.

    Raises
    ------
    ValueError
        If they are not, or if the frames are not one view.
    """
    if not has_axis:
        chosen: npt.NDArray[Any] = every[indices[0]]
    elif isinstance(indices, range):
        chosen = every[indices.start : indices.stop if indices.stop >= 0 else None : indices.step]
    else:
        raise ValueError("copy=False gives frames by index or slice, others are not one view")
    _require_aligned(chosen, spec)
    return chosen


def _departures(source: Source, count: int, value_bytes: int, expected_bytes: int) -> list[_deviations.Deviation]:
    """What the core notes of such a value."""
    notes: list[_deviations.Deviation] = []
    if source.number_of_frames == 0:
        notes.append(_deviations.Deviation(None, "number of frames 0 found, taken as 1", "PS3.3 C.7.6.6", None))
    declared = source.number_of_frames or 1
    if count > declared:
        notes.append(
            _deviations.Deviation(None, f"number of frames is {declared}, {count} are there", "PS3.5 8.1.1", None)
        )
    elif value_bytes > expected_bytes + expected_bytes % 2:
        notes.append(
            _deviations.Deviation(
                None, f"{value_bytes - expected_bytes} bytes after the last frame", "PS3.5 8.1.1", None
            )
        )
    elif value_bytes % 2:
        notes.append(
            _deviations.Deviation(
                None, "the value has odd length: its trailing pad byte is missing", "PS3.5 7.1.1", None
            )
        )
    return notes


def _require_plain(spec: FrameSpec, *, raw: bool) -> None:
    reason = None
    if spec.transfer_syntax not in (IMPLICIT, EXPLICIT, DEFLATED):
        reason = "its samples are encoded or in another byte order"
    elif sys.byteorder != "little":
        reason = "this machine has another byte order"
    elif spec.bits_allocated == 1:
        reason = "its samples are packed bits"
    elif spec.samples_per_pixel > 1:
        if spec.photometric_interpretation == "YBR_FULL_422":
            reason = "its colour differences are at half resolution"
        elif spec.planar_configuration == 1:
            reason = "its samples lie in planes"
        elif spec.photometric_interpretation == "YBR_FULL" and not raw:
            reason = "it is converted to RGB"
    if reason:
        raise ValueError(f"copy=False cannot view this source: {reason}")


def _flat(src: Any, source: Source) -> npt.NDArray[Any]:
    dtype = source.spec.dtype
    place = source.value_place
    if place is not None and isinstance(src, (str, os.PathLike)):
        # A file that ends early is found out by the number of frames that are left.
        value_bytes = min(source.value_bytes, max(0, os.stat(src).st_size - place))
        count = value_bytes // dtype.itemsize
        if count == 0:
            return np.empty(0, dtype)
        mapped = np.memmap(src, np.uint8, "r", offset=place, shape=(count * dtype.itemsize,))
        view: npt.NDArray[Any] = np.asarray(mapped).view(dtype)
        return view
    value = source.value
    count = len(value) // dtype.itemsize
    if place is not None and not (hasattr(src, "read") or hasattr(src, "get_item")):
        try:
            return np.frombuffer(src, dtype, count, place)
        except (TypeError, ValueError):
            pass  # not in one piece: what pydicom read of it is viewed
    return np.frombuffer(value, dtype, count)


def _require_aligned(values: npt.NDArray[Any], spec: FrameSpec) -> None:
    if spec.is_float or spec.bits_stored is None or spec.bits_stored == spec.bits_allocated:
        return
    if spec.high_bit not in (None, spec.bits_stored - 1):
        raise ValueError("copy=False cannot view this source: its values do not start at bit 0")
    spare = spec.bits_allocated - spec.bits_stored
    step = max(1, _CHECK_SAMPLES // max(1, math.prod(values.shape[1:])))
    for start in range(0, len(values), step):
        part = values[start : start + step]
        if not np.array_equal((part << spare) >> spare, part):
            raise ValueError("copy=False cannot view this source: bits above the stored ones are in use")
