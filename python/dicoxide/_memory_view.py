"""``copy=False``: native samples as a read-only view of the source's memory or of the mapped file."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide import _deviations
from dicoxide._backend import core
from dicoxide._deviations import Deviation
from dicoxide._frame import FrameSpec
from dicoxide._sources import Source
from dicoxide._transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, NATIVE, VIDEO_CODECS
from dicoxide.errors import TruncatedFrameError

if TYPE_CHECKING:
    import numpy.typing as npt

# Samples per block when unused bits are checked, which bounds the temporary memory.
_CHECK_SAMPLES = 1 << 20


def view_frames(src: Any, source: Source, *, raw: bool, strict: bool) -> npt.NDArray[Any]:
    """Return a read-only view of all frames, (frames, rows, columns[, samples]), with unused bits as they are.

    Raises
    ------
    ValueError
        If the memory layout of the samples is not that of the result of :func:`dicoxide.decode`.
    TruncatedFrameError
        If there are fewer frames than the data set declares.
    CorruptFrameError
        If an attribute is out of range or, with `strict`, the value deviates from the standard.
    """
    spec = source.spec
    if spec.transfer_syntax in VIDEO_CODECS:
        # The core has no codec for it.
        _require_viewable(spec, raw=raw)
    # Raises if an attribute is out of range.
    core.Frames(spec, b"", whole=True)
    _require_viewable(spec, raw=raw)
    samples = _view_samples(src, source)
    frame_samples = math.prod(spec.shape)
    declared = source.number_of_frames or 1
    frame_count = samples.size // frame_samples
    if frame_count < declared:
        raise TruncatedFrameError(
            f"{frame_count} frames found, {declared} expected (PS3.5 8.1.1)",
            kind="Truncated",
            clause="PS3.5 8.1.1",
            offset=samples.nbytes,
            transfer_syntax=spec.transfer_syntax,
        )
    # One more byte is padding, even if a frame has only one byte (PS3.5 8.1.1).
    expected_bytes = declared * frame_samples * spec.dtype.itemsize
    value_bytes = source.value_bytes
    if value_bytes <= expected_bytes + expected_bytes % 2:
        frame_count = declared
    deviations = _find_deviations(source, frame_count, value_bytes, expected_bytes)
    if strict:
        _deviations.raise_first(deviations, spec.transfer_syntax)
    _deviations.warn(deviations)
    frames = samples[: frame_count * frame_samples].reshape(frame_count, *spec.shape)
    frames.flags.writeable = False
    return frames


def select_frames(
    frames: npt.NDArray[Any], spec: FrameSpec, indices: Sequence[int], has_frame_axis: bool
) -> npt.NDArray[Any]:
    """Return the frames `indices` as a view, after a check that masking and sign extension would not change a value.

    Raises
    ------
    ValueError
        If a value would change, or the frames cannot be one view because they are not a slice.
    """
    if not has_frame_axis:
        selected: npt.NDArray[Any] = frames[indices[0]]
    elif isinstance(indices, range):
        selected = frames[indices.start : indices.stop if indices.stop >= 0 else None : indices.step]
    else:
        raise ValueError("copy=False needs frames as an index or a slice, because a list of indices is not one view")
    _require_unused_bits_clear(selected, spec)
    return selected


def _find_deviations(source: Source, frame_count: int, value_bytes: int, expected_bytes: int) -> list[Deviation]:
    """Return the deviations that the core reports for the same value."""
    deviations: list[Deviation] = []
    if source.number_of_frames == 0:
        deviations.append(Deviation(None, "number of frames 0 found, taken as 1", "PS3.3 C.7.6.6", None))
    declared = source.number_of_frames or 1
    if frame_count > declared:
        message = f"number of frames is {declared}, {frame_count} frames found"
        deviations.append(Deviation(None, message, "PS3.5 8.1.1", None))
    elif value_bytes > expected_bytes + expected_bytes % 2:
        message = f"{value_bytes - expected_bytes} bytes after the last frame"
        deviations.append(Deviation(None, message, "PS3.5 8.1.1", None))
    elif value_bytes % 2:
        message = "the value has odd length: its trailing pad byte is missing"
        deviations.append(Deviation(None, message, "PS3.5 7.1.1", None))
    return deviations


def _require_viewable(spec: FrameSpec, *, raw: bool) -> None:
    reason = None
    if spec.transfer_syntax not in NATIVE or spec.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN:
        reason = "its samples are encoded or big endian"
    elif sys.byteorder != "little":
        reason = "its samples are little endian, this machine is not"
    elif spec.bits_allocated == 1:
        reason = "its samples are packed bits"
    elif spec.samples_per_pixel > 1:
        if spec.photometric_interpretation == "YBR_FULL_422":
            reason = "its chrominance is stored at half resolution"
        elif spec.planar_configuration == 1:
            reason = "its colour planes are stored separately"
        elif spec.photometric_interpretation == "YBR_FULL" and not raw:
            reason = "its samples are YBR_FULL, which decode converts to RGB"
    if reason:
        raise ValueError(f"copy=False cannot view this source: {reason}")


def _view_samples(src: Any, source: Source) -> npt.NDArray[Any]:
    """Return the samples of the whole value as a one-dimensional view."""
    dtype = source.spec.dtype
    offset = source.value_offset
    if offset is not None and isinstance(src, (str, os.PathLike)):
        # A truncated file has fewer frames than declared, which the caller of this function checks.
        value_bytes = min(source.value_bytes, max(0, os.stat(src).st_size - offset))
        sample_count = value_bytes // dtype.itemsize
        if sample_count == 0:
            return np.empty(0, dtype)
        mapped = np.memmap(src, np.uint8, "r", offset=offset, shape=(sample_count * dtype.itemsize,))
        view: npt.NDArray[Any] = np.asarray(mapped).view(dtype)
        return view
    value = source.value
    sample_count = len(value) // dtype.itemsize
    if offset is not None and not (hasattr(src, "read") or hasattr(src, "get_item")):
        try:
            return np.frombuffer(src, dtype, sample_count, offset)
        except (TypeError, ValueError):
            pass  # `src` is not contiguous: view the copy of its bytes
    return np.frombuffer(value, dtype, sample_count)


def _require_unused_bits_clear(values: npt.NDArray[Any], spec: FrameSpec) -> None:
    """Raise if a value's bits above Bits Stored are not zero or, for signed values, copies of the sign bit."""
    if spec.is_float or spec.bits_stored is None or spec.bits_stored == spec.bits_allocated:
        return
    if spec.high_bit not in (None, spec.bits_stored - 1):
        raise ValueError("copy=False cannot view this source: its values do not start at bit 0")
    unused_bits = spec.bits_allocated - spec.bits_stored
    block_length = max(1, _CHECK_SAMPLES // max(1, math.prod(values.shape[1:])))
    for start in range(0, len(values), block_length):
        block = values[start : start + block_length]
        # The shift to the right is arithmetic for signed types, so it extends the sign.
        if not np.array_equal((block << unused_bits) >> unused_bits, block):
            raise ValueError("copy=False cannot view this source: bits above Bits Stored are in use")
