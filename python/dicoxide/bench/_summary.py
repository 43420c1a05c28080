"""Aggregates of a comparison document: ratios, throughput, memory and failures by group. No markup and no drawing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import geometric_mean, median
from typing import Any, NamedTuple

from dicoxide.bench._decoders import DICOXIDE

__all__ = [
    "LEVEL_DESCRIPTIONS",
    "Bar",
    "Document",
    "Point",
    "Ratio",
    "Result",
    "by_size",
    "by_threads",
    "compared",
    "failures",
    "groups",
    "losses",
    "memory",
    "outcome",
    "ratios",
    "result_label",
    "series_name",
    "series_names",
    "throughput",
]

Document = dict[str, Any]
Result = dict[str, Any]

# The levels in the order of the report, with the call that each times.
LEVEL_DESCRIPTIONS = {
    "pixel_array": "pydicom's pixel_array of a Dataset",
    "file": "from a path to an array",
    "bulk": "many files, on one or more threads",
    "codec": "the bytes of one frame to an array, by the codec alone",
    "rescaled": "from a path to an array, with the Modality LUT applied",
}

# With more distinct sizes than this, sizes are rounded to powers of two.
_MAX_EXACT_SIZES = 12


class Ratio(NamedTuple):
    """Run time of a decoder relative to dicoxide, over the cases of a group.

    `series` is the decoder with its variant. `median`, `low` and `high` are geometric means over the cases, of the
    medians and of the ends of their confidence intervals. `smallest` and `largest` are medians of single cases.
    """

    series: str
    median: float
    low: float
    high: float
    smallest: float
    largest: float
    case_count: int


class Bar(NamedTuple):
    """One value of a decoder."""

    series: str
    value: float
    case_count: int


class Point(NamedTuple):
    """One point of a line: throughput in bytes per second at a thread count or an image size in bytes."""

    series: str
    x: float
    speed: float


def series_name(result: Result) -> str:
    """Return the decoder with its variant."""
    return " ".join(filter(None, (result["peer"], result["variant"])))


def series_names(document: Document) -> list[str]:
    """Return decoders that have a result: dicoxide first, then in document order, each followed by its variants."""
    order = [DICOXIDE, *(decoder["name"] for decoder in document["peers"])]
    pairs = {(result["peer"], result["variant"]) for result in document["results"]}
    ranked = sorted(pairs, key=lambda pair: (order.index(pair[0]) if pair[0] in order else len(order), *pair))
    return [series_name({"peer": decoder, "variant": variant}) for decoder, variant in ranked]


def result_label(result: Result) -> str:
    """Return the case, with the thread count if it is not always 1 at this level."""
    if result["level"] != "bulk" and result["threads"] == 1:
        return str(result["case"])
    return f"{result['case']}, {result['threads']} thread{'' if result['threads'] == 1 else 's'}"


def outcome(low: float, high: float) -> str:
    """Return whether dicoxide is ``faster``, ``slower`` or ``unclear``, by the interval of a ratio."""
    return "slower" if high < 1 else "faster" if low > 1 else "unclear"


def is_positive(value: Any) -> bool:
    """True if `value` is a number that has a logarithm."""
    return value is not None and math.isfinite(value) and value > 0


def groups(
    document: Document, results: Iterable[Result], *, by_thread_count: bool = True
) -> dict[tuple[str, str], list[Result]]:
    """Group results by level and transfer syntax; bulk results by their set of files, and by thread count."""
    cases = {case["name"]: case for case in document["cases"]}
    grouped: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        case = cases.get(result["case"])
        group = result["case"] if case is None else case["keyword"] or case["transfer_syntax"]
        group = result_label({**result, "case": group}) if by_thread_count else group
        grouped[result["level"], group].append(result)
    order = list(LEVEL_DESCRIPTIONS)
    return dict(
        sorted(grouped.items(), key=lambda item: order.index(item[0][0]) if item[0][0] in order else len(order))
    )


def compared(document: Document) -> list[Result]:
    """Return the results that have a ratio."""
    return [
        result for result in document["results"] if result["ratio"] and all(map(is_positive, result["ratio"].values()))
    ]


def losses(document: Document) -> list[Result]:
    """Return the results in which another decoder is faster, the largest difference first."""
    slower = (result for result in compared(document) if result["ratio"]["median"] < 1)
    return sorted(
        slower, key=lambda result: (result["ratio"]["median"], result["level"], result["case"], series_name(result))
    )


def failures(document: Document) -> list[Result]:
    """Return results of dicoxide that are wrong or failed, or unsupported although another decoder is correct."""
    decoded_by_others = {
        (result["level"], result["case"])
        for result in document["results"]
        if result["peer"] != DICOXIDE and result["status"] == "ok"
    }
    return [
        result
        for result in document["results"]
        if result["peer"] == DICOXIDE
        and (
            result["status"] in ("wrong", "error", "crashed", "timeout")
            or (result["status"] == "unsupported" and (result["level"], result["case"]) in decoded_by_others)
        )
    ]


def ratios(document: Document) -> dict[tuple[str, str], list[Ratio]]:
    """Return ratios by group and decoder: geometric means over its cases, also of the ends of their intervals."""
    summaries = {}
    for key, results in groups(document, compared(document)).items():
        rows = []
        for series, members in _by_series(results).items():
            intervals = [result["ratio"] for result in members]
            center, low, high = (
                geometric_mean([interval[end] for interval in intervals]) for end in ("median", "low", "high")
            )
            medians = [interval["median"] for interval in intervals]
            rows.append(Ratio(series, center, low, high, min(medians), max(medians), len(medians)))
        summaries[key] = sorted(rows, key=lambda row: (row.median, row.series))
    return summaries


def throughput(document: Document) -> dict[tuple[str, str], list[Bar]]:
    """Return decoded bytes per second by group and decoder, over all of its cases together."""
    summaries = {}
    for key, results in groups(document, _timed(document)).items():
        rows = []
        for series, members in _by_series(results).items():
            seconds = sum(result["seconds"]["median"] for result in members)
            decoded_bytes = sum(result["seconds"]["median"] * result["bytes_per_second"] for result in members)
            rows.append(Bar(series, decoded_bytes / seconds, len(members)))
        summaries[key] = sorted(rows, key=lambda row: (-row.value, row.series))
    return summaries


def memory(document: Document) -> dict[tuple[str, str], list[Bar]]:
    """Return peak memory by group and decoder: multiples of the decoded image, median of the cases; bytes for bulk."""
    sizes = {case["name"]: case["decoded_bytes"] for case in document["cases"]}
    measured = [
        result
        for result in document["results"]
        if result["peak_bytes"] is not None and (result["level"] == "bulk" or is_positive(sizes.get(result["case"])))
    ]
    summaries = {}
    for key, results in groups(document, measured).items():
        rows = []
        for series, members in _by_series(results).items():
            peaks = [
                result["peak_bytes"] / (1 if result["level"] == "bulk" else sizes[result["case"]]) for result in members
            ]
            rows.append(Bar(series, median(peaks), len(peaks)))
        summaries[key] = sorted(rows, key=lambda row: (row.value, row.series))
    return summaries


def by_threads(document: Document) -> dict[str, list[Point]]:
    """Return throughput by thread count, for each set of files that was decoded with several."""
    lines = {}
    for (level, group), results in groups(document, _timed(document), by_thread_count=False).items():
        if level == "bulk" and len({result["threads"] for result in results}) > 1:
            lines[group] = _median_points(
                (series_name(result), result["threads"], result["bytes_per_second"]) for result in results
            )
    return lines


def by_size(document: Document, level: str) -> dict[str, list[Point]]:
    """Return throughput by the size of the decoded image, for each transfer syntax with several sizes."""
    sizes = {case["name"]: case["decoded_bytes"] for case in document["cases"]}
    timed = [
        result for result in _timed(document) if result["level"] == level and is_positive(sizes.get(result["case"]))
    ]
    lines = {}
    for (_, group), results in groups(document, timed).items():
        group_sizes = {sizes[result["case"]] for result in results}
        if len(group_sizes) > 1:
            is_rounded = len(group_sizes) > _MAX_EXACT_SIZES
            xs = {size: 2.0 ** round(math.log2(size)) if is_rounded else float(size) for size in group_sizes}
            lines[group] = _median_points(
                (series_name(result), xs[sizes[result["case"]]], result["bytes_per_second"]) for result in results
            )
    return lines


def _median_points(points: Iterable[tuple[str, float, float]]) -> list[Point]:
    """Replace points of a decoder that have the same x by one with their median."""
    speeds_by_point: dict[tuple[str, float], list[float]] = defaultdict(list)
    for series, x, speed in points:
        speeds_by_point[series, x].append(speed)
    return sorted(Point(series, x, median(speeds)) for (series, x), speeds in speeds_by_point.items())


def _timed(document: Document) -> list[Result]:
    return [
        result
        for result in document["results"]
        if result["seconds"] and is_positive(result["seconds"]["median"]) and is_positive(result["bytes_per_second"])
    ]


def _by_series(results: Sequence[Result]) -> dict[str, list[Result]]:
    grouped: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        grouped[series_name(result)].append(result)
    return grouped
