"""Public encoding functions: one array in, the bytes of one frame out."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from dicoxide._arguments import Array
from dicoxide._backend import core

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["jpeg_lossless_encode", "jpegls_encode", "rle_encode"]

# Values of ILV in the scan header (ITU-T T.87 C.2.3).
_INTERLEAVE_MODES = {"none": 0, "line": 1, "sample": 2}

# Largest number that the core's 32-bit arguments can hold. The core checks the range that the format allows.
_MAX_UINT32 = (1 << 32) - 1


def jpeg_lossless_encode(
    arr: npt.ArrayLike,
    selection_value: int = 1,
    point_transform: int = 0,
    restart_interval: int = 0,
    precision: int | None = None,
) -> bytes:
    """Encode one frame as a JPEG Lossless codestream (process 14) with Huffman tables optimised for the image.

    Parameters
    ----------
    arr : array-like
        Samples of shape (rows, columns[, samples]) and dtype uint8, int8, uint16 or int16: at most 65535 rows and
        columns, 1 to 4 samples per pixel, planar configuration 0. No colour conversion is applied.
    selection_value : int, default 1
        Predictor, 1 to 7. Transfer syntax JPEG Lossless SV1 (1.2.840.10008.1.2.4.70) requires 1.
    point_transform : int, default 0
        Number of low bits to drop from each sample, 0 to ``precision - 1``. Only 0 is lossless.
    restart_interval : int, default 0
        Number of pixels between restart markers: a multiple of the number of columns, at most 65535; 0 for none.
    precision : int, optional
        Bits per sample, 2 to 16, usually Bits Stored. Defaults to the bits of the dtype. Signed samples are written
        as two's complement numbers of `precision` bits (Pixel Representation 1).

    Returns
    -------
    bytes
        The codestream from SOI to EOI, not padded to an even length.

    Raises
    ------
    ValueError
        If the shape, the dtype or a parameter is out of range, or a value needs more bits than `precision`.
    TypeError
        If a parameter is not an integer.
    UnsupportedError
        If the compiled extension is not available.

    Notes
    -----
    ITU-T T.81 Annexes H and K.2; PS3.5 8.2.1 and A.4.1.

    Examples
    --------
    >>> image = np.array([[0, 100], [200, 4095]], np.uint16)
    >>> codestream = dicoxide.jpeg_lossless_encode(image, precision=12)
    >>> dicoxide.jpeg_lossless_decode(codestream)
    array([[   0,  100],
           [ 200, 4095]], dtype=uint16)
    """
    image, dimensions = _image_and_dimensions(arr)
    if image.dtype.kind not in "iu" or image.dtype.itemsize > 2:
        raise ValueError(f"array has dtype {image.dtype}, integers of 8 or 16 bits expected (ITU-T T.81 Table B.2)")
    return core.jpeg_lossless_encode(
        image,
        *dimensions,
        _uint32("selection_value", selection_value),
        _uint32("point_transform", point_transform),
        _uint32("restart_interval", restart_interval),
        None if precision is None else _uint32("precision", precision),
    )


def jpegls_encode(
    arr: npt.ArrayLike,
    near: int = 0,
    interleave: str = "sample",
    precision: int | None = None,
) -> bytes:
    """Encode one frame as a JPEG-LS codestream, lossless or near-lossless.

    Parameters
    ----------
    arr : array-like
        Samples of shape (rows, columns[, samples]) and dtype uint8, int8, uint16 or int16: at most 65535 rows and
        columns, 1 to 4 samples per pixel, planar configuration 0. No colour conversion is applied.
    near : int, default 0
        Greatest difference between a sample and its decoded value, 0 to 255 and at most half the greatest sample
        value. Only 0 is lossless, and allowed for transfer syntax JPEG-LS Lossless (1.2.840.10008.1.2.4.80).
    interleave : {"none", "line", "sample"}, default "sample"
        Order of the components in the codestream, if there is more than one: one after the other, line by line or
        sample by sample. "none" and "line" usually give the smaller codestream.
    precision : int, optional
        Bits per sample, 2 to 16, usually Bits Stored. Defaults to the bits of the dtype. Signed samples are written
        as two's complement numbers of `precision` bits (Pixel Representation 1).

    Returns
    -------
    bytes
        The codestream from SOI to EOI, not padded to an even length.

    Raises
    ------
    ValueError
        If the shape, the dtype or a parameter is out of range, a value needs more bits than `precision`, or a signed
        value is within `near` of the limits of `precision`, so that its sign could change.
    TypeError
        If a parameter is not an integer, or `interleave` is not a string.
    UnsupportedError
        If the compiled extension is not available.

    Notes
    -----
    ITU-T T.87 Annexes A to C; PS3.5 8.2.3 and A.4.3.

    Examples
    --------
    >>> image = np.array([[0, 100], [200, 4095]], np.uint16)
    >>> codestream = dicoxide.jpegls_encode(image, precision=12)
    >>> dicoxide.decode_codestream(codestream)
    array([[   0,  100],
           [ 200, 4095]], dtype=uint16)
    """
    image, dimensions = _image_and_dimensions(arr)
    if image.dtype.kind not in "iu" or image.dtype.itemsize > 2:
        raise ValueError(f"array has dtype {image.dtype}, integers of 8 or 16 bits expected (ITU-T T.87 C.2.2)")
    if not isinstance(interleave, str):
        raise TypeError(f"interleave must be a string, not {type(interleave).__name__}")
    if interleave not in _INTERLEAVE_MODES:
        raise ValueError(f"interleave must be 'none', 'line' or 'sample', not {interleave!r}")
    return core.jpegls_encode(
        image,
        *dimensions,
        _uint32("near", near),
        _INTERLEAVE_MODES[interleave],
        None if precision is None else _uint32("precision", precision),
    )


def rle_encode(arr: npt.ArrayLike) -> bytes:
    """Encode one frame as RLE Lossless.

    Parameters
    ----------
    arr : array-like
        Integer samples of shape (rows, columns[, samples]) and 1, 2, 4 or 8 bytes each: at most 15 bytes per pixel,
        planar configuration 0. For Bits Allocated 1: uint8, 0 and 1 (PS3.5 G.2).

    Returns
    -------
    bytes
        RLE Header and segments, of even length. No run crosses the end of a row.

    Raises
    ------
    ValueError
        If the shape or the dtype is out of range.

    Notes
    -----
    PS3.5 Annex G.

    Examples
    --------
    >>> image = np.array([[258, 258], [258, 773]], np.uint16)
    >>> frame = dicoxide.rle_encode(image)
    >>> dicoxide.rle_decode(frame, rows=2, columns=2)
    array([[258, 258],
           [258, 773]], dtype=uint16)
    """
    image, dimensions = _image_and_dimensions(arr)
    if image.dtype.kind not in "iu":
        raise ValueError(f"array has dtype {image.dtype}, integers expected (PS3.5 Annex G.2)")
    return core.rle_encode(image, *dimensions)


def _image_and_dimensions(arr: npt.ArrayLike) -> tuple[Array, tuple[int, int, int]]:
    """Return `arr` as a C-contiguous array in native byte order, and (rows, columns, samples per pixel)."""
    image = np.asarray(arr)
    if image.ndim not in (2, 3):
        raise ValueError(f"array has shape {image.shape}, (rows, columns[, samples]) expected")
    if not image.dtype.isnative:
        image = image.astype(image.dtype.newbyteorder("="))
    rows, columns, *samples = image.shape
    if max(image.shape) > _MAX_UINT32:
        raise ValueError(f"array has shape {image.shape}, at most {_MAX_UINT32} per axis expected")
    return np.require(image, requirements=["C", "A"]), (rows, columns, samples[0] if samples else 1)


def _uint32(name: str, value: int) -> int:
    number = operator.index(value)
    if not 0 <= number <= _MAX_UINT32:
        raise ValueError(f"{name} must be 0 to {_MAX_UINT32}, not {number}")
    return number
