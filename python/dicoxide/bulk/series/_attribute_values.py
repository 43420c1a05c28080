"""Parses attribute values into numbers and text; values that are absent or invalid become None, or empty text."""

from __future__ import annotations

import math
from datetime import date as calendar
from functools import lru_cache
from typing import Any

from dicoxide.bulk.series._geometry import Orientation, Vector, is_orientation

# Lengths and coordinates of this size and more, in mm, are invalid and ignored.
MAX_MM = 1e9
# Smaller distances of pixels or slices, in mm, are not plausible.
MIN_SPACING_MM = 1e-9
# Values that are parsed once for all files that have them; the files of a series share most.
_CACHED_VALUES = 4096
_MAX_CACHED_LENGTH = 64


def parse_text(value: Any) -> str:
    """Return the text of a value, ``""`` for None."""
    return "" if value is None else str(value)


def is_spacing(distance: float) -> bool:
    """Return True if `distance`, in mm, may be that of neighbouring pixels or slices."""
    return MIN_SPACING_MM <= distance < MAX_MM


def parse_number(value: Any) -> float | None:
    """Return a finite number, the first of several values; None if there is none."""
    if value is None:
        return None
    # Fast path for the most frequent case; the difference is NaN if `value` is not finite.
    if type(value) is float and value - value == 0.0:
        return value
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def parse_integer(value: Any) -> int | None:
    """Return a number without its fraction; None if there is none."""
    number = parse_number(value)
    return None if number is None else int(number)


def parse_numbers(value: Any, count: int | None) -> Any:
    """Return a tuple of `count` finite numbers, or None; any number of values if `count` is None."""
    if value is None:
        return None
    if not isinstance(value, (list, tuple)):
        value = [value]
    if count is not None and len(value) != count:
        return None
    numbers = tuple(map(parse_number, value))
    return None if None in numbers else numbers


def parse_position(value: Any) -> Vector | None:
    """Return three coordinates in mm; None if there are other values, or values out of range."""
    position: Vector | None = parse_numbers(value, 3)
    return position if position is not None and max(map(abs, position)) < MAX_MM else None


def parse_orientation(value: Any) -> Orientation | None:
    """Return six direction cosines; None if they are not two orthogonal unit vectors."""
    orientation: Orientation | None = parse_numbers(value, 6)
    return orientation if orientation is not None and _is_orientation(orientation) else None


def parse_seconds(date: Any, time: Any) -> float | None:
    """Return date and time (DA, TM or DT: PS3.5 6.2) in seconds; seconds of the day if there is no date.

    A UTC offset is ignored. Returns None if the text is not a valid time.
    """
    if time is None:
        return None
    text = f"{parse_text(date)}{parse_text(time)}"
    return _seconds(text) if len(text) <= _MAX_CACHED_LENGTH else _seconds.__wrapped__(text)


_is_orientation = lru_cache(_CACHED_VALUES)(is_orientation)


@lru_cache(_CACHED_VALUES)
def _seconds(text: str) -> float | None:
    """Return the seconds of the text of a date and time."""
    text = text.replace(":", "").strip()
    for sign in "+-":
        text = text.partition(sign)[0]
    days, clock = (text[:8], text[8:]) if len(text.partition(".")[0]) > 8 else ("", text)
    try:
        day = calendar(int(days[:4]), int(days[4:6]), int(days[6:])).toordinal() if days else 0
        digits, _, fraction = clock.partition(".")
        if len(digits) not in (2, 4, 6):
            return None
        hours, minutes, seconds = int(digits[:2]), int(digits[2:4] or 0), int(digits[4:6] or 0)
        return day * 86400 + hours * 3600 + minutes * 60 + seconds + (float(f"0.{fraction}") if fraction else 0.0)
    except ValueError:
        return None
