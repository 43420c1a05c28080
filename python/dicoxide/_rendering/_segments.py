"""Colours of segments: Recommended Display CIELab Value (PS3.3 C.8.20.2, C.10.7.1.1), or a cycle of fixed colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._arguments import Array
from dicoxide._deviations import Deviation
from dicoxide._rendering._attribute_values import read_values
from dicoxide._rendering._options import DTYPES
from dicoxide._sources import Attributes

__all__ = ["Segmentation", "cielab_to_rgb", "cycle_color"]

# CIE XYZ of the white point D65, and the matrix from XYZ to linear sRGB (IEC 61966-2-1).
_WHITE_D65 = np.array([0.95047, 1.0, 1.08883])
_XYZ_TO_SRGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)
_GOLDEN_RATIO = 0.6180339887498949
_MAX_NUMBER = 0xFFFF


class Segmentation:
    """The segments of a Segmentation object.

    Parameters
    ----------
    kind : str
        Segmentation Type (0062,0001): ``BINARY``, ``FRACTIONAL`` or ``LABELMAP``.
    attributes : Attributes
        The data set.
    shared : Attributes, optional
        Shared functional groups.
    per_frame : sequence of Attributes
        Functional groups of each frame.
    bits : int
        Bits Stored, which limits the labels of a label map.

    Attributes
    ----------
    deviations : list of Deviation
        Corrupt attributes of the segments.
    """

    def __init__(
        self,
        kind: str,
        attributes: Attributes,
        shared: Attributes | None,
        per_frame: Sequence[Attributes],
        *,
        bits: int,
    ) -> None:
        self.kind = kind
        self._label_count = 1 << min(bits, 16)
        self.deviations: list[Deviation] = []
        values = read_values(attributes, ("SegmentSequence", "MaximumFractionalValue"), self.deviations)
        maximum = values.get("MaximumFractionalValue")
        self.maximum = maximum if isinstance(maximum, int) and 1 <= maximum <= 0xFF else 0xFF
        # Colours, 0 to 1, by segment number.
        self._colors: dict[int, npt.NDArray[np.float64]] = {}
        for item in values.get("SegmentSequence") or ():
            segment = read_values(item, ("SegmentNumber", "RecommendedDisplayCIELabValue"), self.deviations)
            number = segment.get("SegmentNumber")
            if isinstance(number, int) and 0 <= number <= _MAX_NUMBER:
                color = cielab_to_rgb(segment.get("RecommendedDisplayCIELabValue"))
                self._colors.setdefault(number, cycle_color(number) if color is None else color)
        self._shared_number = _segment_number(shared)
        self._per_frame = per_frame

    def entries(self, index: int, dtype: str) -> Array:
        """Return the table of the frame `index`, from the stored value 0: (entries, 3), of an output type."""
        if self.kind == "LABELMAP":
            # Labels without an item in the Segment Sequence have a colour of the cycle, except for the background.
            fractions = _cycle_colors(self._label_count).copy()
            for number, color in self._colors.items():
                if number < self._label_count:
                    fractions[number] = color
        else:
            color = self._color(self.number(index))
            steps = 1 if self.kind == "BINARY" else self.maximum
            fractions = np.arange(steps + 1)[:, None] / steps * color
        values = fractions * DTYPES[dtype]
        return (values if dtype == "float32" else np.rint(values)).astype(dtype)

    def number(self, index: int) -> int:
        """Return Referenced Segment Number of the frame `index`; of all frames 0 in a label map."""
        if self.kind == "LABELMAP":
            return 0
        own = _segment_number(self._per_frame[index]) if index < len(self._per_frame) else None
        if own is not None:
            return own
        return self._shared_number if self._shared_number is not None else next(iter(self._colors), 1)

    def _color(self, number: int) -> npt.NDArray[np.float64]:
        return self._colors[number] if number in self._colors else cycle_color(number)


def _segment_number(group: Attributes | None) -> int | None:
    """Return Referenced Segment Number of one item of a functional groups sequence, or None."""
    if group is None:
        return None
    items = group.get("SegmentIdentificationSequence")
    if not items:
        return None
    number = items[0].get("ReferencedSegmentNumber")
    return number if isinstance(number, int) else None


def cycle_color(number: int) -> npt.NDArray[np.float64]:
    """Return the colour of a segment without one: hues that differ most from those before, by the golden ratio."""
    return _hue_colors(np.array([number])).reshape(3)


@lru_cache(maxsize=2)
def _cycle_colors(count: int) -> npt.NDArray[np.float64]:
    """Return the colours of the labels from 0 to `count` - 1 without one: (count, 3); label 0 is black."""
    colors = _hue_colors(np.arange(count))
    colors[0] = 0
    colors.flags.writeable = False
    return colors


def _hue_colors(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return colours of HSV saturation 0.75 and value 1 with the hues of segment numbers: (numbers, 3)."""
    hues = (numbers - 1) * _GOLDEN_RATIO % 1.0 * 6
    distances = np.abs((hues[:, None] + [0, 4, 2]) % 6 - 3)
    return np.asarray(1 - 0.75 * np.clip(2 - distances, 0, 1))


def cielab_to_rgb(value: Any) -> npt.NDArray[np.float64] | None:
    """Return a CIELab value of three 16-bit numbers as sRGB, 0 to 1; None if it has another form.

    The numbers are those of PS3.3 C.10.7.1.1: 0 to 65535 for L* of 0 to 100, and for a* and b* of -128 to 127. The
    white point is D65, with which all known software writes them, although that of ICC's PCS-Values is D50. Colours
    outside of sRGB are clipped.
    """
    if not (isinstance(value, list) and len(value) == 3 and all(isinstance(number, int) for number in value)):
        return None
    return _cached_rgb(*value)


@lru_cache(maxsize=256)
def _cached_rgb(*numbers: int) -> npt.NDArray[np.float64]:
    """Convert a CIELab value; cached, because conversion takes as long as decoding a small segment."""
    lightness = numbers[0] * 100 / 0xFFFF
    a, b = (number * 255 / 0xFFFF - 128 for number in numbers[1:])
    y = (lightness + 16) / 116
    roots = np.array([y + a / 500, y, y - b / 200])
    # Inverse of CIE's function f; it is linear near black.
    ratios = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
    linear = np.clip(_XYZ_TO_SRGB @ (ratios * _WHITE_D65), 0, 1)
    # Transfer function of IEC 61966-2-1.
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    color = np.asarray(np.clip(encoded, 0, 1), np.float64)
    color.flags.writeable = False
    return color
