"""Report of a comparison as text: exactness first, then where dicoxide is slower, then all ratios."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import geometric_mean, median
from typing import Any

from dicoxide._text_format import format_count, format_rate, format_ratio, table_lines
from dicoxide.bench._decoders import DICOXIDE, LEVELS

__all__ = ["report_lines"]

_LEVEL_TITLES = {
    "codec": "Bytes of one frame to an array",
    "pixel_array": "pydicom's pixel_array, by plugin",
    "file": "Path to an array",
    "rescaled": "Path to modality values (float32)",
    "bulk": "Many files",
}
_STATUSES = ("ok", "unchecked", "wrong", "disputed", "error", "crashed", "timeout", "unsupported")
_INCORRECT_STATUSES = ("wrong", "disputed", "error", "crashed", "timeout")
# Rows of the table of incorrect results, and characters of their details.
_MAX_ROWS = 30
_MAX_DETAIL = 90


def report_lines(document: dict[str, Any], width: int | None = None) -> Iterator[str]:
    """Yield the lines of the report; wider tables are wrapped to `width` columns."""
    setup = document["setup"]
    yield (
        f"dicoxide {setup['dicoxide']} ({setup['backend']}, {setup['cpu_path']}) on {setup['cpu']}, "
        f"{setup['cores']} cores"
    )
    compared = [
        f"{decoder['name']} {decoder['version']}"
        for decoder in document["peers"]
        if decoder["status"] == "found" and decoder["name"] != DICOXIDE
    ]
    yield f"compared with: {', '.join(compared) or 'no other decoder'}"
    for decoder in document["peers"]:
        if decoder["status"] == "missing":
            yield f"  {decoder['name']} is not installed: {decoder['install']}"
        elif decoder["status"] != "found":
            yield f"  {decoder['name']} cannot be imported ({decoder['why']}): {decoder['install']}"
    yield from _exactness_lines(document, width)
    yield from _speed_lines(document, width)
    yield from _noise_lines(setup["noise"])
    for note in document["notes"]:
        yield f"note: {note}"
    if setup["interrupted"]:
        yield "interrupted; partial results"


def _exactness_lines(document: dict[str, Any], width: int | None) -> Iterator[str]:
    # Variants and bulk decoding are timed, and verified only as part of the level ``file``.
    results = [result for result in document["results"] if not result["variant"] and result["level"] != "bulk"]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for result in results:
        counts.setdefault((result["level"], result["peer"]), Counter())[result["status"]] += 1
    statuses = [status for status in _STATUSES if any(status in counter for counter in counts.values())]
    rows = [
        (level, decoder, *(str(counter[status] or "") for status in statuses))
        for (level, decoder), counter in sorted(counts.items(), key=lambda item: LEVELS.index(item[0][0]))
    ]
    yield "\nExactness: number of images by status"
    yield from table_lines(
        rows, ("level", "decoder", *statuses), right_aligned=range(2, 2 + len(statuses)), width=width
    )
    incorrect = [result for result in results if result["status"] in _INCORRECT_STATUSES]
    if incorrect:
        incorrect.sort(key=lambda result: (result["peer"] != DICOXIDE, _INCORRECT_STATUSES.index(result["status"])))
        yield f"\nIncorrect results ({len(incorrect)})"
        rows = [
            (result["level"], result["peer"], result["case"], result["status"], _shortened(result["detail"]))
            for result in incorrect[:_MAX_ROWS]
        ]
        yield from table_lines(rows, ("level", "decoder", "image", "status", "detail"), width=width)
        if len(incorrect) > _MAX_ROWS:
            yield f"  … and {len(incorrect) - _MAX_ROWS} more; --json, --csv and --html have all"


def _speed_lines(document: dict[str, Any], width: int | None) -> Iterator[str]:
    compared = [result for result in document["results"] if result["ratio"]]
    if not compared:
        return
    losses = sorted(
        (result for result in compared if result["ratio"]["high"] < 1), key=lambda result: result["ratio"]["median"]
    )
    yield "\nOnly decoders with correct results are timed."
    yield f"\nFaster than dicoxide ({len(losses)} of {len(compared)} comparisons)"
    yield from table_lines(
        [
            (result["level"], _series_name(result), result["case"], format_ratio(result["ratio"]["median"]))
            for result in losses
        ],
        ("level", "decoder", "image", "run time relative to dicoxide"),
        right_aligned={3},
        width=width,
    )
    keywords = {case["name"]: case["keyword"] for case in document["cases"]}
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for result in compared:
        keyword = keywords.get(result["case"], result["case"])
        groups.setdefault((result["level"], keyword, _series_name(result)), []).append(result)
    header = ("transfer syntax", "decoder", "images", "geometric mean", "min", "max", "its throughput")
    for level in LEVELS:
        rows = [
            (keyword, name, str(len(results)), *_ratio_cells(results), _throughput(results))
            for (group_level, keyword, name), results in sorted(groups.items())
            if group_level == level
        ]
        if rows:
            yield f"\n{_LEVEL_TITLES[level]}: run time relative to dicoxide; below 1 the other decoder is faster"
            yield from table_lines(rows, header, right_aligned=range(2, 7), width=width)


def _series_name(result: dict[str, Any]) -> str:
    threads = f", {format_count(result['threads'], 'thread')}" if result["level"] == "bulk" else ""
    return f"{result['peer']}{' ' + result['variant'] if result['variant'] else ''}{threads}"


def _ratio_cells(results: Sequence[dict[str, Any]]) -> tuple[str, str, str]:
    ratios = [result["ratio"]["median"] for result in results]
    return format_ratio(geometric_mean(ratios)), format_ratio(min(ratios)), format_ratio(max(ratios))


def _throughput(results: Sequence[dict[str, Any]]) -> str:
    rates = [result["bytes_per_second"] for result in results if result["bytes_per_second"]]
    return format_rate(median(rates)) if rates else ""


def _noise_lines(noise: dict[str, Any]) -> Iterator[str]:
    if control := noise["control"]:
        load = "" if noise["load"] is None else f", load average before the run {noise['load']:.2f}"
        yield (
            f"\nnoise: dicoxide relative to itself {format_ratio(control['median'])} "
            f"({control['low']:.2f} to {control['high']:.2f}), "
            f"interquartile range {100 * (noise['relative_iqr'] or 0):.0f} % of the median{load}"
        )


def _shortened(text: str | None) -> str:
    if text is None or len(text) < _MAX_DETAIL:
        return text or ""
    return text[: _MAX_DETAIL - 3] + "…"
