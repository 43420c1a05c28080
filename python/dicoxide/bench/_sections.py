"""The sections of the report, in their order: where dicoxide loses comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from dicoxide.bench import _summary as figures
from dicoxide.bench import _tables as tables
from dicoxide.bench._markup import Html, counted, joined, listed, shown_bytes, shown_ratio, tag
from dicoxide.bench._page import Section
from dicoxide.bench._plots import Plots
from dicoxide.bench._summary import LEVELS, OURS, Bar, Document, Ratio, Spot, label

__all__ = ["sections"]

# Losses that are shown at once; the rest are a click away.
_AT_ONCE = 12

_Rows = TypeVar("_Rows")


def sections(document: Document, plots: Plots) -> list[Section]:
    """Those that this document has something for."""
    found = [
        Section("short", "Where dicoxide falls short", joined(_short(document, plots))),
        Section("exactness", "Exactness", joined(_exactness(document))),
        Section("speed", "Speed against other decoders", joined(_speed(document, plots))),
        Section("throughput", "Throughput", joined(_throughput(document, plots))),
        Section("threads", "Threads", joined(_threads(document, plots))),
        Section("sizes", "Image size", joined(_sizes(document, plots))),
        Section("memory", "Peak memory", joined(_memory(document, plots))),
        Section("decoders", "Decoders", joined(_decoders(document))),
        Section("setup", "Setup and noise", joined(_setup(document))),
        Section("figures", "All figures", joined(tables.everything(document))),
    ]
    return [one for one in found if one.content]


def _short(document: Document, plots: Plots) -> Iterator[Html]:
    failures, compared, losses = figures.failures(document), figures.compared(document), figures.losses(document)
    if failures:
        yield tag("h3", "Wrong, failed, or not decoded")
        # What is not supported comes last.
        failures.sort(key=lambda one: one["status"] == "unsupported")
        yield tables.answers("Answers that dicoxide owes", failures[:_AT_ONCE])
        if rest := failures[_AT_ONCE:]:
            yield tables.folded(f"{len(rest)} more", tables.answers("More answers that dicoxide owes", rest))
    elif any(one["peer"] == OURS for one in document["results"]):
        yield tag("p", "No answer of dicoxide is known to be wrong, and none is missing that another decoder gives.")
    if not compared:
        yield tag("p", "No times were compared, so nothing is said of speed.")
        return
    if not losses:
        yield tag("p", f"No other decoder was faster: none of {counted(len(compared), 'ratio')} is below 1.")
        return
    sure = sum(one["ratio"]["high"] < 1 for one in losses)
    yield tag("h3", "Slower than another decoder")
    yield tag(
        "p",
        f"In {counted(len(losses), 'comparison')} the other decoder took less time; the worst come first. "
        f"In {sure} of them the whole interval lies below 1, in the others chance may have decided.",
    )
    yield from _lost(document, plots)
    yield tables.lost("Comparisons that dicoxide lost", document, losses[:_AT_ONCE])
    if len(losses) > _AT_ONCE:
        more = losses[_AT_ONCE:]
        yield tables.folded(f"{len(more)} more", tables.lost("More comparisons that dicoxide lost", document, more))


def _lost(document: Document, plots: Plots) -> Iterator[Html]:
    """Of the groups that are lost as a whole, who wins them."""
    found = {
        key: lost for key, rows in figures.ratios(document).items() if (lost := [row for row in rows if row.median < 1])
    }
    if not found:
        return
    domain = _domain(found.values())
    winners: dict[tuple[str, str], list[Ratio]] = {}
    for (level, group), rows in found.items():
        for row in rows:
            winners.setdefault((row.peer, level), []).append(row._replace(peer=group))
    drawn = [
        _figure(f"{peer} is faster", level, plots.ratios(f"{peer} is faster than dicoxide, {level}", rows, domain))
        for (peer, level), rows in winners.items()
    ]
    yield plots.sides("unclear", "slower")
    yield tag("div", *drawn, class_="plots")


def _exactness(document: Document) -> Iterator[Html]:
    if not document["results"]:
        yield tag("p", "There are no answers.")
        return
    yield tag("p", "Every answer is compared with those of the others, sample by sample. Numbers count answers.")
    yield tables.matrix(document)
    yield tables.meanings(document)
    odd = [one for one in document["results"] if one["status"] not in ("ok", "unchecked", "unsupported")]
    if odd:
        wrong = tables.answers("Answers that are wrong, disputed or missing", odd)
        yield tables.folded("What went wrong", wrong, counted(len(odd), "answer"))
    found = document["disagreements"]
    if found:
        yield tables.folded("Disagreements", tables.disagreements(found), counted(len(found), "image"))
    else:
        yield tag("p", "No disagreement between decoders was found.")


def _speed(document: Document, plots: Plots) -> Iterator[Html]:
    found = figures.ratios(document)
    if not found:
        yield tag("p", "No times were compared.")
        return
    band = " The grey band is what chance alone gives." if document["setup"]["noise"]["control"] else ""
    yield tag(
        "p",
        "How many times as fast as another decoder dicoxide is, both timed in turns in one process: ",
        tag("strong", "right of the line at 1 dicoxide is faster, left of it the other is."),
        " A point is the geometric mean over the images of a group, the thick bar its 95 % confidence interval; the"
        f" thin line reaches from the worst image to the best. Scales are logarithmic.{band}",
    )
    yield plots.sides("faster", "unclear", "slower")
    domain = _domain(found.values())

    def figure(level: str, group: str, of_group: list[Ratio]) -> Html:
        images = "" if level == "bulk" else counted(max(one.cases for one in of_group), "image")
        return _figure(group, images, plots.ratios(f"{group}, {level}: speed against others", of_group, domain))

    yield from _grids(found, figure)


def _throughput(document: Document, plots: Plots) -> Iterator[Html]:
    found = figures.throughput(document)
    if not found:
        return
    yield tag(
        "p",
        "Bytes of decoded samples in a second, by median times, over all images of a group that the decoder was timed"
        " on. Longer is faster.",
    )

    def figure(level: str, group: str, rows: list[Bar]) -> Html:
        return _figure(group, "", plots.bars(f"{group}, {level}: throughput", rows, _per_second))

    yield from _grids(found, figure, fold=True)


def _threads(document: Document, plots: Plots) -> Iterator[Html]:
    found = figures.by_threads(document)
    if found:
        yield tag(
            "p",
            "Many files at once. The dotted line is what dicoxide would reach if every thread added as much as the"
            " first. Higher is faster.",
        )
        yield plots.legend(_peers(found.values()))
        drawn = [
            _figure(group, "", plots.threads(f"{group}: speed by threads", spots, _per_second))
            for group, spots in found.items()
        ]
        yield tag("div", *drawn, class_="plots")
    lets: dict[str, bool] = {}
    for one in document["results"]:
        if one["releases_gil"] is not None:
            lets[label(one)] = lets.get(label(one), True) and one["releases_gil"]
    if lets:
        free = ", ".join(peer for peer, others_run in lets.items() if others_run) or "none"
        held = ", ".join(peer for peer, others_run in lets.items() if not others_run) or "none"
        yield tag("p", "Other Python threads run while these decode: ", tag("strong", free), ".")
        yield tag("p", "Other Python threads wait for these: ", tag("strong", held), ".")


def _sizes(document: Document, plots: Plots) -> Iterator[Html]:
    found = {level: spots for level in LEVELS if (spots := figures.by_size(document, level))}
    if not found:
        return
    yield tag("p", "Speed over the size of the decoded image, both on logarithmic scales. Higher is faster.")
    yield plots.legend(_peers(spots for groups in found.values() for spots in groups.values()))

    def figure(level: str, group: str, spots: list[Spot]) -> Html:
        return _figure(group, "", plots.sizes(f"{group}, {level}: speed by image size", spots, _per_second))

    flat = {(level, group): spots for level, groups in found.items() for group, spots in groups.items()}
    yield from _grids(flat, figure, fold=True)


def _memory(document: Document, plots: Plots) -> Iterator[Html]:
    found = figures.memory(document)
    if not found:
        return
    yield tag(
        "p",
        "The most memory that a call took beyond that of the idle process, in sizes of the decoded image: 1× is the"
        " image alone. For many files it is in bytes. Shorter is better.",
    )

    def figure(level: str, group: str, rows: list[Bar]) -> Html:
        shown = shown_bytes if level == "bulk" else shown_ratio
        return _figure(group, "", plots.bars(f"{group}, {level}: peak memory", rows, shown))

    yield from _grids(found, figure, fold=True)


def _decoders(document: Document) -> Iterator[Html]:
    absent = [peer for peer in document["peers"] if peer["status"] != "found"]
    if absent:
        yield tag("p", f"{counted(len(absent), 'decoder')} could not take part. What installs each:")
        yield listed(_absent(peer) for peer in absent)
    yield tables.peers(document["peers"])


def _absent(peer: dict[str, Any]) -> Html:
    state = "not installed" if peer["status"] == "missing" else "does not work"
    why = "" if peer["why"] is None else f": {peer['why']}"
    return joined([tag("strong", peer["name"]), f" ({state}{why}) ", tag("code", peer["install"])])


def _setup(document: Document) -> Iterator[Html]:
    noise = document["setup"]["noise"]
    control, spread = noise["control"], noise["relative_iqr"]
    if control:
        yield tag(
            "p",
            f"dicoxide timed against itself gives {control['median']:.2f} ({control['low']:.2f} to "
            f"{control['high']:.2f}). Ratios within that say nothing.",
        )
    else:
        yield tag("p", "What chance alone does to times was not measured.")
    if spread is not None:
        yield tag("p", f"The middle half of the calls of dicoxide spans {100 * spread:.1f} % of their median.")
    if document["notes"]:
        yield tag("h3", "Notes")
        yield listed(document["notes"])
    yield tables.setup(document["setup"])


def _domain(groups: Iterable[Iterable[Ratio]]) -> tuple[float, float]:
    """The scale that all plots beside one another share."""
    rows = [row for group in groups for row in group]
    low = min(0.5, *(min(row.least, row.low) for row in rows)) / 1.1
    high = max(2.0, *(max(row.most, row.high) for row in rows)) * 1.1
    return (low if high < 10 else min(low, 0.28)), high


def _grids(
    found: Mapping[tuple[str, str], _Rows], draw: Callable[[str, str, _Rows], Html], *, fold: bool = False
) -> Iterator[Html]:
    """A grid of plots for each level; with `fold` those after the first open on a click."""
    levels: dict[str, list[Html]] = {}
    for (level, group), rows in found.items():
        levels.setdefault(level, []).append(draw(level, group, rows))
    for at, (level, drawn) in enumerate(levels.items()):
        grid = tag("div", *drawn, class_="plots")
        what = LEVELS.get(level, "")
        if at and fold:
            yield tables.folded(level, grid, what)
        else:
            yield joined([tag("h3", level, tag("small", what)), grid])


def _figure(title: str, more: str, drawn: Html) -> Html:
    return tag("figure", tag("figcaption", title, tag("small", more) if more else ""), drawn)


def _peers(lines: Iterable[Iterable[Spot]]) -> list[str]:
    return [spot.peer for spots in lines for spot in spots]


def _per_second(speed: float) -> str:
    return f"{shown_bytes(speed)}/s"
