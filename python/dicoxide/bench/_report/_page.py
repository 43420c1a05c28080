"""Contents of the report: what each section shows, and the rendering by the Jinja templates in ``templates/``.

A section is one template in ``templates/sections``, named by its anchor. Templates read the document directly;
`_context` adds what is computed: aggregates, charts, and the sections that have content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any, NamedTuple, TypeVar

from dicoxide._text_format import format_bytes, format_count, format_rate, format_ratio, format_seconds
from dicoxide.bench import _summary
from dicoxide.bench._decoders import DICOXIDE
from dicoxide.bench._report import _filters
from dicoxide.bench._report._charts import Charts
from dicoxide.bench._summary import LEVEL_DESCRIPTIONS, Bar, Document, Point, Ratio, Result, outcome

__all__ = ["render"]

# Maximum number of failures and slower results that are shown unfolded.
_MAX_UNFOLDED = 12

_Rows = TypeVar("_Rows")


class Section(NamedTuple):
    """A section of the page; its template has the name of the anchor."""

    anchor: str
    title: str


class Figure(NamedTuple):
    """A chart with its caption; `svg` is an SVG element."""

    title: str
    subtitle: str
    svg: str


class Tile(NamedTuple):
    """A headline number."""

    name: str
    value: str
    explanation: str


class StatusStyle(NamedTuple):
    """Symbol, CSS class and meaning of a status."""

    symbol: str
    style: str
    meaning: str


Grids = dict[str, list[Figure]]

# The most severe first.
_STATUSES = {
    "wrong": StatusStyle("≠", "bad", "samples differ from the reference"),
    "crashed": StatusStyle("✕", "bad", "the process ended abnormally"),
    "error": StatusStyle("!", "bad", "an exception was raised"),
    "timeout": StatusStyle("…", "bad", "no result within the time limit"),
    "disputed": StatusStyle("⇄", "odd", "decoders disagree, without a majority"),
    "ok": StatusStyle("✓", "good", "every sample is correct"),
    "unchecked": StatusStyle("?", "odd", "no other decoder to compare with"),
    "unsupported": StatusStyle("–", "odd", "not supported by the decoder"),
}
_UNKNOWN_STATUS = StatusStyle("", "odd", "")


def render(document: Document) -> str:
    """Return the report as an HTML document."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return _filters.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("dicoxide.bench._report"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "bytes": format_bytes,
        "counted": format_count,
        "exact": _filters.exact,
        "grouped": _filters.format_number,
        "keyword_words": _filters.keyword_words,
        "microseconds": _filters.microseconds,
        "rate": format_rate,
        "ratio": format_ratio,
        "result_label": _summary.result_label,
        "seconds": format_seconds,
        "series": _summary.series_name,
    }
    environment.tests["finite"] = _filters.is_finite
    return environment.get_template("report.html.j2").render(_context(document))


def _context(document: Document) -> dict[str, Any]:
    """Return the variables of the templates."""
    results = document["results"]
    names = _summary.series_names(document)
    charts = Charts(names, document["setup"]["noise"]["control"])
    context = {
        "document": document,
        "setup": document["setup"],
        "results": results,
        "levels": LEVEL_DESCRIPTIONS,
        "has_results_of_dicoxide": any(result["peer"] == DICOXIDE for result in results),
        "other_decoders": [
            decoder for decoder in document["peers"] if decoder["name"] != DICOXIDE and decoder["status"] == "found"
        ],
        "unavailable_decoders": [decoder for decoder in document["peers"] if decoder["status"] != "found"],
        "tiles": _tiles(document),
        "compared": _summary.compared(document),
        "max_unfolded": _MAX_UNFOLDED,
        **_failures_and_losses(document, charts),
        **_exactness(document, names),
        **_speed(document, charts),
        **_scaling(document, charts),
        "gil": _gil(results),
        "timed_results": [result for result in results if result["seconds"] and result["seconds"]["all"]],
        "results_by_level": _by_level(results),
    }
    sections = [
        Section("losses", "Failures and losses of dicoxide"),
        Section("exactness", "Exactness"),
        Section("speed", "Run time relative to dicoxide"),
        Section("throughput", "Throughput"),
        Section("threads", "Threads"),
        Section("sizes", "Image size"),
        Section("memory", "Peak memory"),
        Section("decoders", "Decoders"),
        Section("setup", "Setup and noise"),
        Section("measurements", "All measurements"),
    ]
    has_content = {
        "throughput": context["throughput_grids"],
        "threads": context["thread_figures"] or context["gil"],
        "sizes": context["size_grids"],
        "memory": context["memory_grids"],
    }
    return {**context, "sections": [section for section in sections if has_content.get(section.anchor, True)]}


