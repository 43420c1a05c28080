"""Public decoding functions: an object, or the bytes of one frame, in; an ndarray out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dicoxide import _deviations, _memory_view
from dicoxide._arguments import (
    Array,
    FrameSelection,
    Rescale,
    byte_limit,
    check_reduce,
    check_rescale,
    owned_bytes,
    reduced_shape,
    resolve_frames,
    target_array,
    thread_count,
)
from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._image import Image, make_image
from dicoxide._options import DecodeOptions
from dicoxide._sources import Readable, open_and_decode, open_source
from dicoxide._transfer_syntaxes import RLE_LOSSLESS, VIDEO_CODECS
from dicoxide.errors import CorruptFrameError, UnsupportedError

if TYPE_CHECKING:
    import numpy.typing as npt

# Maximum bytes of frames that `iter_frames` decodes before the caller requests them; at least one frame is.
_MAX_PREFETCH_BYTES = 64 << 20

_LITTLE_ENDIAN_SEGMENTS = DecodeOptions(segment_byte_order="little")


def decode(
    src: Readable,
    *,
    frames: FrameSelection = None,
    out: Array | None = None,
    copy: bool = True,
    rescale: Rescale = False,
    quantity: str | None = None,
    dtype: npt.DTypeLike | None = None,
    raw: bool = False,
    reduce: int = 0,
    threads: int | None = None,
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> Array:
    """Decode the pixel data of `src`.

    With default arguments the result equals pydicom's ``pixel_array`` in shape, type and every value, in native byte
    order. The exceptions: if High Bit is not Bits Stored - 1, the values are the Bits Stored bits that end at High Bit
    (pydicom uses the lowest bits); the samples of lossy JPEG are those of libjpeg-turbo, as of Pillow and GDCM, from
    which pylibjpeg differs in rounding and upsampling; a few data sets that pydicom refuses or reads against the
    standard are listed in ``docs/standard.md``.

    Parameters
    ----------
    src : path, bytes-like, binary file or pydicom Dataset
        The object to decode. A binary file extends from its current position to its end. Of a seekable file, only the
        header and the requested frames are read, and its position does not change; another one is read to its end.
    frames : int, slice or iterable of int, optional
        Zero-based indices of the frames to decode, in this order. Negative indices count from the last frame. All
        frames by default.
    out : ndarray, optional
        Array to decode into, which is returned: the shape of the result, C-contiguous, writable, native byte order, and
        the dtype of the result or a wider integer type. Its content is undefined after an error.
    copy : bool, default True
        If False, return a read-only view of native samples in `src`, without decoding. A path is mapped into memory;
        the file must not change while the view is in use.
    rescale : bool or "real_world", default False
        If True, apply the Modality LUT, or Rescale Slope and Intercept, of each frame's functional groups if it has
        them (PS3.3 C.11.1), or Dose Grid Scaling of RT Dose (PS3.3 C.8.8.3). With ``"real_world"``, apply the Real
        World Value Mapping Sequence (0040,9096) of the frame's functional groups, else of the shared ones, else of the
        data set (PS3.3 C.7.6.16.2.11). Stored values that are not mapped become NaN, or are an error if `dtype` is an
        integer type. :meth:`Image.real_world_units` returns the units. Values are computed in float64 and rounded once.
    quantity : str, optional
        With ``rescale="real_world"``, use the maps with this LUT Label, or this Code Value or Code Meaning of their
        quantity or measurement units. Needed if an image has several maps, except maps of disjoint ranges with the same
        quantity and units, which are combined.
    dtype : dtype-like, optional
        dtype of the result. With `rescale`: float32 (the default), float64 or an integer type that holds every value
        exactly. Otherwise: the dtype of the stored values (the default) or a wider integer type.
    raw : bool, default False
        Do not convert ``YBR_FULL`` and ``YBR_FULL_422`` to RGB. No effect on video, which is always converted.
    reduce : int, default 0
        Number of resolutions to discard. Each halves rows and columns, rounded up. JPEG DCT frames have four
        resolutions (0 to 3), as in libjpeg-turbo's scaled decoding; other frames have one.
    threads : int, optional
        Maximum number of threads. All cores by default; 1 for the calling thread only. Threads share the frames, or
        decode one large JPEG frame together.
    strict : bool, default False
        Raise deviations from the standard as errors, instead of issuing a `NonConformantWarning`.
    max_bytes : int, optional
        Maximum bytes of output and scratch memory. A call that needs more raises before it
        allocates. By default, the memory is bounded by the size of the data only.
    fallback : bool, default True
        Let pydicom's other decoders, and PyAV for video, decode what dicoxide does not support. They are never tried
        for corrupt data.

    Returns
    -------
    ndarray
        Samples in native byte order and planar configuration 0. The shape is (rows, columns[, samples]) for one frame
        and (frames, rows, columns[, samples]) for several. It always has a frame axis if `frames` is a slice or an
        iterable.

    Raises
    ------
    DecodeError
        If the pixel data cannot be decoded. The subclass says why.
    IndexError
        If a frame index is out of range.
    OSError
        If a file cannot be read.
    TypeError
        If an argument has an unsupported type.
    ValueError
        If `out`, `dtype` or `copy` cannot be satisfied, or a frame has fewer resolutions than `reduce` needs. With
        ``rescale="real_world"``: if a frame has no map, or `quantity` does not select one; the message lists the maps.

    Notes
    -----
    PS3.5 Section 8 and Annex A; PS3.3 C.7.6.3, C.7.6.16.2.11 and C.11.1.
    """
    check_rescale(rescale, quantity)
    reduce = check_reduce(reduce)
    is_plain = frames is None and out is None and copy and dtype is None and not strict and max_bytes is None
    if is_plain and (threads is None or thread_count(threads) == 1) and rescale != "real_world":
        opened = open_and_decode(src, rescale=bool(rescale), raw=raw, reduce=reduce)
        if isinstance(opened, tuple):
            array, deviations = opened
            if deviations:
                _deviations.warn(deviations)
            return array
    else:
        opened = open_source(src, byte_limit(max_bytes))
    if not copy:
        if out is not None or rescale or dtype is not None or reduce:
            raise ValueError("copy=False returns a view and cannot be combined with out, rescale, dtype or reduce")
        views = _memory_view.view_frames(src, opened, raw=raw, strict=strict)
        return _memory_view.select_frames(views, opened.spec, *resolve_frames(len(views), frames))
    return make_image(opened, strict=strict, fallback=fallback).decode(
        frames,
        out,
        rescale=rescale,
        quantity=quantity,
        dtype=dtype,
        raw=raw,
        reduce=reduce,
        threads=threads,
        max_bytes=max_bytes,
    )


def open(src: Readable, *, strict: bool = False, fallback: bool = True) -> Image:
    """Open an object: read its header now, and its frames on demand.

    Parameters
    ----------
    src, strict, fallback
        As for :func:`decode`.

    Returns
    -------
    Image
        The opened object. It is indexed by frame, and is a context manager.

    Raises
    ------
    CorruptFrameError
        If the header is not that of an image.
    OSError
        If a file cannot be read.
    TypeError
        If `src` has an unsupported type.

    Notes
    -----
    PS3.10 Section 7; PS3.3 C.7.6.3.

    Examples
    --------
    >>> with dicoxide.open("image.dcm") as image:  # doctest: +SKIP
    ...     image.shape, image.number_of_frames
    ...     first = image[0]
    """
    return make_image(open_source(src), strict=strict, fallback=fallback)


def iter_frames(
    src: Readable,
    *,
    frames: FrameSelection = None,
    rescale: Rescale = False,
    quantity: str | None = None,
    dtype: npt.DTypeLike | None = None,
    raw: bool = False,
    reduce: int = 0,
    threads: int | None = None,
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> Iterator[Array]:
    """Iterate over decoded frames, in bounded memory.

    The next frames are decoded on other threads while the caller uses the current one.

    Parameters
    ----------
    src, frames, rescale, quantity, dtype, raw, reduce, threads, strict, max_bytes, fallback
        As for :func:`decode`. `max_bytes` bounds the frames in memory at one time, except that one frame is always
        decoded ahead.

    Yields
    ------
    ndarray
        One frame, equal to ``decode(src, frames=index)``: shape (rows, columns[, samples]).

    Raises
    ------
    DecodeError
        When the iteration reaches a frame that cannot be decoded. The frames before it have been yielded.
    """
    check_rescale(rescale, quantity)
    source = open_source(src, byte_limit(max_bytes))
    image = make_image(source, strict=strict, fallback=fallback)
    if source.spec.transfer_syntax in VIDEO_CODECS:
        from dicoxide._video import VideoImage

        assert isinstance(image, VideoImage)
        return image.iterate(
            frames,
            rescale=rescale,
            quantity=quantity,
            dtype=dtype,
            reduce=reduce,
            threads=threads,
            max_bytes=max_bytes,
        )
    indices, _ = resolve_frames(image.number_of_frames, slice(None) if frames is None else frames)
    sample_bytes = np.dtype(dtype or "f8").itemsize if rescale else source.spec.dtype.itemsize
    frame_bytes = math.prod(reduced_shape(source.spec.shape, check_reduce(reduce))) * sample_bytes
    options: dict[str, Any] = {"rescale": rescale, "quantity": quantity, "dtype": dtype, "raw": raw}
    options |= {"reduce": reduce, "threads": threads, "max_bytes": max_bytes}
    batch_size = frames_per_batch(frame_bytes, threads, byte_limit(max_bytes))
    return iterate_batches(lambda selected: image.decode(selected, **options), indices, batch_size)


def frames_per_batch(frame_bytes: int, threads: int | None, max_bytes: int | None) -> int:
    """Return the number of frames of one batch of :func:`iterate_batches`."""
    prefetch_bytes = _MAX_PREFETCH_BYTES if max_bytes is None else min(max_bytes, _MAX_PREFETCH_BYTES)
    # Two batches are in memory: the one that is yielded and the next one.
    return max(1, min(thread_count(threads), prefetch_bytes // (2 * max(1, frame_bytes))))


def iterate_batches(
    decode: Callable[[int | Sequence[int]], Array], indices: Sequence[int], batch_size: int
) -> Iterator[Array]:
    """Yield the frames of one batch while a background thread decodes the next batch.

    `decode` returns one frame, or several with a frame axis.
    """
    # Imported here, because most programs that import the package decode without this thread.
    from dicoxide._threads import ThreadPool

    def decode_batch(batch: Sequence[int]) -> tuple[Iterable[Array], Exception | None]:
        """Return the decoded frames, and the exception of the first frame that failed."""
        try:
            decoded = decode(batch)
            # Copies, because a view of one frame would keep the memory of the whole batch.
            return (decoded if len(batch) == 1 else [frame.copy() for frame in decoded]), None
        except Exception as error:
            if len(batch) == 1:
                return [], error
        # Decode frame by frame, to yield the frames before the one with the error.
        frames: list[Array] = []
        for index in batch:
            try:
                frames.append(decode(index))
            except Exception as error:
                return frames, error
        return frames, None

    # A forked child inherits this generator, but not the background thread.
    process_id = os.getpid()
    batches = [indices[start : start + batch_size] for start in range(0, len(indices), batch_size)]
    with ThreadPool(1) as background:
        upcoming = background.submit(decode_batch, batches[0]) if batches else None
        for number, batch in enumerate(batches, 1):
            assert upcoming is not None
            frames, error = upcoming.result() if os.getpid() == process_id else decode_batch(batch)
            is_last = error is not None or number == len(batches)
            upcoming = None if is_last else background.submit(decode_batch, batches[number])
            yield from frames
            if error is not None:
                raise error


def decode_frame(src: bytes | bytearray | memoryview, frame: FrameSpec, out: Array | None = None) -> Array:
    """Decode the bytes of one frame, as ``decode(..., raw=True)`` does.

    Parameters
    ----------
    src : bytes-like
        Native samples or a codestream, without item headers.
    frame : FrameSpec
        The Image Pixel attributes of the data set.
    out : ndarray, optional
        Array to decode into, which is returned: shape ``frame.shape``, C-contiguous, writable, native byte order, and
        ``frame.dtype`` or a wider integer type.

    Returns
    -------
    ndarray
        Stored values of shape (rows, columns[, samples]), in native byte order and planar configuration 0.

    Raises
    ------
    DecodeError
        If the bytes are not a frame with these attributes.
    UnsupportedError
        If dicoxide has no codec for the transfer syntax or a feature of the frame.
    ValueError
        If `out` does not fit.

    Notes
    -----
    PS3.5 Section 8 and Annex A.

    Examples
    --------
    Two pixels of 16 bits, of which 12 are stored; the upper four bits are cleared:

    >>> spec = dicoxide.FrameSpec("1.2.840.10008.1.2.1", rows=1, columns=2, bits_allocated=16, bits_stored=12)
    >>> dicoxide.decode_frame(bytes([0x01, 0xF0, 0xFF, 0x0F]), spec)
    array([[   1, 4095]], dtype=uint16)
    """
    return _decode_frame(frame, owned_bytes(src), out, None)


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
        RLE Header and segments.
    rows, columns : int
        Size of the image in pixels.
    samples_per_pixel : int, default 1
        Number of samples per pixel, 1 to 4.
    bits_allocated : int, default 16
        Bits per sample: 1, 8, 16, 32 or 64. If 1, the segment has one byte per pixel, 0 or 1 (PS3.5 G.2), or packed
        bits, which issue a `NonConformantWarning`; the decoded length distinguishes them.
    segment_byte_order : {"big", "little"}, default "big"
        Order of the segments of a sample. ``"big"``, the most significant byte first, is that of the standard;
        ``"little"`` is that of some non-conformant files.
    out : ndarray, optional
        Array to decode into, which is returned: the shape of the result, C-contiguous, writable, native byte order, and
        the dtype of the result or a wider integer type.

    Returns
    -------
    ndarray
        Samples of shape (rows, columns[, samples]) and dtype uint8, uint16, uint32 or uint64, in native byte order and
        planar configuration 0.

    Raises
    ------
    CorruptFrameError
        If the header or a segment violates Annex G, or the number of segments does not match the arguments, or more
        than 128 decoded bytes follow a plane.
    TruncatedFrameError
        If a segment ends before its plane is complete.
    ValueError
        If `segment_byte_order` or `out` is not as described.

    Notes
    -----
    PS3.5 Annex G.
    """
    if segment_byte_order not in ("big", "little"):
        raise ValueError(f"segment_byte_order must be 'big' or 'little', not {segment_byte_order!r}")
    options = None if segment_byte_order == "big" else _LITTLE_ENDIAN_SEGMENTS
    spec, shape = _rle_spec(rows, columns, samples_per_pixel, bits_allocated)
    return _decode_frame(spec, src if type(src) is bytes else owned_bytes(src), out, options, shape)


