"""One small adapter a peer: how it decodes one JPEG Lossless frame, from the codestream or from a file."""

from __future__ import annotations

import functools
import importlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import JPEGLosslessSV1

import dicoxide
from corpus_jpeg import JpegLosslessFrame

Array = npt.NDArray[Any]
Call = Callable[[], Any]


@dataclass(frozen=True)
class JpegLosslessDecoder:
    """A decoder of single JPEG Lossless frames."""

    name: str
    module: str
    bind: Callable[[JpegLosslessFrame, Array], Call]
    """What decodes a frame, perhaps into a given warm array of its shape."""

    def missing(self) -> str | None:
        """Why it cannot be measured, if so."""
        try:
            importlib.import_module(self.module)
        except ImportError as error:
            return f"{self.name} is not installed: {error}"
        if self.module == "dicoxide" and dicoxide.capabilities()[JPEGLosslessSV1].decoder != "dicoxide":
            return f"the {dicoxide.backend} backend does not decode JPEG Lossless"
        return None

    def is_right(self, frame: JpegLosslessFrame, result: Any) -> bool:
        """Whether every value of a result is that of the reference."""
        # What the wrapper of gdcm hands out is text, with a surrogate for each byte that is none.
        values = result.encode("utf-8", "surrogateescape") if isinstance(result, str) else np.asarray(result).tobytes()
        return values == frame.reference.tobytes()

    def verdict(self, frame: JpegLosslessFrame) -> str | None:
        """What keeps a frame from being timed: a wrong answer has no speed."""
        try:
            result = self.bind(frame, np.zeros_like(frame.reference))()
        except Exception:
            return "error"
        return None if self.is_right(frame, result) else "wrong"


def _ours(frame: JpegLosslessFrame, out: Array) -> Call:
    src = frame.src
    return lambda: dicoxide.jpeg_lossless_decode(src, out=out)


def _turbo(frame: JpegLosslessFrame, out: Array) -> Call:
    from imagecodecs import jpeg8_decode

    src = frame.src
    return lambda: jpeg8_decode(src)


def _turbo_out(frame: JpegLosslessFrame, out: Array) -> Call:
    from imagecodecs import jpeg8_decode

    src = frame.src
    return lambda: jpeg8_decode(src, out=out)


def _ljpeg(frame: JpegLosslessFrame, out: Array) -> Call:
    from imagecodecs import ljpeg_decode

    src = frame.src
    return lambda: ljpeg_decode(src, out=out)


def _jpegsof3(frame: JpegLosslessFrame, out: Array) -> Call:
    from imagecodecs import jpegsof3_decode

    src = frame.src
    return lambda: jpegsof3_decode(src)


def _libjpeg(frame: JpegLosslessFrame, out: Array) -> Call:
    from libjpeg import decode

    src = frame.src
    return lambda: decode(src)


def _gdcm(frame: JpegLosslessFrame, out: Array) -> Call:
    import gdcm

    path = str(_path(frame))

    def decode() -> str:
        reader = gdcm.ImageReader()
        reader.SetFileName(path)
        if not reader.Read():
            raise ValueError("gdcm cannot read the file")
        return reader.GetImage().GetBuffer()

    return decode


def _dicomsdl(frame: JpegLosslessFrame, out: Array) -> Call:
    import dicomsdl

    path = str(_path(frame))

    def decode() -> Array:
        dicomsdl.open(path).copyFrameData(0, out)
        return out

    return decode


def _simpleitk(frame: JpegLosslessFrame, out: Array) -> Call:
    import SimpleITK

    path = str(_path(frame))
    return lambda: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))


def _ours_file(frame: JpegLosslessFrame, out: Array) -> Call:
    path = _path(frame)
    return lambda: dicoxide.decode(path, out=out, threads=1)


@functools.cache
def _path(frame: JpegLosslessFrame) -> Path:
    path = Path(_folder().name) / f"{len(list(Path(_folder().name).iterdir()))}.dcm"
    path.write_bytes(frame.file)
    return path


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    # Goes when the process ends.
    return tempfile.TemporaryDirectory()


OURS = JpegLosslessDecoder("dicoxide", "dicoxide", _ours)
TURBO = JpegLosslessDecoder("libjpeg-turbo", "imagecodecs", _turbo)
TURBO_OUT = JpegLosslessDecoder("libjpeg-turbo out=", "imagecodecs", _turbo_out)
LJPEG = JpegLosslessDecoder("liblj92", "imagecodecs", _ljpeg)
JPEGSOF3 = JpegLosslessDecoder("jpegsof3", "imagecodecs", _jpegsof3)
LIBJPEG = JpegLosslessDecoder("pylibjpeg-libjpeg", "libjpeg", _libjpeg)
CODECS = (OURS, TURBO, TURBO_OUT, LJPEG, JPEGSOF3, LIBJPEG)
"""From the bytes of a frame to an array."""

OURS_FILE = JpegLosslessDecoder("dicoxide", "dicoxide", _ours_file)
GDCM = JpegLosslessDecoder("gdcm", "gdcm", _gdcm)
DICOMSDL = JpegLosslessDecoder("dicomsdl", "dicomsdl", _dicomsdl)
SIMPLEITK = JpegLosslessDecoder("SimpleITK", "SimpleITK", _simpleitk)
FILES = (OURS_FILE, GDCM, DICOMSDL, SIMPLEITK)
"""From a file to an array. gdcm ends the process at some precisions below 8, of which there are none here."""
