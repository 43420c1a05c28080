"""Text and number formats that only the report needs, used as Jinja filters and by the charts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

__all__ = [
    "exact",
    "format_number",
    "is_finite",
    "keyword_words",
    "microseconds",
    "printable",
]


def printable(value: object) -> str:
    """Return text that any file and browser can hold: control characters and surrogates become escapes."""
    text = str(value).encode("utf-8", "backslashreplace").decode()
    return "".join(
        character if character.isprintable() or character == "\n" else repr(character)[1:-1] for character in text
    )


def is_finite(value: Any) -> bool:
    """True if `value` is a number that can be shown."""
    return value is not None and math.isfinite(value)


def exact(value: float) -> str:
    """Return a number with nine significant digits, for programs that read the page."""
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def format_number(value: float) -> str:
    """Return an integer with thousands separators, or a float with four significant digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def microseconds(seconds: Iterable[float]) -> list[str]:
    """Return durations in µs with four significant digits."""
    return [f"{1e6 * duration:.4g}" for duration in seconds]


def keyword_words(keyword: str) -> list[str]:
    """Split a keyword between its words, where a line may break: ``ExplicitVRLittle``, ``Endian``."""
    return re.split(r"(?<=[a-z])(?=[A-Z])", keyword)
