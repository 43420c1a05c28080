"""Tables, and numbers with units, in the output of commands."""

from __future__ import annotations

import math

import pytest

from dicoxide import _extras
from dicoxide._text_format import (
    format_bytes,
    format_count,
    format_rate,
    format_ratio,
    format_seconds,
    format_significant,
    table_lines,
)

ROWS = [("native", "1.2"), ("jpeg_lossless", "12.3")]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (999_960, "1.00 MB"), (123_456_789, "123 MB"), (5.5e13, "55.0 TB")],
)
def test_format_bytes_uses_powers_of_ten(count: float, text: str) -> None:
    assert format_bytes(count) == text
    assert format_rate(count) == f"{text}/s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (2e-9, "2.00 ns"), (1.5e-3, "1.50 ms"), (0.9996, "1.00 s"), (125.4, "125 s")]
)
def test_format_seconds_chooses_the_unit(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.125, "0.12"), (9.994, "9.99"), (9.996, "10.0"), (99.96, "100"), (12345.6, "12,346")]
)
def test_format_significant_keeps_three_digits(value: float, text: str) -> None:
    assert format_significant(value) == text
    assert format_ratio(value) == f"{text}×"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_format_functions_of_missing_values_give_a_dash(value: float | None) -> None:
    for function in (format_bytes, format_rate, format_ratio, format_seconds, format_significant):
        assert function(value) == "–"


@pytest.mark.parametrize(
    ("count", "arguments", "text"),
    [(1, ("file",), "1 file"), (1200, ("file",), "1,200 files"), (0, ("series", "series"), "0 series")],
)
def test_format_count_agrees_in_number(count: int, arguments: tuple[str, ...], text: str) -> None:
    assert format_count(count, *arguments) == text


def test_table_lines_aligns_columns_below_a_header() -> None:
    assert list(table_lines(ROWS, ("codec", "ms"), right_aligned={1})) == [
        "  codec            ms",
        "  ─────────────  ────",
        "  native          1.2",
        "  jpeg_lossless  12.3",
    ]


def test_table_lines_without_rows_is_none() -> None:
    assert list(table_lines([], ("codec", "ms"))) == ["  none"]


def test_table_lines_wraps_cells_to_the_terminal() -> None:
    pytest.importorskip("rich")
    lines = list(table_lines([("[a]", "one two three")], width=14))
    assert [line.split() for line in lines] == [["[a]", "one", "two"], ["three"]]


def test_table_lines_without_rich_does_not_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_extras, "find_spec", lambda name: None)
    assert list(table_lines([("[a]", "one two three")], width=14)) == ["  [a]  one two three"]
