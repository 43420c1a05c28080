"""What the report shows of a document, as numbers: no markup, no drawing."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import geometric_mean, median
from typing import Any, NamedTuple

__all__ = [
    "LEVELS",
    "OURS",
    "Bar",
    "Ratio",
    "Spot",
    "by_size",
    "by_threads",
    "compared",
    "failures",
    "groups",
    "label",
    "labels",
    "losses",
    "memory",
    "name",
    "ratios",
    "side",
    "throughput",
]

Document = dict[str, Any]
Result = dict[str, Any]

OURS = "dicoxide"

# The levels in the order of the report, and what each times.
LEVELS = {
    "pixel_array": "the pixels of a Dataset, as pydicom gives them",
    "file": "from a path to an array",
    "bulk": "many files, on several threads",
    "codec": "the bytes of one frame, nothing around them",
    "rescaled": "with the Modality LUT applied",
}

# More sizes than this are put together by powers of two.
_MANY_SIZES = 12


class Ratio(NamedTuple):
    """Time of a peer over that of dicoxide, over the cases of a group."""

    peer: str
    median: float
    low: float
    high: float
    least: float
    most: float
    cases: int


class Bar(NamedTuple):
    """One number of a peer."""

    peer: str
    value: float
    cases: int


class Spot(NamedTuple):
    """One point of a line: bytes decoded in a second, at a number of threads or of bytes."""

    peer: str
    at: float
    speed: float


def label(result: Result) -> str:
    """Peer and variant."""
    return " ".join(filter(None, (result["peer"], result["variant"])))


def labels(document: Document) -> list[str]:
    """Peers with an answer, in the document's order, dicoxide first and each followed by its variants."""
    order = [OURS, *(peer["name"] for peer in document["peers"])]
    found = {(one["peer"], one["variant"]) for one in document["results"]}
    there = sorted(found, key=lambda one: (order.index(one[0]) if one[0] in order else len(order), *one))
    return [label({"peer": peer, "variant": variant}) for peer, variant in there]


def name(result: Result) -> str:
    """Case and threads, as far as they say something."""
    many = result["level"] == "bulk" or result["threads"] != 1
    threads = f", {result['threads']} thread{'' if result['threads'] == 1 else 's'}" if many else ""
    return f"{result['case']}{threads}"


def side(low: float, high: float) -> str:
    """Who is faster by the interval of a ratio."""
    return "slower" if high < 1 else "faster" if low > 1 else "unclear"


def positive(value: Any) -> bool:
    """Whether it is a number that a logarithm has."""
    return value is not None and math.isfinite(value) and value > 0


def groups(
    document: Document, results: Iterable[Result], *, threads: bool = True
) -> dict[tuple[str, str], list[Result]]:
    """Results by level and transfer syntax, those of many files by their set, and by threads."""
    cases = {case["name"]: case for case in document["cases"]}
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        case = cases.get(result["case"])
        group = result["case"] if case is None else case["keyword"] or case["transfer_syntax"]
        found[result["level"], name({**result, "case": group}) if threads else group].append(result)
    order = list(LEVELS)
    return dict(sorted(found.items(), key=lambda item: order.index(item[0][0]) if item[0][0] in order else len(order)))


def compared(document: Document) -> list[Result]:
    """The results with a ratio."""
    return [one for one in document["results"] if one["ratio"] and all(map(positive, one["ratio"].values()))]


def losses(document: Document) -> list[Result]:
    """Where a peer was faster, the worst first."""
    slower = (one for one in compared(document) if one["ratio"]["median"] < 1)
    return sorted(slower, key=lambda one: (one["ratio"]["median"], one["level"], one["case"], label(one)))


def failures(document: Document) -> list[Result]:
    """Where dicoxide's answer is wrong, or there is none though a peer has one."""
    solved = {
        (one["level"], one["case"]) for one in document["results"] if one["peer"] != OURS and one["status"] == "ok"
    }
    return [
        one
        for one in document["results"]
        if one["peer"] == OURS
        and (
            one["status"] in ("wrong", "error", "crashed", "timeout")
            or (one["status"] == "unsupported" and (one["level"], one["case"]) in solved)
        )
    ]


