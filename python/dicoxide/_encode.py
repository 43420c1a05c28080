"""Arrays → the bytes of one frame."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dicoxide._backend import core

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"

__all__ = ["jpeg_lossless_encode", "rle_encode"]

# What the core can hold; which numbers mean something is its business.
_MOST = (1 << 32) - 1


def jpeg_lossless_encode(
    arr: npt.ArrayLike,
    selection_value: int = 1,
    point_transform: int = 0,
    restart_interval: int = 0,
    precision: int | None = None,
) -> bytes:
    """Encode one frame as a JPEG Lossless codestream: process 14, Huffman tables made for the image.

    Parameters
    ----------
    arr : array-like
        (rows, columns[, samples]) of uint8, int8, uint16 or int16, planar configuration 0, 1 to 4 samples per pixel,
        at most 65535 rows and columns. No colour is converted.
    selection_value : int
        The predictor, 1 to 7. 1 is what transfer syntax JPEG Lossless SV1 (1.2.840.10008.1.2.4.70) has.
    point_transform : int
        How many low bits of each sample are dropped, 0 to ``precision - 1``. Only 0 is lossless.
    restart_interval : int
        Pixels between restart markers: a multiple of the columns, at most 65535; 0 for none.
    precision : int, optional
        Bits of a sample, 2 to 16: usually Bits Stored. 8 or 16 by default, as the array has them. Signed samples are
        written as two's complement of so many bits, as Pixel Representation 1 has them.

    Returns
    -------
    bytes
        From SOI to EOI, not padded to an even length.

    Raises
    ------
    ValueError
        If shape, type or a parameter is none of these, or if a value needs more bits than `precision`.
    TypeError
        If a parameter is not an integer.
    UnsupportedError
        Without the compiled extension.

    References
    ----------
    ITU-T T.81 Annex H and K.2; PS3.5 8.2.1 and A.4.1.
    """
    image, shape = _image(arr)
    if image.dtype.kind not in "iu" or image.dtype.itemsize > 2:
        raise ValueError(f"samples of {image.dtype} found, integers of 8 or 16 bits expected (ITU-T T.81 Table B.2)")
    return core.jpeg_lossless_encode(
        image,
        *shape,
        _number("selection_value", selection_value),
        _number("point_transform", point_transform),
        _number("restart_interval", restart_interval),
        None if precision is None else _number("precision", precision),
    )


def rle_encode(arr: npt.ArrayLike) -> bytes:
    """Encode one frame as RLE Lossless.

    Parameters
    ----------
    arr : array-like
        (rows, columns[, samples]) of integers of 1, 2, 4 or 8 bytes, planar configuration 0; at most 15 bytes a pixel.

    Returns
    -------
    bytes
        RLE Header and segments, of even length. No run crosses the end of a row.

    Raises
    ------
    ValueError
        If shape or type is none of these.

    References
    ----------
    PS3.5 Annex G.
    """
    image, shape = _image(arr)
    if image.dtype.kind not in "iu":
        raise ValueError(f"samples of {image.dtype} found, integers expected (PS3.5 Annex G.2)")
    return core.rle_encode(image, *shape)


def _image(arr: npt.ArrayLike) -> tuple[Array, tuple[int, int, int]]:
    """The array as the core reads it, and rows, columns and samples per pixel."""
    image = np.asarray(arr)
    if image.ndim not in (2, 3):
        raise ValueError(f"an array of shape {image.shape} found, (rows, columns[, samples]) expected")
    if not image.dtype.isnative:
        image = image.astype(image.dtype.newbyteorder("="))
    rows, columns, *samples = image.shape
    if max(image.shape) > _MOST:
        raise ValueError(f"an array of shape {image.shape} found, an image has fewer rows, columns and samples")
    return np.require(image, requirements=["C", "A"]), (rows, columns, samples[0] if samples else 1)


def _number(name: str, value: int) -> int:
    number = operator.index(value)
    if not 0 <= number <= _MOST:
        raise ValueError(f"{name.replace('_', ' ')} {number} found, 0 or more expected")
    return number
