"""One small adapter a peer: how it decodes one RLE frame, and what to call the reason why it is not here."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate

import dicoxide
import generated
from corpus import RleFrame

Array = npt.NDArray[Any]
Call = Callable[[], Any]


@dataclass(frozen=True)
class RleDecoder:
    """A decoder of single RLE frames."""

    name: str
    module: str
    bind: Callable[[RleFrame, Array], Call]
    """What decodes a frame, perhaps into a given warm array of its shape."""
    is_planar: bool = True
    """Whether colour comes as one sample plane after the other."""
    takes: Callable[[RleFrame], bool] = lambda frame: True

    def missing(self) -> str | None:
        """Why it cannot be measured, if so."""
        try:
            importlib.import_module(self.module)
        except ImportError as error:
            return f"{self.name} is not installed: {error}"
        return None

    def is_right(self, frame: RleFrame, result: Any) -> bool:
        """Whether every value of a result is that of the reference."""
        expected = frame.planes if self.is_planar else frame.reference
        values = np.frombuffer(result, expected.dtype) if not isinstance(result, np.ndarray) else result
        return values.nbytes == expected.nbytes and np.array_equal(
            values.reshape(-1).view(expected.dtype).reshape(expected.shape), expected
        )


def _ours(frame: RleFrame, out: Array) -> Call:
    src, rows, columns = frame.src, frame.rows, frame.columns
    samples, bits = frame.samples_per_pixel, frame.bits_allocated
    return lambda: dicoxide.rle_decode(src, rows, columns, samples, bits, out=out)


def _imagecodecs(frame: RleFrame, out: Array) -> Call:
    from imagecodecs import dicomrle_decode

    src, dtype = frame.src, frame.reference.dtype
    return lambda: dicomrle_decode(src, dtype)


def _imagecodecs_out(frame: RleFrame, out: Array) -> Call:
    from imagecodecs import dicomrle_decode

    src, dtype, flat = frame.src, frame.reference.dtype, out.reshape(-1).view(np.uint8)
    return lambda: dicomrle_decode(src, dtype, out=flat)


def _pylibjpeg_rle(frame: RleFrame, out: Array) -> Call:
    from rle.rle import decode_frame

    src, pixels, bits = frame.src, frame.rows * frame.columns, frame.bits_allocated
    return lambda: decode_frame(src, pixels, bits, "<")


def _dicomsdl(frame: RleFrame, out: Array) -> Call:
    import dicomsdl

    ds = generated.dataset(frame.reference[None], rle=True)
    ds.PixelData = encapsulate([frame.src])
    ds["PixelData"].VR = "OB"
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    opened = dicomsdl.open_memory(file.getvalue())

    def decode() -> Array:
        opened.copyFrameData(0, out)
        return out

    return decode


OURS = RleDecoder("dicoxide", "dicoxide", _ours, is_planar=False)
IMAGECODECS = RleDecoder("imagecodecs", "imagecodecs", _imagecodecs)
IMAGECODECS_OUT = RleDecoder("imagecodecs out=", "imagecodecs", _imagecodecs_out)
PYLIBJPEG_RLE = RleDecoder("pylibjpeg-rle", "rle.rle", _pylibjpeg_rle)
# It ends the process on other frames than these.
DICOMSDL = RleDecoder(
    "dicomsdl",
    "dicomsdl",
    _dicomsdl,
    is_planar=False,
    takes=lambda frame: frame.samples_per_pixel == 1 and frame.bits_allocated <= 16,
)
RLE_DECODERS = (OURS, IMAGECODECS, IMAGECODECS_OUT, PYLIBJPEG_RLE, DICOMSDL)
