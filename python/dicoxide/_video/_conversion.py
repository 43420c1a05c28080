"""Conversion of FFmpeg's frames to the samples of the data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide._deviations import Deviation
from dicoxide._frame import FrameSpec
from dicoxide._transfer_syntaxes import MPEG4_STEREO, VIDEO_CODECS
from dicoxide.errors import CorruptFrameError, LimitError, UnsupportedError

_CLAUSE = "PS3.5 8.2"
_COLOUR_SAMPLES = 3
# FFmpeg's planar RGB formats with 16-bit words; the planes are green, blue, red.
_DEEP_RGB = {9: "gbrp9le", 10: "gbrp10le", 12: "gbrp12le", 14: "gbrp14le", 16: "gbrp16le"}


def check_attributes(spec: FrameSpec) -> None:
    """Raise if no video has these attributes."""
    problems = []
    if spec.samples_per_pixel not in (1, _COLOUR_SAMPLES):
        problems.append(f"samples per pixel {spec.samples_per_pixel} found, 1 or 3 expected")
    if not (0 < spec.rows <= 0xFFFF and 0 < spec.columns <= 0xFFFF):
        problems.append(f"{spec.rows} rows and {spec.columns} columns found, 1 to 65535 expected")
    if spec.bits_allocated not in (8, 16):
        problems.append(f"bits allocated {spec.bits_allocated} found, 8 or 16 expected")
    if spec.pixel_representation != 0:
        problems.append(f"pixel representation {spec.pixel_representation} found, 0 expected")
    if spec.is_float:
        problems.append(f"{spec.pixel_keyword} found, PixelData expected")
    if problems:
        raise _error(f"{', '.join(problems)} of video", spec)


def check_format(pixel_format: Any, codec: str, spec: FrameSpec) -> list[Deviation]:
    """Compare what the stream declares with the data set; return the deviations.

    Raises
    ------
    CorruptFrameError
        If the number of samples per pixel differs.
    """
    deviations = []
    expected = VIDEO_CODECS[spec.transfer_syntax]
    if codec != expected:
        deviations.append(Deviation(None, f"{codec} video found, {expected} expected", _CLAUSE, None))
    if spec.transfer_syntax in MPEG4_STEREO:
        deviations.append(Deviation(None, "stereo video: only the base view is decoded", "PS3.5 8.2.9", None))
    if pixel_format is None:
        return deviations
    _check_samples(pixel_format, spec)
    bits = pixel_format.components[0].bits
    stored = spec.bits_allocated if spec.bits_stored is None else spec.bits_stored
    if bits > stored:
        note = ", rounded to 8" if spec.bits_allocated == 8 else ""
        text = f"video has {bits} bits per sample, bits stored is {stored}{note}"
        deviations.append(Deviation(None, text, _CLAUSE, None))
    return deviations


class FrameConverter:
    """Converts frames to RGB, or takes their luma samples as grey ones.

    swscale applies the matrix and the range that the frame declares.

    Samples have 8 bits, or those of the stream if Bits Allocated is 16.
    """

    def __init__(self, spec: FrameSpec) -> None:
        from av.video.reformatter import VideoReformatter

        self._spec = spec
        self._reformatter = VideoReformatter()

    def convert(self, frame: Any) -> Array:
        """Return the samples of a frame, (rows, columns[, samples]), uint8 or uint16.

        The array is read-only if it is a view of the memory of `frame`, to which the decoder may refer later.
        """
        spec, pixel_format = self._spec, frame.format
        _check_samples(pixel_format, spec)
        bits = pixel_format.components[0].bits
        if spec.samples_per_pixel == 1:
            return self._grey(frame, bits)
        if bits <= 8 or spec.bits_allocated == 8:
            converted = self._reformat(frame, "rgb24")
            return _plane(converted.planes[0], 8)[:, : spec.columns * _COLOUR_SAMPLES].reshape(spec.shape)
        name = _DEEP_RGB.get(bits)
        if name is None:
            raise _depth_error(bits, spec)
        converted = self._reformat(frame, name)
        green, blue, red = (_plane(plane, bits)[:, : spec.columns] for plane in converted.planes)
        return np.stack([red, green, blue], axis=-1)

    def _reformat(self, frame: Any, pixel_format: str) -> Any:
        try:
            # One thread, because swscale's own threads do not exist in a forked child.
            return self._reformatter.reformat(frame, format=pixel_format, threads=1)
        except MemoryError as error:
            raise LimitError("not enough memory for FFmpeg", kind="LimitExceeded") from error
        except Exception as error:
            # For example a matrix that swscale does not know.
            text = f"FFmpeg cannot convert {frame.format.name} with matrix {int(frame.colorspace)} to {pixel_format}"
            text = f"{text}: {getattr(error, 'strerror', None) or ' '.join(str(error).split())}"
            raise UnsupportedError(text, transfer_syntax=self._spec.transfer_syntax) from error

    def _grey(self, frame: Any, bits: int) -> Array:
        """Return the luma samples as they are.

        FFmpeg returns monochrome H.264 with colour differences of 0, which are at the middle of the range.
        """
        spec = self._spec
        if bits > spec.bits_allocated:
            raise _depth_error(bits, spec)
        luma, *chroma = (_plane(plane, bits)[:, : plane.width] for plane in frame.planes)
        if any((plane != 1 << bits - 1).any() for plane in chroma):
            raise _error(f"video has {_COLOUR_SAMPLES} samples per pixel, 1 expected", spec)
        luma.flags.writeable = False
        return luma


def _check_samples(pixel_format: Any, spec: FrameSpec) -> None:
    """Raise if a pixel format cannot hold the samples of the data set."""
    samples = len(pixel_format.components)
    # Colour differences of 0 make one sample per pixel too; only the frames show whether they are.
    is_luma = spec.samples_per_pixel == 1 and pixel_format.is_planar and not pixel_format.is_rgb
    if samples != spec.samples_per_pixel and not is_luma:
        raise _error(f"video has {samples} samples per pixel, {spec.samples_per_pixel} expected", spec)


def _plane(plane: Any, bits: int) -> Array:
    """Return the rows of a plane with their padding, without a copy."""
    dtype = np.dtype("u1" if bits <= 8 else "<u2")
    samples = np.frombuffer(plane, dtype)
    return samples[: plane.height * plane.line_size // dtype.itemsize].reshape(plane.height, -1)


def _depth_error(bits: int, spec: FrameSpec) -> UnsupportedError:
    text = f"video of {bits} bits per sample, bits allocated is {spec.bits_allocated}"
    return UnsupportedError(text, transfer_syntax=spec.transfer_syntax)


def _error(text: str, spec: FrameSpec) -> CorruptFrameError:
    return CorruptFrameError(
        f"{text} ({_CLAUSE})", kind="Mismatch", clause=_CLAUSE, transfer_syntax=spec.transfer_syntax
    )
