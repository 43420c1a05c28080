"""The Image Pixel attributes of a frame, validated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import make_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicoxide._frame import FrameSpec

_MODULE_CLAUSE = "PS3.3 C.7.6.3"
_CELL_CLAUSE = "PS3.5 8.1.1"


@dataclass(frozen=True)
class FrameInfo:
    """Validated attributes, which all frames of an object have in common.

    Creating one raises if an attribute is out of range. In error messages, attributes have the core's names.
    """

    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    planar_configuration: int
    photometric_interpretation: str
    is_float: bool

    @classmethod
    def of_spec(cls, spec: FrameSpec) -> FrameInfo:
        """Fill in the defaults of `spec`, and validate its attributes."""
        float_bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(spec.pixel_keyword)
        bits_allocated = float_bits or spec.bits_allocated
        bits_stored = bits_allocated if float_bits or spec.bits_stored is None else spec.bits_stored
        return cls(
            rows=spec.rows,
            columns=spec.columns,
            samples_per_pixel=spec.samples_per_pixel,
            bits_allocated=bits_allocated,
            bits_stored=bits_stored,
            high_bit=max(0, bits_stored - 1) if float_bits or spec.high_bit is None else spec.high_bit,
            pixel_representation=spec.pixel_representation,
            planar_configuration=spec.planar_configuration,
            photometric_interpretation=spec.photometric_interpretation,
            is_float=float_bits is not None,
        )

    def __post_init__(self) -> None:
        errors = list(self._errors())
        if errors:
            # A fallback decoder is asked only if nothing but the array type is missing.
            kind, _, clause = next((error for error in errors if error[0] == "Malformed"), errors[0])
            raise make_error(kind, "; ".join(text for _, text, _ in errors), clause)

    def _errors(self) -> Iterator[tuple[str, str, str]]:
        """Yield kind, message and clause of each attribute that is out of range.

        A value that another one bounds is checked if that one is valid.
        """
        if not self.is_float and self.pixel_representation not in (0, 1):
            text = f"pixel representation {self.pixel_representation} found, 0 or 1 expected"
            yield "Malformed", text, _MODULE_CLAUSE
        if not (1 <= self.rows <= 65535 and 1 <= self.columns <= 65535):
            text = f"rows {self.rows} and columns {self.columns} found, 1 to 65535 expected"
            yield "Malformed", text, _MODULE_CLAUSE
        if not 1 <= self.samples_per_pixel <= 4:
            yield "Malformed", f"samples per pixel {self.samples_per_pixel} found, 1 to 4 expected", _MODULE_CLAUSE
        if self.planar_configuration not in (0, 1):
            text = f"planar configuration {self.planar_configuration} found, 0 or 1 expected"
            yield "Malformed", text, _MODULE_CLAUSE
        yield from self._bit_errors()

    def _bit_errors(self) -> Iterator[tuple[str, str, str]]:
        allocated, stored, high = self.bits_allocated, self.bits_stored, self.high_bit
        if allocated != 1 and (allocated <= 0 or allocated % 8):
            yield "Malformed", f"bits allocated {allocated} found, 1 or a multiple of 8 expected", _CELL_CLAUSE
            return
        if allocated not in ((32, 64) if self.is_float else (1, 8, 16, 32, 64)):
            yield "Unsupported", f"bits allocated {allocated} has no array type", _CELL_CLAUSE
        if not self.is_float:
            if not 1 <= stored <= allocated:
                text = f"bits stored {stored} found, 1 to bits allocated {allocated} expected"
                yield "Malformed", text, _CELL_CLAUSE
            elif not stored - 1 <= high < allocated:
                text = f"high bit {high} found, {stored - 1} to {allocated - 1} expected"
                yield "Malformed", f"{text} with bits stored {stored} of {allocated}", _CELL_CLAUSE
        if allocated == 1 and 2 <= self.samples_per_pixel <= 4:
            yield "Unsupported", "bits allocated 1 with more than one sample per pixel", _CELL_CLAUSE

    @property
    def pixels(self) -> int:
        """Pixels per frame."""
        return self.rows * self.columns

    @property
    def samples(self) -> int:
        """Decoded samples per frame."""
        return self.pixels * self.samples_per_pixel

    @property
    def is_bit_packed(self) -> bool:
        """True if native samples are single bits."""
        return self.bits_allocated == 1

    @property
    def sample_bytes(self) -> int:
        """Bytes per decoded sample; a packed bit becomes a byte."""
        return max(1, self.bits_allocated // 8)

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype of the decoded samples, in native byte order."""
        signed = self.pixel_representation == 1 and not self.is_bit_packed
        return np.dtype(f"{'f' if self.is_float else 'i' if signed else 'u'}{self.sample_bytes}")

    @property
    def is_ybr(self) -> bool:
        """True if the samples of a pixel are luminance and two chrominance values."""
        return self.samples_per_pixel == 3 and self.photometric_interpretation.strip("\0 ") in (
            "YBR_FULL",
            "YBR_FULL_422",
        )

    @property
    def is_native_422(self) -> bool:
        """True if native frames store chrominance at half the horizontal resolution."""
        return self.samples_per_pixel == 3 and self.photometric_interpretation.strip("\0 ") == "YBR_FULL_422"

    def check_subsampling(self, found_bytes: int, expected_bytes: int) -> None:
        """Raise if `found_bytes` may be the subsampled samples of YBR_PARTIAL, which are not decoded."""
        if found_bytes < expected_bytes <= found_bytes * 2 and self.is_ybr_partial:
            text = f"{found_bytes} bytes found: subsampled native YBR_PARTIAL samples are not decoded"
            raise make_error("Unsupported", text, "PS3.3 C.7.6.3.1.2")

    @property
    def is_ybr_partial(self) -> bool:
        """True if native samples are subsampled in a form that is not decoded."""
        return self.samples_per_pixel == 3 and self.photometric_interpretation.strip("\0 ") in (
            "YBR_PARTIAL_422",
            "YBR_PARTIAL_420",
        )

    @property
    def native_frame_bits(self) -> int:
        """Bits per native frame."""
        samples = self.pixels * 2 if self.is_native_422 else self.samples
        return samples * self.bits_allocated

    def align_stored_bits(self, cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the stored values in unsigned `cells` of Bits Allocated bits (PS3.5 8.1.1).

        The Bits Stored bits up to High Bit are shifted down to bit 0. The bits above are cleared, or filled with the
        sign. For example, with Bits Allocated 16, Bits Stored 12 and High Bit 11, 0xF123 becomes 0x0123, and with Pixel
        Representation 1, 0x0FFF becomes -1.
        """
        if not self.is_float and self.bits_stored < self.bits_allocated:
            unsigned = cells.dtype.type
            cells = cells >> unsigned(self.high_bit + 1 - self.bits_stored) & unsigned((1 << self.bits_stored) - 1)
            if self.pixel_representation == 1:
                # Sign extension in unsigned arithmetic: flip the sign bit, then subtract its weight.
                sign_bit = unsigned(1 << self.bits_stored - 1)
                cells = (cells ^ sign_bit) - sign_bit
        return cells.view(self.dtype)
