"""The encoder plugin: one frame for ``pydicom.pixels.encoders``.

pydicom asks a plugin module for three things: ``ENCODER_DEPENDENCIES``, ``is_available`` and an encode function. It
has no encoder for JPEG Lossless, so RLE Lossless is what there is to be offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import UID

from dicoxide._encode import rle_encode

if TYPE_CHECKING:
    from pydicom.pixels.encoders.base import EncodeRunner

__all__ = ["ENCODER_DEPENDENCIES", "encode_frame", "is_available"]

ENCODER_DEPENDENCIES: dict[UID, tuple[str, ...]] = {UID("1.2.840.10008.1.2.5"): ("dicoxide",)}


def is_available(uid: str) -> bool:
    """Whether frames are encoded here for the transfer syntax `uid`.

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
        The frame's samples in as few bytes each as Bits Stored needs, little-endian unless option ``byteorder`` is
        ``">"``; in planes where a buffer or data set with Planar Configuration 1 is encoded.
    runner : pydicom.pixels.encoders.base.EncodeRunner
        What the data set says of the frame.

    Returns
    -------
    bytes
        RLE Header and segments: one segment for each byte of Bits Allocated, whatever `src` has, as the data set that
        the frame goes to says so.

    Raises
    ------
    ValueError
        If Bits Allocated is 1, or a pixel has more than 15 bytes.

    References
    ----------
    PS3.5 Annex G and 8.2.2.
    """
    rows, columns, samples_per_pixel = runner.rows, runner.columns, runner.samples_per_pixel
    if runner.bits_allocated % 8:
        raise ValueError(f"Bits Allocated {runner.bits_allocated} found, whole bytes expected (PS3.5 8.2.2)")
    kind = "i" if runner.pixel_representation == 1 else "u"
    # What comes out of an array is little-endian and interleaved, whatever is said of the data set.
    order = "<" if runner.is_array else runner.get_option("byteorder", "<")
    in_planes = samples_per_pixel > 1 and not runner.is_array and runner.planar_configuration == 1
    sample_bytes = len(src) // (rows * columns * samples_per_pixel)
    samples = np.frombuffer(src, f"{order}{kind}{sample_bytes}", rows * columns * samples_per_pixel)
    if in_planes:
        image = samples.reshape(samples_per_pixel, rows, columns).transpose(1, 2, 0)
    else:
        image = samples.reshape(rows, columns, samples_per_pixel)
    return rle_encode(image.astype(f"={kind}{runner.bits_allocated // 8}", copy=False))
