"""`FrameSpec`: the Image Pixel attributes that describe a frame."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np

from dicoxide._deviations import Deviation
from dicoxide._transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, NATIVE
from dicoxide.errors import CorruptFrameError, UnsupportedError

# Keywords of the attributes that decoding depends on (PS3.3 C.7.6.3 and C.7.6.6).
IMAGE_PIXEL = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)

_NUMERIC_FIELDS = (
    "rows",
    "columns",
    "samples_per_pixel",
    "bits_allocated",
    "bits_stored",
    "high_bit",
    "pixel_representation",
    "planar_configuration",
)
_INTEGER_BITS = (8, 16, 32, 64)
_FLOAT_BITS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}


# A tuple, because one is made for every object that is decoded, and because importing `dataclasses` takes long.
# The core reads its fields by position: keep their order equal to `FrameArgs` in rust/py/src/frame_args.rs.
class FrameSpec(NamedTuple):
    """The Image Pixel attributes that decoding depends on (PS3.3 C.7.6.3).

    Parameters
    ----------
    transfer_syntax : str
        UID of the transfer syntax.
    rows, columns : int
        Rows (0028,0010) and Columns (0028,0011), in pixels.
    samples_per_pixel : int
        Samples per Pixel (0028,0002).
    bits_allocated : int
        Bits Allocated (0028,0100): 1, 8, 16, 32 or 64.
    bits_stored : int, optional
        Bits Stored (0028,0101). Defaults to `bits_allocated`.
    high_bit : int, optional
        High Bit (0028,0102). Defaults to ``bits_stored - 1``.
    pixel_representation : int
        Pixel Representation (0028,0103): 0 unsigned, 1 two's complement.
    planar_configuration : int
        Planar Configuration (0028,0006): 0 or 1. Used for native samples only.
    photometric_interpretation : str
        Photometric Interpretation (0028,0004).
    pixel_keyword : str
        Element with the samples: ``"PixelData"``, ``"FloatPixelData"`` or ``"DoubleFloatPixelData"``.
    """

    transfer_syntax: str
    rows: int
    columns: int
    samples_per_pixel: int = 1
    bits_allocated: int = 16
    bits_stored: int | None = None
    high_bit: int | None = None
    pixel_representation: int = 0
    planar_configuration: int = 0
    photometric_interpretation: str = "MONOCHROME2"
    pixel_keyword: str = "PixelData"

    @property
    def is_float(self) -> bool:
        """True if the samples are floating-point numbers."""
        return self.pixel_keyword in _FLOAT_BITS

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one decoded frame: (rows, columns) or (rows, columns, samples)."""
        if self.samples_per_pixel == 1:
            return (self.rows, self.columns)
        return (self.rows, self.columns, self.samples_per_pixel)

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype of the stored values, in native byte order; uint8 if Bits Allocated is 1."""
        if self.is_float:
            return np.dtype(f"f{_FLOAT_BITS[self.pixel_keyword] // 8}")
        if self.bits_allocated == 1:
            return np.dtype(np.uint8)
        if self.bits_allocated in _INTEGER_BITS:
            return np.dtype(f"{'i' if self.pixel_representation == 1 else 'u'}{self.bits_allocated // 8}")
        clause = "PS3.5 8.1.1"
        if self.bits_allocated <= 0 or self.bits_allocated % 8:
            raise CorruptFrameError(
                f"bits allocated {self.bits_allocated} found, 1 or a multiple of 8 expected ({clause})",
                clause=clause,
                transfer_syntax=self.transfer_syntax,
            )
        raise UnsupportedError(
            f"bits allocated {self.bits_allocated} has no array type ({clause})",
            kind="Unsupported",
            clause=clause,
            transfer_syntax=self.transfer_syntax,
        )

    def deviations(self) -> list[Deviation]:
        """Return the deviations of the attributes."""
        if self.bits_allocated <= 16 and not self.planar_configuration and self.high_bit == (self.bits_stored or 0) - 1:
            return []
        deviations: list[Deviation] = []
        if self.high_bit is not None and self.bits_stored is not None and self.high_bit != self.bits_stored - 1:
            text = (
                f"high bit {self.high_bit} found, {self.bits_stored - 1} expected with bits stored {self.bits_stored}"
            )
            deviations.append(Deviation(None, text, "PS3.5 8.1.1", None))
        if self.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN and self.bits_allocated > 16 and not self.is_float:
            # Only the bytes of each 16-bit word of an OW value are swapped, so the least significant word comes first
            # (DCMTK, GDCM). Other software, including pydicom, writes and reads each sample as one big-endian number.
            text = (
                f"samples of {self.bits_allocated} bits read as big-endian numbers, "
                "some software writes their 16-bit words least significant first"
            )
            deviations.append(Deviation(None, text, "PS3.5 7.3", None))
        if self.transfer_syntax in NATIVE and self.is_422 and self.planar_configuration == 1:
            text = "planar configuration 1 found, 0 expected for YBR_FULL_422: samples read as pairs of pixels"
            deviations.append(Deviation(None, text, "PS3.3 C.7.6.3.1.3", None))
        return deviations

    @property
    def is_422(self) -> bool:
        """True if native samples have chrominance at half the horizontal resolution."""
        return self.samples_per_pixel == 3 and self.photometric_interpretation == "YBR_FULL_422"

    def checked(self) -> FrameSpec:
        """Return `self`, after a check that each number fits 32 bits. The core checks the ranges."""
        if self.pixel_keyword != "PixelData" and not self.is_float:
            raise ValueError(f"pixel_keyword is {self.pixel_keyword!r}, one of {('PixelData', *_FLOAT_BITS)} expected")
        for name in _NUMERIC_FIELDS:
            number = getattr(self, name)
            if number is not None and not 0 <= operator.index(number) < 1 << 32:
                raise CorruptFrameError(
                    f"{name.replace('_', ' ')} {number} found, an unsigned 32-bit number expected (PS3.3 C.7.6.3)",
                    clause="PS3.3 C.7.6.3",
                    transfer_syntax=self.transfer_syntax,
                )
        return self