def ratios(document: Document) -> dict[tuple[str, str], list[Ratio]]:
    """Ratios by group and peer: geometric means over its cases, also of the ends of their intervals."""
    found = {}
    for key, results in groups(document, compared(document)).items():
        rows = []
        for peer, of_peer in _by_label(results).items():
            each = [one["ratio"] for one in of_peer]
            middle, low, high = (geometric_mean([one[end] for one in each]) for end in ("median", "low", "high"))
            medians = [one["median"] for one in each]
            rows.append(Ratio(peer, middle, low, high, min(medians), max(medians), len(each)))
        found[key] = sorted(rows, key=lambda row: (row.median, row.peer))
    return found


def throughput(document: Document) -> dict[tuple[str, str], list[Bar]]:
    """Bytes of decoded samples in a second by group and peer, over all of its cases together."""
    found = {}
    for key, results in groups(document, _timed(document)).items():
        rows = []
        for peer, of_peer in _by_label(results).items():
            seconds = sum(one["seconds"]["median"] for one in of_peer)
            decoded = sum(one["seconds"]["median"] * one["bytes_per_second"] for one in of_peer)
            rows.append(Bar(peer, decoded / seconds, len(of_peer)))
        found[key] = sorted(rows, key=lambda row: (-row.value, row.peer))
    return found


def memory(document: Document) -> dict[tuple[str, str], list[Bar]]:
    """Peak memory by group and peer: in sizes of the decoded image, the median of the cases; bytes for many files."""
    sizes = {case["name"]: case["decoded_bytes"] for case in document["cases"]}
    measured = [
        one
        for one in document["results"]
        if one["peak_bytes"] is not None and (one["level"] == "bulk" or positive(sizes.get(one["case"])))
    ]
    found = {}
    for key, results in groups(document, measured).items():
        rows = []
        for peer, of_peer in _by_label(results).items():
            peaks = [one["peak_bytes"] / (1 if key[0] == "bulk" else sizes[one["case"]]) for one in of_peer]
            rows.append(Bar(peer, median(peaks), len(peaks)))
        found[key] = sorted(rows, key=lambda row: (row.value, row.peer))
    return found


def by_threads(document: Document) -> dict[str, list[Spot]]:
    """Speed by the number of threads, for each set of files that was decoded with several."""
    found = {}
    for (level, group), results in groups(document, _timed(document), threads=False).items():
        if level == "bulk" and len({one["threads"] for one in results}) > 1:
            found[group] = _line((label(one), one["threads"], one["bytes_per_second"]) for one in results)
    return found


def by_size(document: Document, level: str) -> dict[str, list[Spot]]:
    """Speed by the size of the decoded image, for each transfer syntax with several sizes."""
    sizes = {case["name"]: case["decoded_bytes"] for case in document["cases"]}
    timed = [one for one in _timed(document) if one["level"] == level and positive(sizes.get(one["case"]))]
    found = {}
    for (_, group), results in groups(document, timed).items():
        exact = {sizes[one["case"]] for one in results}
        if len(exact) > 1:
            near = len(exact) > _MANY_SIZES
            at = {size: 2.0 ** round(math.log2(size)) if near else float(size) for size in exact}
            found[group] = _line((label(one), at[sizes[one["case"]]], one["bytes_per_second"]) for one in results)
    return found


def _line(found: Iterable[tuple[str, float, float]]) -> list[Spot]:
    """Points at the same place become one, their median."""
    there: dict[tuple[str, float], list[float]] = defaultdict(list)
    for peer, at, speed in found:
        there[peer, at].append(speed)
    return sorted(Spot(peer, at, median(speeds)) for (peer, at), speeds in there.items())


def _timed(document: Document) -> list[Result]:
    return [
        one
        for one in document["results"]
        if one["seconds"] and positive(one["seconds"]["median"]) and positive(one["bytes_per_second"])
    ]


def _by_label(results: Sequence[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        found[label(result)].append(result)
    return found
