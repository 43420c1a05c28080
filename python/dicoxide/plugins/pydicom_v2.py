"""The handler of pydicom's older interface, ``pydicom.config.pixel_data_handlers``.

A handler is asked by seven names and sees whole data sets, so native transfer syntaxes are taken too, and the frames
of one data set are decoded on all cores into one array.

Examples
--------
>>> import dicoxide, pydicom
>>> pydicom.config.pixel_data_handlers.insert(0, dicoxide.pydicom_handler)
>>> ds.pixel_array_options(use_v2_backend=True)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dicoxide._backend import core
from dicoxide._image import Image
from dicoxide._sources.open import open_source
from dicoxide.errors import CorruptFrameError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "DEPENDENCIES",
    "HANDLER_NAME",
    "get_pixeldata",
    "is_available",
    "needs_to_convert_to_RGB",
    "should_change_PhotometricInterpretation_to_RGB",
    "supports_transfer_syntax",
]

HANDLER_NAME = "dicoxide"

# Package: where to get it, and its name.
DEPENDENCIES = {"numpy": ("https://numpy.org/", "NumPy")}

_SUPPORTED = frozenset(uid for uid, _, codec in core.transfer_syntaxes() if codec is not None)

# What pydicom takes these to be, whatever the data set says; elsewhere it goes by Planar Configuration (0028,0006).
_PLANAR_CONFIGURATION = {
    "1.2.840.10008.1.2.4.50": 0,
    "1.2.840.10008.1.2.4.57": 0,
    "1.2.840.10008.1.2.4.70": 0,
    "1.2.840.10008.1.2.4.80": 0,
    "1.2.840.10008.1.2.4.81": 0,
    "1.2.840.10008.1.2.4.90": 0,
    "1.2.840.10008.1.2.4.91": 0,
    "1.2.840.10008.1.2.5": 1,
}


def is_available() -> bool:
    """Whether the handler can be used: always."""
    return True


def supports_transfer_syntax(transfer_syntax: str) -> bool:
    """Whether data sets of `transfer_syntax` are decoded here.

    Parameters
    ----------
    transfer_syntax : str
        A transfer syntax UID.

    Returns
    -------
    bool
        True for every transfer syntax with a codec, native ones among them.
    """
    # A broken header has several of them, as a list.
    return str(transfer_syntax) in _SUPPORTED


def needs_to_convert_to_RGB(ds: Dataset) -> bool:  # noqa: N802
    """Whether pydicom shall convert the result from YBR_FULL to RGB: never, as its own handlers have it."""
    return False


def should_change_PhotometricInterpretation_to_RGB(ds: Dataset) -> bool:  # noqa: N802
    """Whether the data set shall say RGB from now on: never, it is not changed."""
    return False


def get_pixeldata(ds: Dataset) -> npt.NDArray[Any]:
    """Decode all frames of a data set.

    Parameters
    ----------
    ds : pydicom.dataset.Dataset
        With its file meta information. It is not changed.

    Returns
    -------
    ndarray
        One axis, exactly Number of Frames frames, native byte order. Values are masked to Bits Stored and
        sign-extended, ``YBR_FULL_422`` is at full resolution, no colour is converted. Samples lie as pydicom expects
        them of the transfer syntax: in planes (planar configuration 1) for RLE Lossless, and as Planar
        Configuration says for native data.

    Raises
    ------
    DecodeError
        If the pixel data cannot be decoded.

    References
    ----------
    PS3.3 C.7.6.3.1, PS3.5 Section 8 and Annex G.
    """
    source = open_source(ds)
    number_of_frames = source.number_of_frames or 1
    # pydicom asks its other handlers itself.
    pixels = Image(source, fallback=False).decode(slice(0, number_of_frames), raw=True)
    if len(pixels) != number_of_frames:
        raise CorruptFrameError(
            f"{len(pixels)} frames found, {number_of_frames} expected",
            clause="PS3.3 C.7.6.6",
            transfer_syntax=source.spec.transfer_syntax,
        )
    if pixels.ndim == 4 and _is_planar(ds):
        _to_planes(pixels)
    return pixels.reshape(-1)


def _is_planar(ds: Dataset) -> bool:
    uid = ds.file_meta.TransferSyntaxUID
    return bool(_PLANAR_CONFIGURATION.get(uid, ds.get("PlanarConfiguration")) == 1)


def _to_planes(pixels: npt.NDArray[Any]) -> None:
    """(frames, rows, columns, samples) to planes within each frame's own memory: one frame of scratch, not all."""
    for frame in pixels:
        planes = np.moveaxis(frame, -1, 0).copy()
        frame.reshape(-1)[:] = planes.reshape(-1)
