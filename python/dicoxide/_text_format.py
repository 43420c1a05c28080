"""Text tables, and numbers with units, for the command line and benchmark reports.

Numbers have three significant digits and at most two decimals; sizes are powers of ten (1 kB is 1000 bytes). A dash
replaces a value that is missing or not finite.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Collection, Iterator, Sequence
from typing import TextIO

from dicoxide._extras import is_installed

__all__ = [
    "MISSING",
    "format_bytes",
    "format_count",
    "format_rate",
    "format_ratio",
    "format_seconds",
    "format_significant",
    "table_lines",
    "terminal_width",
]

MISSING = "–"
_INDENT = "  "
_BYTE_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_TIME_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def format_significant(value: float | None) -> str:
    """Format a number: ``1.23``, ``12.3``, ``123``; larger numbers with all their digits: ``12,346``."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    return f"{value:.2f}" if size < 9.995 else f"{value:.1f}" if size < 99.95 else f"{value:,.0f}"


def format_bytes(count: float | None) -> str:
    """Format a size in powers of ten: ``812 B``, ``1.23 MB``."""
    return _with_unit(count, _BYTE_UNITS) or f"{count:.0f} B"


def format_rate(bytes_per_second: float | None) -> str:
    """Format a throughput: ``1.23 GB/s``."""
    return MISSING if _is_missing(bytes_per_second) else f"{format_bytes(bytes_per_second)}/s"


def format_seconds(seconds: float | None) -> str:
    """Format a duration: ``1.23 s``, ``45.6 ms``, ``7.89 µs``."""
    return _with_unit(seconds, _TIME_UNITS) or "0 s"


def format_ratio(ratio: float | None) -> str:
    """Format a ratio of two times: ``1.23×``."""
    return MISSING if _is_missing(ratio) else f"{format_significant(ratio)}×"


def format_count(count: int, singular: str, plural: str = "") -> str:
    """Format a count and its noun: ``1 file``, ``1,200 files``; `plural` is `singular` with an s by default."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def _is_missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def _with_unit(value: float | None, units: Sequence[tuple[str, float]]) -> str:
    """Format `value` in the largest unit that does not exceed it; return ``""`` if all units exceed it."""
    if value is None or not math.isfinite(value):
        return MISSING
    for unit, size in units:
        # 999.5 kB is 1.00 MB.
        if abs(value) >= 0.9995 * size:
            return f"{format_significant(value / size)} {unit}"
    return ""


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal that `stream` is connected to; None for files and pipes."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def table_lines(
    rows: Collection[Sequence[str]],
    header: Sequence[str] = (),
    *,
    right_aligned: Collection[int] = (),
    width: int | None = None,
) -> Iterator[str]:
    """Format a table, indented by two spaces; ``none`` if it has no rows.

    Parameters
    ----------
    rows : collection of sequence of str
        Cells; all rows have the same length.
    header : sequence of str
        Column headings, with a rule below them.
    right_aligned : collection of int
        Zero-based indices of columns of numbers.
    width : int, optional
        Columns of the terminal; cells of a wider table are wrapped, if rich is installed. None: never wrapped.
    """
    if not rows:
        yield f"{_INDENT}none"
        return
    cells = [*([header] if header else []), *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if width is not None and len(_INDENT) + sum(widths) + 2 * (len(widths) - 1) > width and is_installed("rich"):
        yield from _wrapped_lines(rows, header, right_aligned, width)
        return
    for index, row in enumerate(cells):
        aligned = (
            cell.rjust(size) if column in right_aligned else cell.ljust(size)
            for column, (cell, size) in enumerate(zip(row, widths, strict=True))
        )
        yield f"{_INDENT}{'  '.join(aligned)}".rstrip()
        if header and index == 0:
            yield f"{_INDENT}{'  '.join('─' * size for size in widths)}"


def _wrapped_lines(
    rows: Collection[Sequence[str]], header: Sequence[str], right_aligned: Collection[int], width: int
) -> Iterator[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD if header else None, show_edge=False, show_header=bool(header), pad_edge=False)
    for column in range(len(next(iter(rows)))):
        heading = Text(header[column]) if header else ""
        # Long words are split, so that nothing is cut off.
        table.add_column(heading, justify="right" if column in right_aligned else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=width - len(_INDENT), color_system=None)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        yield f"{_INDENT}{line}".rstrip()
