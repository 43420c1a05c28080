"""Pixel Padding and Presentation LUT Shape of gray images (PS3.3 C.7.5.1.1.2, C.11.6.1.2)."""

from __future__ import annotations

from typing import Any

from dicoxide._deviations import Deviation

__all__ = ["drop_unusable", "is_low_white", "padding_range"]

# Presentation LUT Shapes of images.
_SHAPES = ("IDENTITY", "INVERSE")
_PADDING_NAMES = {"PixelPaddingValue": "Pixel Padding Value", "PixelPaddingRangeLimit": "Pixel Padding Range Limit"}


def padding_range(first: Any, last: Any, *, bits: int, is_signed: bool) -> tuple[int, int] | None:
    """Return the first and last stored value of Pixel Padding Value and Range Limit, or None if there is none.

    Values of up to 16 bits are compared modulo Bits Stored, because their VR is often wrong (PS3.3 C.7.5.1.1.2).
    """
    if not isinstance(first, int):
        return None

    def as_stored(value: int) -> int:
        if bits > 16:
            return value - (1 << 16) if is_signed and value >= 1 << 15 else value
        value &= (1 << bits) - 1
        return value - (1 << bits) if is_signed and value >> bits - 1 else value

    ends = [as_stored(value) for value in (first, last if isinstance(last, int) else first)]
    return min(ends), max(ends)


def is_low_white(shape: Any, photometric: str | None) -> bool:
    """Return True if the smallest value is white, by Presentation LUT Shape, else by Photometric Interpretation."""
    return shape == "INVERSE" if shape in _SHAPES else photometric == "MONOCHROME1"


def drop_unusable(values: dict[str, Any]) -> list[Deviation]:
    """Remove attributes whose values have no meaning, and return a deviation for each."""
    deviations = []
    shape = values.get("PresentationLUTShape")
    if shape and shape not in _SHAPES:
        text = f"Presentation LUT Shape {str(shape)[:32]!r} found, IDENTITY or INVERSE expected: not used"
        deviations.append(Deviation(None, text, "PS3.3 C.11.6.1.2", None))
        del values["PresentationLUTShape"]
    for keyword, name in _PADDING_NAMES.items():
        value = values.get(keyword)
        if value is not None and not isinstance(value, int):
            text = f"{name} is {str(value)[:32]}, one integer expected: not used"
            deviations.append(Deviation(None, text, "PS3.3 C.7.5.1.1.2", None))
            del values[keyword]
    return deviations
