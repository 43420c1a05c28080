"""Bare codestreams: decoded, or described, without a data set."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dicoxide import _deviations
from dicoxide._arguments import LARGE_SAMPLES, Array, owned_bytes, target_array, thread_count
from dicoxide._backend import core

if TYPE_CHECKING:
    from dicoxide._core import Codestream

__all__ = ["CodestreamInfo", "codestream_info", "decode_codestream", "jpeg_lossless_decode"]

_MAX_REDUCE = 32


class CodestreamInfo(NamedTuple):
    """Header of a codestream, as :func:`codestream_info` returns it.

    Fields that the header does not declare are None. For JPEG XL, whose header is not read, all but `format` are.
    """

    format: str
    """``"jpeg"``, ``"jpeg_lossless"``, ``"jpegls"``, ``"jpeg2000"``, ``"htj2k"`` or ``"jpegxl"``."""
    rows: int | None
    """Rows of the image."""
    columns: int | None
    """Columns of the image."""
    components: int | None
    """Components of each pixel."""
    precision: int | None
    """Bits of a sample."""
    is_signed: bool | None
    """True if samples are two's complement. JPEG and JPEG-LS codestreams are unsigned."""
    colour: str | None
    """``"gray"``, ``"rgb"`` or ``"ybr"``, by JFIF, Adobe's segment, component identifiers or JPEG 2000's transform."""
    is_lossy: bool | None
    """True if the coding process loses information."""
    resolution_levels: int | None
    """Number of resolutions; `reduce` may be 0 to ``resolution_levels - 1``."""


def codestream_info(src: bytes | bytearray | memoryview) -> CodestreamInfo:
    """Read the header of a codestream, whether dicoxide decodes its format or not.

    Parameters
    ----------
    src : bytes-like
        A JPEG, JPEG-LS, JPEG 2000, HTJ2K (bare or boxed) or JPEG XL codestream.

    Returns
    -------
    CodestreamInfo
        What the header declares.

    Raises
    ------
    CorruptFrameError
        If the header violates its standard.
    TruncatedFrameError
        If the header is not complete.
    UnsupportedError
        If the first bytes are not those of a known format, or without the compiled extension.

    References
    ----------
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
    """Decode one codestream, whose first bytes tell its format.

    JPEG Lossless is decoded; other formats are recognised and refused.

    Parameters
    ----------
    src : bytes-like
        The codestream, with any number of padding bytes after it.
    out : ndarray, optional
        Array to decode into: of the result's shape, C-contiguous, writable, in native byte order, of the result's dtype
        or a wider integer one. Its content is undefined after an error.
    to_rgb : bool
        Convert luminance and colour differences to RGB if the codestream declares them (JFIF, or Adobe's segment).
        Default: the components as they are stored.
    reduce : int
        Number of resolutions to discard; each halves rows and columns, rounded up.
    threads : int, optional
        Maximum number of threads; None for all cores.

    Returns
    -------
    ndarray
        (rows, columns[, components]) as the codestream declares, of the smallest of uint8, uint16 and uint32 that holds
        its precision, or of int8, int16 and int32 if it is signed.

    Raises
    ------
    CorruptFrameError
        If the codestream violates its standard.
    TruncatedFrameError
        If it ends before its samples do.
    UnsupportedError
        If its format or process is not decoded; the message names it.
    ValueError
        If `out` does not fit, or the codestream does not have the resolution of `reduce`.

    References
    ----------
    ITU-T T.81; PS3.5 8.2.
    """
    reduce = operator.index(reduce)
    if not 0 <= reduce <= _MAX_REDUCE:
        raise ValueError(f"reduce is {reduce}, 0 to {_MAX_REDUCE} expected")
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
