"""Pixel data → ndarray: plan the output, let the core fill it, hand to pydicom what the core does not decode."""

from __future__ import annotations

import math
import operator
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from dicoxide import _delegate, _view
from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._pixels import exact_copy, rescale_into
from dicoxide._source import Readable, Source, open_source
from dicoxide.errors import CorruptFrameError, LimitError, NonConformantWarning, UnsupportedError

if TYPE_CHECKING:
    from dicoxide._core import Frames, Note

Array: TypeAlias = npt.NDArray[Any]
FrameIndex: TypeAlias = "int | slice | Iterable[int] | None"

# What `iter_frames` has decoded before it is asked for: at most this many bytes, one frame at least.
_AHEAD_BYTES = 64 << 20

_PACKAGE = os.path.dirname(__file__)


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
        Most threads to decode on: all cores by default, 1 for the calling thread only.
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
    ValueError
        If `out`, `dtype` or `copy` ask for what the values do not allow.

    References
    ----------
    PS3.5 Section 8 and Annex A, PS3.3 C.7.6.3 and C.11.1.
    """
    source = open_source(src)
    if not copy:
        if out is not None or rescale or dtype is not None:
            raise ValueError("copy=False gives a view of the source: out, rescale and dtype do not go with it")
        samples = _view.samples(src, source, raw=raw)
        return _view.aligned(samples, source.spec, *_select(len(samples), frames))
    if rescale and source.spec.samples_per_pixel != 1:
        raise ValueError("rescale of an image with more than one sample per pixel (PS3.3 C.11.1)")
    try:
        opened = _open_frames(source, strict=strict)
    except UnsupportedError as unsupported:
        if not fallback:
            raise
        stored = _delegate.decode(source, unsupported, frames, raw=raw)
        return _finish_elsewhere(source, stored, frames, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
    indices, has_axis = _select(len(opened), frames)
    opened.check(indices)
    shape = (len(indices), *source.spec.shape) if has_axis else source.spec.shape
    target = _target(shape, source.spec.dtype, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
    if rescale and source.has_modality_lut:
        stored = np.empty(shape, source.spec.dtype)
        _fill(source, opened, stored, indices, threads=threads, strict=strict, max_bytes=max_bytes)
        exact_copy(_delegate.modality_lut(stored, source.dataset), target)
        return target
    rescales = source.rescales(indices) if rescale else []
    if rescale and not rescales and target.dtype != source.spec.dtype:
        rescales = [(1.0, 0.0)]
    _fill(
        source,
        opened,
        target,
        indices,
        threads=threads,
        strict=strict,
        raw=raw,
        rescales=rescales,
        max_bytes=max_bytes,
    )
    return target


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
        As for :func:`decode`; `max_bytes` bounds what is held at once.

    Yields
    ------
    ndarray
        (rows, columns[, samples]), as ``decode(src, frames=index)`` gives it.

    Raises
    ------
    DecodeError
        When the frame that cannot be decoded is reached.
    """
    source = open_source(src)
    options: dict[str, Any] = {
        "rescale": rescale,
        "dtype": dtype,
        "raw": raw,
        "threads": threads,
        "strict": strict,
        "max_bytes": max_bytes,
        "fallback": fallback,
    }
    try:
        count = len(_open_frames(source, strict=strict))
    except UnsupportedError:
        if not fallback:
            raise
        count = source.number_of_frames or 1
    indices, _ = _select(count, frames if frames is not None else slice(None))
    return _ahead(source, indices, options)


