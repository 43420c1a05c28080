"""HTML from values: whatever is not made here is escaped, so no text of a document can become markup."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "Html",
    "counted",
    "joined",
    "listed",
    "number",
    "plain",
    "shown_bytes",
    "shown_ratio",
    "shown_time",
    "table",
    "tag",
]

_EMPTY = frozenset({"br", "meta"})

# What a table shows where there is no value.
_NOTHING = "–"

# Longer cells, markup included, are broken into lines.
_LONG = 40


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def plain(value: object) -> str:
    """Text that every file and browser can hold: controls, and what is no text in a path, become escapes."""
    safe = str(value).encode("utf-8", "backslashreplace").decode()
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in safe)


def joined(parts: Iterable[object]) -> Html:
    """The parts one after another, each escaped unless it is markup."""
    return Html("".join(one if isinstance(one, Html) else html.escape(plain(one)) for one in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. ``class_`` stands for ``class``, ``aria_label`` for ``aria-label``; None leaves an attribute out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{said}>" + ("" if name in _EMPTY else f"{joined(children)}</{name}>"))


def counted(number: int, what: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def listed(items: Iterable[object]) -> Html:
    """An unordered list."""
    return tag("ul", *(tag("li", item) for item in items))


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, kind: str | None = None) -> Html:
    """A table in a box of its own, which scrolls where the page does not.

    The first cell of a row is its heading. A column whose name ends with a space holds numbers; None is an empty cell.
    """
    numeric = [column.endswith(" ") for column in columns]
    head = tag("tr", *(_head(column) for column in columns))
    lines = [
        tag("tr", *(_cell(*pair, at == 0) for at, pair in enumerate(zip(row, numeric, strict=True)))) for row in rows
    ]
    element = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *lines), class_=kind)
    return tag("div", element, class_="box", tabindex=0, role="region", aria_label=caption)


def _head(column: str) -> Html:
    return tag("th", column.strip(), scope="col", class_="n" if column.endswith(" ") else None)


def _cell(value: object, numeric: bool, heads: bool) -> Html:
    shown = _NOTHING if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
    kind = "n" if numeric else "t" if len(str(shown)) > _LONG else None
    return tag("th", shown, scope="row", class_=kind) if heads else tag("td", shown, class_=kind)


def number(value: Any, shown: str | None = None) -> Html | None:
    """A number as people read it, with nine digits of it for machines; None where it is missing or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return tag("data", _digits(value) if shown is None else shown, value=_exact(value))


def _exact(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def _digits(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def shown_time(seconds: float | None) -> str:
    """``1.23 ms``."""
    if seconds is None or not math.isfinite(seconds):
        return _NOTHING
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds / 1e-9)} ns"


def shown_bytes(count: float | None) -> str:
    """``1.23 MB``, by powers of ten."""
    if count is None or not math.isfinite(count):
        return _NOTHING
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{_three(count / size)} {unit}"
    return f"{count:.0f} B"


def shown_ratio(ratio: float | None) -> str:
    """``1.23×``."""
    return _NOTHING if ratio is None or not math.isfinite(ratio) else f"{_three(ratio)}×"


def _three(value: float) -> str:
    """Three digits, but all before the point."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