def _tiles(document: Document) -> list[Tile]:
    tiles = []
    setup = document["setup"]
    results = [result for result in document["results"] if result["peer"] == DICOXIDE]
    checked = [result for result in results if result["status"] not in ("unchecked", "unsupported")]
    if results:
        correct = sum(result["status"] == "ok" for result in checked)
        unchecked = len(results) - len(checked)
        explanation = f"of dicoxide; {unchecked} more not checked" if unchecked else "of dicoxide; all are checked"
        tiles.append(Tile("Correct results", f"{correct} of {len(checked)}", explanation))
    compared, losses = _summary.compared(document), _summary.losses(document)
    if compared:
        worst = f"smallest ratio {format_ratio(losses[0]['ratio']['median'])}" if losses else "no ratio is below 1"
        tiles.append(Tile("dicoxide slower", f"{len(losses)} of {len(compared)}", worst))
        typical = median(result["ratio"]["median"] for result in compared)
        tiles.append(Tile("Median ratio", format_ratio(typical), "run time relative to dicoxide"))
    if control := setup["noise"]["control"]:
        tiles.append(Tile("Noise", f"{control['low']:.2f}–{control['high']:.2f}", "dicoxide relative to itself"))
    tiles.append(Tile("Duration", f"{setup['took_seconds']:.0f} s", f"budget {setup['budget_seconds']:.0f} s"))
    return tiles


def _failures_and_losses(document: Document, charts: Charts) -> dict[str, Any]:
    failures, losses = _summary.failures(document), _summary.losses(document)
    failures.sort(key=lambda result: result["status"] == "unsupported")
    seconds_of_dicoxide = {
        _comparison_key(result): (result["seconds"] or {}).get("median")
        for result in document["results"]
        if result["peer"] == DICOXIDE
    }
    outcomes = Counter(
        outcome(result["ratio"]["low"], result["ratio"]["high"]) for result in _summary.compared(document)
    )
    return {
        "failures": failures,
        "losses": [(result, seconds_of_dicoxide.get(_comparison_key(result))) for result in losses],
        "certain_loss_count": sum(result["ratio"]["high"] < 1 for result in losses),
        "outcomes": outcomes,
        "loss_figures": _loss_figures(document, charts),
        "loss_legend": charts.outcome_legend("unclear", "slower"),
    }


def _comparison_key(result: Result) -> tuple[Any, ...]:
    return result["level"], result["case"], result["threads"], result["variant"]


def _loss_figures(document: Document, charts: Charts) -> list[Figure]:
    """Return a figure per decoder and level, with the groups in which the decoder is faster."""
    slower_groups = {
        key: slower
        for key, rows in _summary.ratios(document).items()
        if (slower := [row for row in rows if row.median < 1])
    }
    if not slower_groups:
        return []
    domain = _ratio_domain(slower_groups.values())
    rows_by_series: dict[tuple[str, str], list[Ratio]] = {}
    for (level, group), rows in slower_groups.items():
        for row in rows:
            rows_by_series.setdefault((row.series, level), []).append(row._replace(series=group))
    return [
        Figure(f"{series} is faster", level, charts.ratios(f"{series} is faster than dicoxide, {level}", rows, domain))
        for (series, level), rows in rows_by_series.items()
    ]


def _exactness(document: Document, names: list[str]) -> dict[str, Any]:
    results = document["results"]
    matrix: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for (level, group), members in _summary.groups(document, results, by_thread_count=False).items():
        counts = {name: Counter[str]() for name in names}
        for result in members:
            counts[_summary.series_name(result)][result["status"]] += 1
        matrix.setdefault(level, {})[group] = {
            name: dict(sorted(counter.items(), key=lambda item: _severity(item[0]))) for name, counter in counts.items()
        }
    incorrect = [result for result in results if result["status"] not in ("ok", "unchecked", "unsupported")]
    incorrect.sort(key=lambda result: (_severity(result["status"]), _summary.series_name(result)))
    statuses = {result["status"] for result in results}
    return {
        "series_names": names,
        "matrix": matrix,
        "status_styles": {status: _STATUSES.get(status, _UNKNOWN_STATUS) for status in statuses},
        "status_meanings": {status: style for status, style in _STATUSES.items() if status in statuses},
        "incorrect": incorrect,
    }