def _ahead(source: Source, indices: Sequence[int], options: dict[str, Any]) -> Iterator[Array]:
    """Yield frame after frame while the next few are decoded on another thread."""
    item = np.dtype(options["dtype"] or "f8").itemsize if options["rescale"] else source.spec.dtype.itemsize
    frame_bytes = math.prod(source.spec.shape) * item
    at_once = max(1, min(_threads(options["threads"]), _AHEAD_BYTES // (2 * frame_bytes)))
    batches = [indices[start : start + at_once] for start in range(0, len(indices), at_once)]

    def decode_batch(batch: Sequence[int]) -> tuple[list[Array], Exception | None]:
        try:
            return list(decode(source, frames=batch, **options)), None
        except Exception as error:
            if len(batch) == 1:
                return [], error
        # The frames before the broken one are still good.
        done: list[Array] = []
        for index in batch:
            try:
                done.append(decode(source, frames=index, **options))
            except Exception as error:
                return done, error
        return done, None

    with ThreadPoolExecutor(1, thread_name_prefix="dicoxide") as executor:
        upcoming = executor.submit(decode_batch, batches[0]) if batches else None
        for following in [*batches[1:], None] if batches else []:
            assert upcoming is not None
            decoded, error = upcoming.result()
            upcoming = None if following is None or error else executor.submit(decode_batch, following)
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
    opened = core.Frames(frame.transfer_syntax, bytes(src), whole=True, **frame.core_attributes())
    opened.check([0])
    target = _target(frame.shape, frame.dtype, out)
    _, notes = opened.decode_into(target, [0])
    _warn(notes)
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
    frame = FrameSpec(
        transfer_syntax="1.2.840.10008.1.2.5",
        rows=rows,
        columns=columns,
        samples_per_pixel=samples_per_pixel,
        bits_allocated=bits_allocated,
    )
    opened = core.Frames(frame.transfer_syntax, bytes(src), whole=True, **frame.core_attributes())
    opened.check([0])
    target = _target(frame.shape, frame.dtype, out)
    _, notes = opened.decode_into(target, [0], segment_byte_order=segment_byte_order)
    _warn(notes)
    return target


def _open_frames(source: Source, *, strict: bool) -> Frames:
    """The object's frames; departures found so far are warned of, or are errors."""
    spec = source.spec
    opened = core.Frames(
        spec.transfer_syntax,
        source.value,
        **spec.core_attributes(),
        number_of_frames=source.number_of_frames,
        extended_offsets=source.extended_offsets,
        word_swapped=source.word_swapped,
    )
    notes = opened.notes()
    if spec.high_bit is not None and spec.bits_stored is not None and spec.high_bit != spec.bits_stored - 1:
        text = f"high bit {spec.high_bit} found, {spec.bits_stored - 1} expected with bits stored {spec.bits_stored}"
        notes.append((None, text, "PS3.5 8.1.1", None))
    if notes and strict:
        _, text, clause, offset = notes[0]
        raise CorruptFrameError(
            _line(notes[0]), clause=clause, offset=offset, transfer_syntax=spec.transfer_syntax
        )
    _warn(notes)
    return opened


def _fill(
    source: Source,
    opened: Frames,
    target: Array,
    indices: Sequence[int],
    *,
    threads: int | None,
    strict: bool,
    raw: bool = True,
    rescales: list[tuple[float, float]] | None = None,
    max_bytes: int | None,
) -> None:
    """Let the core decode `indices` into `target`."""
    spec = source.spec
    is_ybr = spec.samples_per_pixel == 3 and spec.photometric_interpretation in ("YBR_FULL", "YBR_FULL_422")
    _, notes = opened.decode_into(
        target,
        indices,
        threads=_threads(threads),
        strict=strict,
        ybr_to_rgb=is_ybr and not raw,
        rescales=rescales or None,
        max_bytes=None if max_bytes is None else max_bytes - target.nbytes,
    )
    _warn(notes)


def _finish_elsewhere(
    source: Source,
    stored: Array,
    frames: FrameIndex,
    out: Array | None,
    *,
    rescale: bool,
    dtype: npt.DTypeLike | None,
    max_bytes: int | None,
) -> Array:
    """What another decoder gave, in the type and place that the caller wants."""
    if out is None and not rescale and dtype is None and (max_bytes is None or stored.nbytes <= max_bytes):
        return stored
    target = _target(stored.shape, stored.dtype, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
    if not rescale:
        target[...] = stored
        return target
    if source.has_modality_lut:
        exact_copy(_delegate.modality_lut(stored, source.dataset), target)
        return target
    several = stored.ndim > len(source.spec.shape)
    indices, _ = _select(stored.shape[0] if several and frames is None else source.number_of_frames or 1, frames)
    rescales = source.rescales(indices) or [(1.0, 0.0)]
    if len(rescales) == 1:
        rescale_into(stored, *rescales[0], target)
    else:
        for frame, pair, window in zip(stored, rescales, target, strict=True):
            rescale_into(frame, *pair, window)
    return target


def _select(number_of_frames: int, frames: FrameIndex) -> tuple[Sequence[int], bool]:
    """The indices asked for, none negative, and whether the result has a frame axis."""
    if frames is None:
        return range(number_of_frames), number_of_frames > 1
    if isinstance(frames, slice):
        return range(*frames.indices(number_of_frames)), True
    if isinstance(frames, Iterable):
        return [_index(number_of_frames, index) for index in frames], True
    return [_index(number_of_frames, frames)], False


def _index(number_of_frames: int, index: int) -> int:
    position = operator.index(index)
    if not -number_of_frames <= position < number_of_frames:
        raise IndexError(f"frame {position} asked for, there are {number_of_frames}")
    return position % number_of_frames


def _target(
    shape: tuple[int, ...],
    stored: np.dtype[Any],
    out: Array | None,
    *,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    max_bytes: int | None = None,
) -> Array:
    """The array to decode into: the caller's, checked, or a fresh one that the budget allows."""
    wanted = None if dtype is None else np.dtype(dtype)
    if out is not None:
        if not isinstance(out, np.ndarray):
            raise ValueError(f"out must be an ndarray, not {type(out).__name__}")
        if wanted is not None and wanted != out.dtype:
            raise ValueError(f"out is of {out.dtype}, dtype says {wanted}")
        if out.shape != shape:
            raise ValueError(f"out has shape {out.shape}, the result {shape}")
        if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned and out.dtype.isnative):
            raise ValueError("out must be C-contiguous, aligned, writable and in native byte order")
        wanted = out.dtype
    elif wanted is None:
        wanted = np.dtype(np.float32) if rescale else stored
    if rescale:
        if not (wanted.kind in "iu" or wanted in (np.dtype(np.float32), np.dtype(np.float64))) or not wanted.isnative:
            raise ValueError(f"rescale gives float32, float64 or an integer type in native byte order, not {wanted}")
    elif wanted != stored and not (
        wanted.kind in "iu" and stored.kind in "iu" and wanted.isnative and np.can_cast(stored, wanted, "safe")
    ):
        raise ValueError(f"the result is of {stored}; {wanted} is not that or a wider integer type")
    if max_bytes is not None and (needed := math.prod(shape) * wanted.itemsize) > max_bytes:
        raise LimitError(f"{needed} bytes of output needed, max_bytes is {max_bytes}", kind="LimitExceeded")
    return np.empty(shape, wanted) if out is None else out


def _threads(threads: int | None) -> int:
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if operator.index(threads) < 1:
        raise ValueError(f"threads is at least 1, not {threads}")
    return threads


def _line(note: Note) -> str:
    index, text, clause, offset = note
    where = "" if index is None else f"frame {index}: "
    at = "" if offset is None else f" at byte {offset}"
    return f"{where}{text}{at} ({clause})"


def _warn(notes: Sequence[Note]) -> None:
    """One warning a departure, at the line outside of this package that asked for the frames."""
    if not notes:
        return
    level, caller = 1, sys._getframe()
    while caller.f_back is not None and caller.f_code.co_filename.startswith(_PACKAGE):
        level, caller = level + 1, caller.f_back
    for note in notes:
        warnings.warn(_line(note), NonConformantWarning, stacklevel=level)
