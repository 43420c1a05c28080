"""What pydicom does for us: the transfer syntaxes that we do not decode, and Modality LUTs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dicoxide._request import Array, FrameIndex, select
from dicoxide.errors import CorruptFrameError, DecodeError, LimitError, TruncatedFrameError, UnsupportedError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicoxide._source import Source


def decode(
    source: Source, unsupported: UnsupportedError, frames: FrameIndex, *, raw: bool, max_bytes: int | None
) -> Array:
    """Decode with the decoders that pydicom knows; the shapes are those of :func:`dicoxide.decode`.

    Raises
    ------
    UnsupportedError
        The given one, if pydicom does not decode it either.
    """
    spec = source.spec
    count = source.number_of_frames or 1
    indices, has_axis = select(count, frames)
    if max_bytes is not None:
        needed = len(indices) * math.prod(spec.shape) * spec.dtype.itemsize
        if needed > max_bytes:
            raise LimitError(f"{needed} bytes of output needed, max_bytes is {max_bytes}", kind="LimitExceeded")
    _require_fragments(source, count)
    try:
        if frames is None:
            return _native_order(_pixel_array(source, None, raw))
        decoded = [_native_order(_pixel_array(source, index, raw)) for index in indices]
    except NotImplementedError as error:
        raise unsupported from error
    if not has_axis:
        return decoded[0]
    return np.stack(decoded) if decoded else np.empty((0, *spec.shape), spec.dtype)


def available(transfer_syntax: str) -> tuple[str, ...]:
    """Names of the decoding plugins, other than ours, that pydicom has for a transfer syntax."""
    from pydicom.pixels.decoders.base import get_decoder

    try:
        decoder = get_decoder(transfer_syntax)
    except NotImplementedError:
        return ()
    if not decoder.is_encapsulated:
        return ("pydicom",)
    return tuple(name for name in decoder.available_plugins if name != "dicoxide")


def why_not(transfer_syntax: str) -> str:
    """What keeps pydicom from decoding a transfer syntax, in one line."""
    from pydicom.pixels.decoders.base import get_decoder

    try:
        missing = get_decoder(transfer_syntax).missing_dependencies
    except NotImplementedError:
        return "pydicom has no decoder for it"
    return f"pydicom's plugins are not installed: {'; '.join(missing)}"


def modality_lut(stored: Array, dataset: Dataset) -> Array:
    """The Modality LUT Sequence of `dataset` applied to stored values (PS3.3 C.11.1).

    Raises
    ------
    CorruptFrameError
        If pydicom finds no table in it.
    """
    from pydicom.pixels.processing import apply_modality_lut

    try:
        return apply_modality_lut(stored, dataset)
    except MemoryError:
        raise
    except Exception as error:
        clause = "PS3.3 C.11.1"
        raise CorruptFrameError(f"the Modality LUT cannot be applied: {error} ({clause})", clause=clause) from error


def _require_fragments(source: Source, count: int) -> None:
    """Refuse fewer fragments than frames: pydicom takes the memory for all frames before it looks for them."""
    from pydicom.encaps import parse_fragments
    from pydicom.uid import UID

    uid, clause = source.spec.transfer_syntax, "PS3.5 A.4"
    if not UID(uid).is_transfer_syntax or not UID(uid).is_encapsulated:
        return
    value = source.value
    try:
        # The Basic Offset Table is an item too.
        found = parse_fragments(value)[0] - 1
    except Exception as error:
        raise CorruptFrameError(
            f"the items cannot be read: {error} ({clause})", clause=clause, transfer_syntax=uid
        ) from error
    if found < count:
        text = f"{max(0, found)} fragments found, {count} frames expected ({clause})"
        raise TruncatedFrameError(text, clause=clause, offset=len(value), transfer_syntax=uid)


def _pixel_array(source: Source, index: int | None, raw: bool) -> Array:
    from pydicom.pixels.utils import pixel_array

    try:
        return pixel_array(source.dataset, index=index, raw=raw)
    except (MemoryError, NotImplementedError):
        raise
    except Exception as error:
        raise DecodeError(
            f"pydicom's decoders failed: {' '.join(str(error).split())}",
            kind="Fallback",
            transfer_syntax=source.spec.transfer_syntax,
            frame_index=index,
        ) from error


def _native_order(arr: Array) -> Array:
    if not arr.dtype.isnative:
        arr = arr.astype(arr.dtype.newbyteorder("="))
    return np.ascontiguousarray(arr)
