"""Encoder plugin for ``pydicom.pixels.encoders``.

pydicom uses three names of a plugin module: ``ENCODER_DEPENDENCIES``, ``is_available`` and an encode function. RLE
Lossless and JPEG-LS are the transfer syntaxes that both pydicom and dicoxide encode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.uid import UID

from dicoxide._backend import backend
from dicoxide._encode import jpegls_encode, rle_encode
from dicoxide._transfer_syntaxes import JPEG_LS_LOSSLESS, JPEG_LS_NEAR_LOSSLESS, RLE_LOSSLESS

if TYPE_CHECKING:
    from pydicom.pixels.encoders.base import EncodeRunner

__all__ = ["ENCODER_DEPENDENCIES", "encode_frame", "is_available"]

_JPEG_LS = (JPEG_LS_LOSSLESS, JPEG_LS_NEAR_LOSSLESS)
# The NumPy backend encodes RLE Lossless only.
_SYNTAXES = (RLE_LOSSLESS, *_JPEG_LS) if backend == "rust" else (RLE_LOSSLESS,)
ENCODER_DEPENDENCIES: dict[UID, tuple[str, ...]] = {UID(syntax): ("dicoxide",) for syntax in _SYNTAXES}


def is_available(uid: str) -> bool:
    """Return True if the plugin encodes frames for the transfer syntax `uid`.

    Parameters
    ----------
    uid : str
        A transfer syntax UID.

    Returns
    -------
    bool
        True for RLE Lossless, and with the compiled extension for JPEG-LS Lossless and Near-lossless.
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
        Options of the call: the Image Pixel attributes. For JPEG-LS also ``jls_error``, the greatest error of a sample
        of JPEG-LS Near-lossless, by default 0; and ``jls_interleave``, as `interleave` of
        :func:`~dicoxide.jpegls_encode`, by default ``"none"`` for Planar Configuration 1 and ``"sample"`` otherwise.

    Returns
    -------
    bytes
        RLE Header and segments, or a JPEG-LS codestream. There is one segment for each byte of Bits Allocated, although
        `src` may have fewer bytes per sample, because the frame must match the data set. The precision of the
        codestream is Bits Stored; bits above it are not encoded.

    Raises
    ------
    ValueError
        If Bits Allocated is not a multiple of 8, a pixel has more than 15 bytes (RLE Lossless), an option of JPEG-LS is
        out of range or does not match the transfer syntax, or ``jls_error`` could change the sign of a sample.

    Notes
    -----
    PS3.5 Annex G, 8.2.2 and 8.2.3.
    """
    if runner.transfer_syntax in _JPEG_LS:
        return _encode_jpegls(src, runner)
    if runner.bits_allocated % 8:
        raise ValueError(f"Bits Allocated is {runner.bits_allocated}, a multiple of 8 expected (PS3.5 8.2.2)")
    sign = "i" if runner.pixel_representation == 1 else "u"
    # pydicom passes arrays interleaved, whatever the options declare.
    image = _samples(src, runner, sign, is_planar=not runner.is_array and _is_planar(runner))
    return rle_encode(image.astype(f"={sign}{runner.bits_allocated // 8}", copy=False))


def _encode_jpegls(src: bytes, runner: EncodeRunner) -> bytes:
    near = runner.get_option("jls_error", 0)
    if near and runner.transfer_syntax == JPEG_LS_LOSSLESS:
        raise ValueError(f"jls_error is {near}, 0 expected for JPEG-LS Lossless (PS3.5 A.4.3)")
    is_planar = _is_planar(runner)
    # pydicom passes arrays of three samples per pixel in the planar configuration that the options declare.
    image = _samples(src, runner, "u", is_planar=is_planar and not (runner.is_array and runner.samples_per_pixel != 3))
    image = image & ((1 << runner.bits_stored) - 1)
    if runner.pixel_representation == 1 and near:
        # The codestream has no sign. `jpegls_encode` refuses signed values whose sign the error could change.
        unused_bits = 8 * image.itemsize - runner.bits_stored
        image = (image << unused_bits).view(f"i{image.itemsize}") >> unused_bits
    interleave = runner.get_option("jls_interleave", "none" if is_planar else "sample")
    # JPEG-LS has at least 2 bits per sample.
    return jpegls_encode(image, near, interleave, max(runner.bits_stored, 2))


def _is_planar(runner: EncodeRunner) -> bool:
    return runner.samples_per_pixel > 1 and runner.planar_configuration == 1


def _samples(src: bytes, runner: EncodeRunner, sign: str, *, is_planar: bool) -> np.ndarray[Any, Any]:
    """Return the samples of a frame, of shape (rows, columns, samples) and the bytes per sample that `src` has."""
    rows, columns, samples_per_pixel = runner.rows, runner.columns, runner.samples_per_pixel
    count = rows * columns * samples_per_pixel
    # pydicom passes the samples of an array little-endian, whatever the options declare.
    order = "<" if runner.is_array else runner.get_option("byteorder", "<")
    samples = np.frombuffer(src, f"{order}{sign}{len(src) // count}", count)
    if is_planar:
        return samples.reshape(samples_per_pixel, rows, columns).transpose(1, 2, 0)
    return samples.reshape(rows, columns, samples_per_pixel)
