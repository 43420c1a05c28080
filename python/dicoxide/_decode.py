"""The direct interface: pixel data in, ndarray out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dicoxide import _deviations, _memory_view
from dicoxide._arguments import (
    LARGE_SAMPLES,
    Array,
    FrameIndex,
    byte_limit,
    owned_bytes,
    select,
    target_array,
    thread_count,
)
from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._image import Image
from dicoxide._options import DecodeOptions
from dicoxide._sources import Readable, open_source

if TYPE_CHECKING:
    import numpy.typing as npt

# What `iter_frames` holds that has been decoded before it is asked for: at most this, one frame at least.
_AHEAD_BYTES = 64 << 20

_RLE_LOSSLESS = "1.2.840.10008.1.2.5"
_JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57"
_LITTLE_ENDIAN_SEGMENTS = DecodeOptions(segment_byte_order="little")


def decode(
    src: Readable,
    *,
    frames: FrameIndex = None,
    out: Array | None = None,
    copy: bool = True,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    raw: bool = False,
    threads: int | None = None,
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> Array:
    """Decode the pixel data of `src`.

    With default arguments the result equals pydicom's ``pixel_array`` in shape, type and every value, in native
    byte order.

    Parameters
    ----------
    src : path, bytes-like, binary file or pydicom Dataset
        What to decode.
    frames : int, slice or iterable of int, optional
        The frames to decode, in that order; all by default. Negative indices count from the last frame.
    out : ndarray, optional
        Where to decode to: the result's shape, C-contiguous, writable, native byte order, and the result's type or a
        wider integer one. Its content is undefined after an error.
    copy : bool
        With ``False`` the result is a read-only view of native samples in `src`. On a path it maps the file, which
        must not change while the view is used.
    rescale : bool
        Apply the Modality LUT or Rescale Slope and Intercept (PS3.3 C.11.1), of each frame's functional groups where
        they have one. The result is float32, computed in float64 and rounded once, unless `dtype` or `out` say else.
    dtype : dtype-like, optional
        Type of the result: float32, float64 or an integer one with `rescale`; else a wider integer type.
    raw : bool
        Do not convert ``YBR_FULL`` and ``YBR_FULL_422`` to RGB.
    threads : int, optional
        Most threads to decode on: all cores by default, 1 for the calling thread only. Frames are shared out among
        them; where there are fewer, several decode one large frame of JPEG Lossless together.
    strict : bool
        Treat what is tolerated, and noted as `NonConformantWarning`, as an error.
    max_bytes : int, optional
        Most bytes of output and scratch; refused before anything is allocated.
    fallback : bool
        Let the decoders that pydicom knows try what is not decoded here.

    Returns
    -------
    ndarray
        (rows, columns[, samples]) for one frame, (frames, rows, columns[, samples]) for several; always with a frame
        axis where `frames` is a slice or an iterable. Native byte order, planar configuration 0.

    Raises
    ------
    DecodeError
        If the pixel data cannot be decoded; its subclasses tell why.
    IndexError
        If there is no such frame.
    OSError
        If a file cannot be read.
    TypeError
        If an argument is of no type that is taken.
    ValueError
        If `out`, `dtype` or `copy` ask for what the values do not allow.

    References
    ----------
    PS3.5 Section 8 and Annex A, PS3.3 C.7.6.3 and C.11.1.
    """
    source = open_source(src, byte_limit(max_bytes))
    if not copy:
        if out is not None or rescale or dtype is not None:
            raise ValueError("copy=False gives a view of the source: out, rescale and dtype do not go with it")
        views = _memory_view.view_frames(src, source, raw=raw, strict=strict)
        return _memory_view.select_frames(views, source.spec, *select(len(views), frames))
    return Image(source, strict=strict, fallback=fallback).decode(
        frames, out, rescale=rescale, dtype=dtype, raw=raw, threads=threads, max_bytes=max_bytes
    )


def open(src: Readable, *, strict: bool = False, fallback: bool = True) -> Image:
    """Open an object: its header is read, its frames when they are asked for.

    Parameters
    ----------
    src, strict, fallback
        As for :func:`decode`.

    Returns
    -------
    Image
        With ``shape``, ``dtype``, ``number_of_frames``, ``transfer_syntax``, ``attributes`` and ``decode``; indexed by
        frame, and a context manager.

    Raises
    ------
    CorruptFrameError
        If the header is not that of an image.
    OSError
        If a file cannot be read.
    TypeError
        If `src` is nothing that can be read.

    References
    ----------
    PS3.10 Section 7, PS3.3 C.7.6.3.
    """
    return Image(open_source(src), strict=strict, fallback=fallback)


def iter_frames(
    src: Readable,
    *,
    frames: FrameIndex = None,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    raw: bool = False,
    threads: int | None = None,
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> Iterator[Array]:
    """Decode frame by frame, in bounded memory, a few frames ahead of the caller.

    Parameters
    ----------
    src, frames, rescale, dtype, raw, threads, strict, max_bytes, fallback
        As for :func:`decode`; `max_bytes` bounds what is held at once, but for one frame decoded ahead.

    Yields
    ------
    ndarray
        (rows, columns[, samples]), as ``decode(src, frames=index)`` gives it.

    Raises
    ------
    DecodeError
        When the frame that cannot be decoded is reached.
    """
    source = open_source(src, byte_limit(max_bytes))
    image = Image(source, strict=strict, fallback=fallback)
    indices, _ = select(image.number_of_frames, slice(None) if frames is None else frames)
    item = np.dtype(dtype or "f8").itemsize if rescale else source.spec.dtype.itemsize
    frame_bytes = max(1, math.prod(source.spec.shape) * item)
    limit = byte_limit(max_bytes)
    ahead_bytes = _AHEAD_BYTES if limit is None else min(limit, _AHEAD_BYTES)
    at_once = max(1, min(thread_count(threads), ahead_bytes // (2 * frame_bytes)))
    options = {"rescale": rescale, "dtype": dtype, "raw": raw, "threads": threads, "max_bytes": max_bytes}
    return _ahead(image, indices, at_once, options)


def _ahead(image: Image, indices: Sequence[int], at_once: int, options: dict[str, Any]) -> Iterator[Array]:
    """Yield frame after frame while the next few are decoded on another thread."""
    # Whoever only imports the package has no threads.
    from dicoxide._threads import ThreadPool

    def decode_batch(batch: Sequence[int]) -> tuple[Iterable[Array], Exception | None]:
        try:
            decoded = image.decode(batch, **options)
            # Copies, so that a frame that is kept does not keep the others alive.
            return (decoded if len(batch) == 1 else [frame.copy() for frame in decoded]), None
        except Exception as error:
            if len(batch) == 1:
                return [], error
        # The frames before the broken one are still good.
        good: list[Array] = []
        for index in batch:
            try:
                good.append(image.decode(index, **options))
            except Exception as error:
                return good, error
        return good, None

    # A forked child has the iterator, but not its thread.
    process = os.getpid()
    batches = [indices[start : start + at_once] for start in range(0, len(indices), at_once)]
    with ThreadPool(1) as background:
        upcoming = background.submit(decode_batch, batches[0]) if batches else None
        for position in range(len(batches)):
            assert upcoming is not None
            decoded, error = upcoming.result() if os.getpid() == process else decode_batch(batches[position])
            is_last = error is not None or position + 1 == len(batches)
            upcoming = None if is_last else background.submit(decode_batch, batches[position + 1])
            yield from decoded
            if error is not None:
                raise error


def decode_frame(src: bytes | bytearray | memoryview, frame: FrameSpec, out: Array | None = None) -> Array:
    """Decode the bytes of one frame, as ``decode(..., raw=True)`` would.

    Parameters
    ----------
    src : bytes-like
        The frame: native samples or a codestream, without items around it.
    frame : FrameSpec
        What the data set says of it.
    out : ndarray, optional
        Where to decode to: shape ``frame.shape``, C-contiguous, writable, of ``frame.dtype`` or a wider integer type.

    Returns
    -------
    ndarray
        (rows, columns[, samples]) of stored values in native byte order, planar configuration 0.

    Raises
    ------
    DecodeError
        If the bytes are no such frame.
    UnsupportedError
        If nothing here decodes the transfer syntax.

    References
    ----------
    PS3.5 Section 8 and Annex A.
    """
    spec = frame.checked()
    data = owned_bytes(src)
    target = _frame_array(out, spec.shape, spec.dtype, spec, data)
    _deviations.warn(core.decode_frame_into(target, spec, data))
    return target


def rle_decode(
    src: bytes | bytearray | memoryview,
    rows: int,
    columns: int,
    samples_per_pixel: int = 1,
    bits_allocated: int = 16,
    *,
    segment_byte_order: Literal["big", "little"] = "big",
    out: Array | None = None,
) -> Array:
    """Decode one RLE Lossless frame.

    Parameters
    ----------
    src : bytes-like
        RLE header and segments.
    rows, columns, samples_per_pixel, bits_allocated : int
        What the frame is, as the data set says.
    segment_byte_order : {"big", "little"}
        Order of a sample's segments: ``"big"`` is the standard's, ``"little"`` that of some non-conformant files.
    out : ndarray, optional
        Where to decode to.

    Returns
    -------
    ndarray
        (rows, columns[, samples]) of uint8, uint16, uint32 or uint64, native byte order, planar configuration 0.

    Raises
    ------
    CorruptFrameError
        If the header or a segment breaks Annex G, or holds another number of segments than asked for.
    TruncatedFrameError
        If a segment ends before its plane does.

    References
    ----------
    PS3.5 Annex G.
    """
    if segment_byte_order not in ("big", "little"):
        raise ValueError(f"segment_byte_order is 'big' or 'little', not {segment_byte_order!r}")
    data = src if type(src) is bytes else owned_bytes(src)
    shape = (rows, columns) if samples_per_pixel == 1 else (rows, columns, samples_per_pixel)
    # Positional arguments: keywords take a third of the time in which a small frame decodes.
    spec = FrameSpec(_RLE_LOSSLESS, rows, columns, samples_per_pixel, bits_allocated)
    if out is None:
        out = _frame_array(None, shape, spec.dtype, spec.checked(), data)
    elif type(out) is not np.ndarray or out.shape != shape:
        target_array(shape, np.dtype(np.uint8), out)
    options = None if segment_byte_order == "big" else _LITTLE_ENDIAN_SEGMENTS
    if deviations := core.decode_frame_into(out, spec, data, options):
        _deviations.warn(deviations)
    return out


def jpeg_lossless_decode(src: bytes | bytearray | memoryview, out: Array | None = None) -> Array:
    """Decode one JPEG Lossless codestream.

    Parameters
    ----------
    src : bytes-like
        A codestream of process 14 (SOF3), any selection value. A padding byte behind it is no harm.
    out : ndarray, optional
        Where to decode to: the result's shape, C-contiguous, writable, of the result's type or a wider integer one.

    Returns
    -------
    ndarray
        (rows, columns[, components]) as the codestream says, uint8 where its precision is 8 bits or less, else
        uint16, native byte order. The point transform is undone; no colour is converted and no bit masked.

    Raises
    ------
    CorruptFrameError
        If the codestream breaks a rule of its format.
    TruncatedFrameError
        If it ends before its samples do.
    UnsupportedError
        If it is of another process (also arithmetic coding and hierarchical ones), or has sampling factors.

    References
    ----------
    ITU-T T.81 Annex H; PS3.5 A.4.1.
    """
    data = src if type(src) is bytes else owned_bytes(src)
    rows, columns, components, precision = core.jpeg_lossless_dimensions(data)
    bits = 8 if precision <= 8 else 16
    shape = (rows, columns) if components == 1 else (rows, columns, components)
    spec = FrameSpec(_JPEG_LOSSLESS, rows, columns, components, bits)
    if out is None:
        out = _frame_array(None, shape, np.dtype(f"u{bits // 8}"), spec, data)
    elif type(out) is not np.ndarray or out.shape != shape:
        target_array(shape, np.dtype(f"u{bits // 8}"), out)
    if deviations := core.decode_frame_into(out, spec, data):
        _deviations.warn(deviations)
    return out


def _frame_array(out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any], spec: FrameSpec, src: bytes) -> Array:
    """Return the array to decode one frame into; before a large one is allocated, check that `src` is long enough."""
    if out is None and math.prod(shape) > LARGE_SAMPLES:
        core.Frames(spec, src, whole=True).check([0])
    return target_array(shape, dtype, out)
