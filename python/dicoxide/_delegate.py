"""What pydicom does for us: the transfer syntaxes that we do not decode, and Modality LUTs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dicoxide.errors import DecodeError, UnsupportedError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicoxide._source import Source

Array = npt.NDArray[Any]


def decode(source: Source, unsupported: UnsupportedError, frames: Any, *, raw: bool) -> Array:
    """Decode with the decoders that pydicom knows; the shapes are those of :func:`dicoxide.decode`.

    Raises
    ------
    UnsupportedError
        The given one, if pydicom has no decoder either.
    """
    if not available(source.spec.transfer_syntax):
        raise unsupported
    count = source.number_of_frames or 1
    if frames is None:
        return _native_order(_pixel_array(source, None, raw))
    if isinstance(frames, slice):
        indices: Iterable[int] = range(*frames.indices(count))
    elif isinstance(frames, Iterable):
        indices = frames
    else:
        return _native_order(_pixel_array(source, _index(frames, count), raw))
    decoded = [_native_order(_pixel_array(source, _index(index, count), raw)) for index in indices]
    return np.stack(decoded) if decoded else np.empty((0, *source.spec.shape), source.spec.dtype)


def available(transfer_syntax: str) -> tuple[str, ...]:
    """Names of the decoding plugins, other than ours, that pydicom has for a transfer syntax."""
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(transfer_syntax)
    except NotImplementedError:
        return ()
    if not decoder.is_encapsulated:
        return ("pydicom",)
    return tuple(name for name in decoder.available_plugins if name != "dicoxide")


def why_not(transfer_syntax: str) -> str:
    """What keeps pydicom from decoding a transfer syntax, in one line."""
    from pydicom.pixels import get_decoder

    try:
        missing = get_decoder(transfer_syntax).missing_dependencies
    except NotImplementedError:
        return "no codec here, and pydicom has no decoder for it"
    return f"no codec here; pydicom's plugins are not installed: {'; '.join(missing)}"


def modality_lut(stored: Array, dataset: Dataset) -> Array:
    """The Modality LUT Sequence of `dataset` applied to stored values (PS3.3 C.11.1)."""
    from pydicom.pixels import apply_modality_lut

    return apply_modality_lut(stored, dataset)


def _index(index: int, count: int) -> int:
    if not -count <= index < count:
        raise IndexError(f"frame {index} asked for, there are {count}")
    return index % count


def _pixel_array(source: Source, index: int | None, raw: bool) -> Array:
    from pydicom.pixels import pixel_array

    try:
        return pixel_array(source.dataset, index=index, raw=raw)
    except (IndexError, MemoryError, NotImplementedError):
        raise
    except Exception as error:
        raise DecodeError(
            f"pydicom's decoders failed: {error}",
            kind="Fallback",
            transfer_syntax=source.spec.transfer_syntax,
            frame_index=index,
        ) from error


def _native_order(arr: Array) -> Array:
    if not arr.dtype.isnative:
        arr = arr.astype(arr.dtype.newbyteorder("="))
    return np.ascontiguousarray(arr)