# Cached, because constructing them takes 15 % of decoding a frame of 64 x 64 pixels.
@lru_cache(maxsize=64)
def _rle_spec(
    rows: int, columns: int, samples_per_pixel: int, bits_allocated: int
) -> tuple[FrameSpec, tuple[int, ...]]:
    """Return the description of an RLE Lossless frame, and the shape of its samples."""
    spec = FrameSpec(RLE_LOSSLESS, rows, columns, samples_per_pixel, bits_allocated)
    return spec, spec.shape


def _decode_frame(
    spec: FrameSpec,
    src: bytes,
    out: Array | None,
    options: DecodeOptions | None,
    shape: tuple[int, ...] | None = None,
) -> Array:
    """Decode one frame into a new array or into `out`; `shape` is that of `spec`, if the caller knows it."""
    if out is not None and (type(out) is not np.ndarray or out.shape != (shape or spec.shape)):
        target_array(spec.shape, spec.dtype, out)
    try:
        if out is None:
            out, deviations = core.decode_frame(spec, src, options)
        else:
            deviations = core.decode_frame_into(out, spec, src, options)
    except (CorruptFrameError, OverflowError, TypeError, UnsupportedError):
        # Errors of the attributes take precedence. They are looked for now, because that takes 2 µs.
        _ = spec.checked().dtype
        raise
    if deviations:
        _deviations.warn(deviations)
    return out