def _severity(status: str) -> int:
    return list(_STATUSES).index(status) if status in _STATUSES else len(_STATUSES)


def _speed(document: Document, charts: Charts) -> dict[str, Any]:
    ratios = _summary.ratios(document)
    domain = _ratio_domain(ratios.values()) if ratios else (0.5, 2.0)

    def ratio_figure(level: str, group: str, rows: list[Ratio]) -> Figure:
        subtitle = "" if level == "bulk" else format_count(max(row.case_count for row in rows), "image")
        return Figure(group, subtitle, charts.ratios(f"{group}, {level}: run time relative to dicoxide", rows, domain))

    def throughput_figure(level: str, group: str, rows: list[Bar]) -> Figure:
        return Figure(group, "", charts.bars(f"{group}, {level}: throughput", rows, format_rate))

    def memory_figure(level: str, group: str, rows: list[Bar]) -> Figure:
        format_value = format_bytes if level == "bulk" else format_ratio
        return Figure(group, "", charts.bars(f"{group}, {level}: peak memory", rows, format_value))

    return {
        "ratio_grids": _grids(ratios, ratio_figure),
        "ratio_legend": charts.outcome_legend("faster", "unclear", "slower"),
        "throughput_grids": _grids(_summary.throughput(document), throughput_figure),
        "memory_grids": _grids(_summary.memory(document), memory_figure),
    }


def _scaling(document: Document, charts: Charts) -> dict[str, Any]:
    thread_lines = _summary.by_threads(document)
    size_lines = {
        (level, group): points
        for level in LEVEL_DESCRIPTIONS
        for group, points in _summary.by_size(document, level).items()
    }

    def size_figure(level: str, group: str, points: list[Point]) -> Figure:
        return Figure(group, "", charts.size_scaling(f"{group}, {level}: throughput by size", points, format_rate))

    return {
        "thread_figures": [
            Figure(group, "", charts.thread_scaling(f"{group}: throughput by thread count", points, format_rate))
            for group, points in thread_lines.items()
        ],
        "thread_legend": charts.series_legend(_series_of(thread_lines.values())),
        "size_grids": _grids(size_lines, size_figure),
        "size_legend": charts.series_legend(_series_of(size_lines.values())),
    }


def _gil(results: Iterable[Result]) -> dict[bool, list[str]]:
    """Return the decoders that release the interpreter lock in every measured case, and those that do not."""
    releases: dict[str, bool] = {}
    for result in results:
        if result["releases_gil"] is not None:
            name = _summary.series_name(result)
            releases[name] = releases.get(name, True) and result["releases_gil"]
    if not releases:
        return {}
    return {state: [name for name, released in releases.items() if released == state] for state in (True, False)}


def _by_level(results: Iterable[Result]) -> dict[str, list[Result]]:
    by_level: dict[str, list[Result]] = {level: [] for level in LEVEL_DESCRIPTIONS}
    for result in results:
        by_level.setdefault(result["level"], []).append(result)
    return {level: members for level, members in by_level.items() if members}


def _grids(rows_by_group: Mapping[tuple[str, str], _Rows], draw: Callable[[str, str, _Rows], Figure]) -> Grids:
    """Return the figures of each level."""
    grids: Grids = {}
    for (level, group), rows in rows_by_group.items():
        grids.setdefault(level, []).append(draw(level, group, rows))
    return grids


def _ratio_domain(groups: Iterable[Iterable[Ratio]]) -> tuple[float, float]:
    """Return the ends of the axis that all ratio charts of a section share; it always contains 1."""
    rows = [row for group in groups for row in group]
    low = min(0.5, *(min(row.smallest, row.low) for row in rows)) / 1.1
    high = max(2.0, *(max(row.largest, row.high) for row in rows)) * 1.1
    # On a long axis, the side below 1 must stay wide enough to be seen.
    return (low if high < 10 else min(low, 0.28)), high


def _series_of(lines: Iterable[Iterable[Point]]) -> list[str]:
    return [point.series for points in lines for point in points]
