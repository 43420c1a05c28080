"""Encoder plugin for ``pydicom.pixels.encoders``.

pydicom uses three names of a plugin module: ``ENCODER_DEPENDENCIES``, ``is_available`` and an encode function. RLE
Lossless is the only transfer syntax that both pydicom and dicoxide encode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import UID

from dicoxide._encode import rle_encode
from dicoxide._transfer_syntaxes import RLE_LOSSLESS

if TYPE_CHECKING:
    from pydicom.pixels.encoders.base import EncodeRunner

__all__ = ["ENCODER_DEPENDENCIES", "encode_frame", "is_available"]

ENCODER_DEPENDENCIES: dict[UID, tuple[str, ...]] = {UID(RLE_LOSSLESS): ("dicoxide",)}


def is_available(uid: str) -> bool:
    """Return True if the plugin encodes frames for the transfer syntax `uid`.

    Parameters
    ----------
    uid : str
        A transfer syntax UID.

    Returns
    -------
    bool
        True for RLE Lossless.
    """
    return uid in ENCODER_DEPENDENCIES


def encode_frame(src: bytes, runner: EncodeRunner) -> bytes:
    """Encode one frame for pydicom.

    Parameters
    ----------
    src : bytes
        Samples of the frame. Each has ``ceil(Bits Stored / 8)`` bytes, little-endian unless option ``byteorder`` is
        ``">"``. The planar configuration is that of the data set, or 0 if an array is encoded.
    runner : pydicom.pixels.encoders.base.EncodeRunner
        Options of the call: the Image Pixel attributes.

    Returns
    -------
    bytes
        RLE Header and segments. There is one segment for each byte of Bits Allocated, although `src` may have fewer
        bytes per sample, because the frame must match the data set.

    Raises
    ------
    ValueError
        If Bits Allocated is not a multiple of 8, or a pixel has more than 15 bytes.

    Notes
    -----
    PS3.5 Annex G and 8.2.2.
    """
    rows, columns, samples_per_pixel = runner.rows, runner.columns, runner.samples_per_pixel
    if runner.bits_allocated % 8:
        raise ValueError(f"Bits Allocated is {runner.bits_allocated}, a multiple of 8 expected (PS3.5 8.2.2)")
    sign = "i" if runner.pixel_representation == 1 else "u"
    # pydicom passes the samples of an array little-endian and interleaved, whatever the options declare.
    order = "<" if runner.is_array else runner.get_option("byteorder", "<")
    is_planar = samples_per_pixel > 1 and not runner.is_array and runner.planar_configuration == 1
    sample_bytes = len(src) // (rows * columns * samples_per_pixel)
    samples = np.frombuffer(src, f"{order}{sign}{sample_bytes}", rows * columns * samples_per_pixel)
    if is_planar:
        image = samples.reshape(samples_per_pixel, rows, columns).transpose(1, 2, 0)
    else:
        image = samples.reshape(rows, columns, samples_per_pixel)
    return rle_encode(image.astype(f"={sign}{runner.bits_allocated // 8}", copy=False))
