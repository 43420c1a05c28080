"""Public functions on bare codestreams, without a data set: read the header, decode."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dicoxide import _deviations
from dicoxide._arguments import LARGE_SAMPLES, Array, check_reduce, owned_bytes, target_array, thread_count
from dicoxide._backend import core

if TYPE_CHECKING:
    from dicoxide._core import Codestream

__all__ = ["CodestreamInfo", "codestream_info", "decode_codestream", "jpeg_lossless_decode"]


class CodestreamInfo(NamedTuple):
    """Header of a codestream, as :func:`codestream_info` returns it.

    Fields that the header does not declare are None.
    """

    format: str
    """``"jpeg"``, ``"jpeg_lossless"``, ``"jpegls"``, ``"jpeg2000"``, ``"htj2k"`` or ``"jpegxl"``."""
    rows: int | None
    """Rows of the image, in pixels."""
    columns: int | None
    """Columns of the image, in pixels."""
    components: int | None
    """Components per pixel."""
    precision: int | None
    """Bits per sample."""
    is_signed: bool | None
    """True if samples are two's complement. JPEG and JPEG-LS codestreams are unsigned."""
    colour: str | None
    """``"gray"``, ``"rgb"`` or ``"ybr"``, by JFIF, Adobe's segment, component identifiers or JPEG 2000's transform."""
    is_lossy: bool | None
    """True if the coding process loses information."""
    resolution_levels: int | None
    """Number of resolutions; `reduce` may be 0 to ``resolution_levels - 1``."""


def codestream_info(src: bytes | bytearray | memoryview) -> CodestreamInfo:
    """Read the header of a codestream, also of a format that dicoxide does not decode.

    Parameters
    ----------
    src : bytes-like
        A JPEG, JPEG-LS, JPEG 2000, HTJ2K (bare or boxed) or JPEG XL codestream.

    Returns
    -------
    CodestreamInfo
        The values that the header declares.

    Raises
    ------
    CorruptFrameError
        If the header violates its standard.
    TruncatedFrameError
        If the header is not complete.
    UnsupportedError
        If the first bytes are not those of a known format, or the compiled extension is not available.

    Notes
    -----
    ITU-T T.81 B.2.2, T.87 C.2.2, T.800 A.5.1.
    """
    return CodestreamInfo(*core.codestream_info(_bytes_of(src)))


def decode_codestream(
    src: bytes | bytearray | memoryview,
    out: Array | None = None,
    *,
    to_rgb: bool = False,
    reduce: int = 0,
    threads: int | None = 1,
) -> Array:
    """Decode one codestream; its format is recognised by its first bytes.

    JPEG with Huffman coding (Baseline, Extended, Progressive and Lossless), JPEG-LS, JPEG 2000 and HTJ2K are decoded.
    Other formats raise `UnsupportedError`. Samples of lossy JPEG, and their RGB, are those of libjpeg-turbo; those of
    JPEG-LS are CharLS's. Samples of JPEG 2000 are those of OpenJPEG, after the multiple component transform; with the
    irreversible wavelet, they differ by 1 at most up to 13 bits.

    Parameters
    ----------
    src : bytes-like
        The codestream, with any number of padding bytes after it.
    out : ndarray, optional
        Array to decode into, which is returned: the shape of the result, C-contiguous, writable, native byte order, and
        the dtype of the result or a wider integer type. Its content is undefined after an error.
    to_rgb : bool, default False
        Convert luminance and chrominance to RGB: if the codestream declares them (JFIF, or Adobe's marker segment), or
        if it is lossy JPEG with three components and declares no colour. By default, the components are returned as
        stored, all at full resolution.
    reduce : int, default 0
        Number of resolutions to discard: 0 to 3 for lossy JPEG, less than `CodestreamInfo.resolution_levels` for JPEG
        2000. Each halves rows and columns, rounded up.
    threads : int or None, default 1
        Maximum number of threads; None for all cores.

    Returns
    -------
    ndarray
        Samples of shape (rows, columns[, components]), as the codestream declares, in native byte order. The dtype is
        the smallest of uint8, uint16 and uint32 that holds the precision, or of int8, int16 and int32 for signed
        samples.

    Raises
    ------
    CorruptFrameError
        If the codestream violates its standard.
    TruncatedFrameError
        If the codestream ends before its samples are complete.
    UnsupportedError
        If dicoxide does not decode the format or process, which the message names.
    ValueError
        If `out` does not fit, or the codestream has fewer resolutions than `reduce` needs.

    Notes
    -----
    ITU-T T.81, T.87, T.800, T.814; PS3.5 8.2.

    Examples
    --------
    >>> codestream = dicoxide.jpeg_lossless_encode(np.array([[1, 2], [3, 4]], np.uint8))
    >>> dicoxide.codestream_info(codestream).format
    'jpeg_lossless'
    >>> dicoxide.decode_codestream(codestream)
    array([[1, 2],
           [3, 4]], dtype=uint8)
    """
    reduce = check_reduce(reduce)
    codestream = core.Codestream(_bytes_of(src))
    return _decode(codestream, out, to_rgb=to_rgb, reduce=reduce, threads=thread_count(threads))


def jpeg_lossless_decode(src: bytes | bytearray | memoryview, out: Array | None = None) -> Array:
    """Decode one JPEG Lossless codestream.

    Parameters
    ----------
    src : bytes-like
        Codestream of process 14 (marker SOF3) with any selection value. A padding byte after it is ignored.
    out : ndarray, optional
        Array to decode into, which is returned: the shape of the result, C-contiguous, writable, native byte order, and
        the dtype of the result or a wider integer type.

    Returns
    -------
    ndarray
        Samples of shape (rows, columns[, components]), as the codestream declares, in native byte order. The dtype is
        uint8 if the precision is at most 8 bits, else uint16. The point transform is undone. No colour is converted and
        no bit is masked.

    Raises
    ------
    CorruptFrameError
        If the codestream violates its format.
    TruncatedFrameError
        If the codestream ends before its samples are complete.
    UnsupportedError
        If the codestream uses another process, arithmetic coding, hierarchical mode or subsampling.
    ValueError
        If `out` does not fit.

    Notes
    -----
    ITU-T T.81 Annex H; PS3.5 A.4.1.
    """
    return _decode(core.Codestream(_bytes_of(src), jpeg_lossless=True), out)


def _decode(
    codestream: Codestream, out: Array | None, *, to_rgb: bool = False, reduce: int = 0, threads: int = 1
) -> Array:
    rows, columns, components, dtype = codestream.layout(reduce)
    shape = (rows, columns) if components == 1 else (rows, columns, components)
    if out is None and math.prod(shape) > LARGE_SAMPLES:
        codestream.check()
    target = target_array(shape, np.dtype(dtype), out)
    if deviations := codestream.decode_into(target, to_rgb=to_rgb, reduce=reduce, threads=threads):
        _deviations.warn(deviations)
    return target


def _bytes_of(src: bytes | bytearray | memoryview) -> bytes:
    return src if type(src) is bytes else owned_bytes(src)
