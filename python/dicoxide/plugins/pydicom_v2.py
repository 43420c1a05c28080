"""Pixel data handler for ``pydicom.config.pixel_data_handlers``, the interface of pydicom 2 that pydicom 3 still has.

pydicom uses a handler through seven names. A handler gets whole data sets, so this one also takes native transfer
syntaxes, and it decodes all frames of a data set on all cores into one array.

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

from dicoxide import _transfer_syntaxes
from dicoxide._image import Image
from dicoxide._sources import open_source
from dicoxide.errors import CorruptFrameError, DecodeError
from dicoxide.plugins._supported import SUPPORTED

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

# Module name: URL and display name, as pydicom's own handlers declare them.
DEPENDENCIES = {"numpy": ("https://numpy.org/", "NumPy")}

# Planar configuration that pydicom assumes of a handler's result, by transfer syntax. For all others it reads Planar
# Configuration (0028,0006) of the data set.
_PLANAR_CONFIGURATION = {
    _transfer_syntaxes.JPEG_BASELINE: 0,
    _transfer_syntaxes.JPEG_LOSSLESS: 0,
    _transfer_syntaxes.JPEG_LOSSLESS_SV1: 0,
    _transfer_syntaxes.JPEG_LS_LOSSLESS: 0,
    _transfer_syntaxes.JPEG_LS_NEAR_LOSSLESS: 0,
    _transfer_syntaxes.JPEG_2000_LOSSLESS: 0,
    _transfer_syntaxes.JPEG_2000: 0,
    _transfer_syntaxes.RLE_LOSSLESS: 1,
}

# Elements without which pydicom's own handlers raise AttributeError.
_REQUIRED = ("BitsAllocated", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation")


def is_available() -> bool:
    """Return True: the handler can always be used."""
    return True


def supports_transfer_syntax(transfer_syntax: str) -> bool:
    """Return True if the handler decodes data sets of `transfer_syntax`.

    Parameters
    ----------
    transfer_syntax : str
        A transfer syntax UID.

    Returns
    -------
    bool
        True for every transfer syntax that the core has a codec for, including native ones, and for those of the JPEG
        family.
    """
    # The UID is a list if a corrupt header has several values.
    return str(transfer_syntax) in SUPPORTED


def needs_to_convert_to_RGB(ds: Dataset) -> bool:  # noqa: N802
    """Return False: pydicom does not convert the result from YBR_FULL to RGB, as with its own handlers."""
    return False


def should_change_PhotometricInterpretation_to_RGB(ds: Dataset) -> bool:  # noqa: N802
    """Return False: pydicom does not change Photometric Interpretation, because no colour is converted."""
    return False


def get_pixeldata(ds: Dataset) -> npt.NDArray[Any]:
    """Decode all frames of a data set.

    Parameters
    ----------
    ds : pydicom.dataset.Dataset
        Data set with file meta information. It is not changed.

    Returns
    -------
    ndarray
        Samples of exactly Number of Frames frames, one-dimensional, native byte order. Values are masked to Bits
        Stored and sign-extended, ``YBR_FULL_422`` is expanded to full resolution, no colour is converted. The
        planar configuration is the one that pydicom assumes for the transfer syntax: 1 for RLE Lossless, 0 for JPEG,
        Planar Configuration (0028,0006) for native data.

    Raises
    ------
    AttributeError
        If there are no pixel data, or an element is missing that pydicom's own handlers require. So
        ``hasattr(ds, "pixel_array")`` is False.
    DecodeError
        If the pixel data cannot be decoded. `UnsupportedError` of a lossy codestream leads pydicom to its next handler.

    Notes
    -----
    PS3.3 C.7.6.3.1, PS3.5 Section 8 and Annex G.
    """
    try:
        source = open_source(ds)
    except DecodeError as error:
        if _has_required_elements(ds):
            raise
        raise AttributeError(f"unable to convert the pixel data: {error}") from error
    number_of_frames = source.number_of_frames or 1
    # No fallback: pydicom tries its other handlers itself.
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


def _has_required_elements(ds: Dataset) -> bool:
    pixels = sum(keyword in ds for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    return pixels == 1 and all(keyword in ds for keyword in _REQUIRED)


def _is_planar(ds: Dataset) -> bool:
    uid = ds.file_meta.TransferSyntaxUID
    return bool(_PLANAR_CONFIGURATION.get(uid, ds.get("PlanarConfiguration")) == 1)


def _to_planes(pixels: npt.NDArray[Any]) -> None:
    """Reorder each frame from (rows, columns, samples) to (samples, rows, columns) in place, copying one at a time."""
    for frame in pixels:
        planes = np.moveaxis(frame, -1, 0).copy()
        frame.reshape(-1)[:] = planes.reshape(-1)
