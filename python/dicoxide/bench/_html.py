"""The HTML report of a bench run: one file that opens anywhere, without a network and without a script."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from dicoxide.bench._markup import Html, counted, joined, shown_ratio, tag
from dicoxide.bench._page import page
from dicoxide.bench._plots import Plots
from dicoxide.bench._sections import sections
from dicoxide.bench._summary import OURS, Document, compared, labels, losses, side

__all__ = ["write"]


def write(document: dict[str, Any], path: str) -> None:
    """Write the report of a document of schema ``dicoxide-bench/1``.

    Raises
    ------
    MissingExtraError
        If the package that draws is not there.
    """
    plots = Plots(labels(document), document["setup"]["noise"]["control"])
    about = document["setup"]
    foot = tag("p", f"{document['schema']}, dicoxide {about['dicoxide']}, {about['began']}")
    text = page("dicoxide bench", _head(document), sections(document, plots), foot)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _head(document: Document) -> Html:
    """What one should know at first sight."""
    about = document["setup"]
    parts = [
        tag("p", "dicoxide bench", class_="kicker"),
        tag("h1", "How fast, and how exact"),
        tag("p", *_verdict(document), class_="lead"),
    ]
    if about["interrupted"]:
        parts.append(_notice("The run was interrupted: this is what was found until then."))
    if about["verify_only"]:
        parts.append(_notice("Answers were compared. Nothing was timed, as was asked."))
    if not _others(document):
        where = tag("a", "how to install some", href="#decoders")
        parts.append(_notice("No other decoder was found, so there is nothing to compare with: ", where, "."))
    return joined([*parts, tag("dl", *_tiles(document), class_="tiles")])


def _others(document: Document) -> list[dict[str, Any]]:
    return [peer for peer in document["peers"] if peer["name"] != OURS and peer["status"] == "found"]


def _verdict(document: Document) -> Iterator[object]:
    sides = [side(one["ratio"]["low"], one["ratio"]["high"]) for one in compared(document)]
    if sides:
        times = f"dicoxide is faster in {sides.count('faster')} of {counted(len(sides), 'comparison')}"
        yield tag("strong", times)
        yield f", slower in {sides.count('slower')}; in {sides.count('unclear')} chance may decide. "
    else:
        yield tag("strong", "No times were compared.")
        yield " "
    images, others = counted(len(document["cases"]), "image"), counted(len(_others(document)), "other decoder")
    yield f"With {images} and {others}, on {document['setup']['cpu']}."


def _tiles(document: Document) -> Iterator[Html]:
    answers = [one for one in document["results"] if one["peer"] == OURS]
    checked = [one for one in answers if one["status"] not in ("unchecked", "unsupported")]
    if answers:
        good = sum(one["status"] == "ok" for one in checked)
        rest = len(answers) - len(checked)
        more = f"{rest} more could not be checked" if rest else "of dicoxide, all checked"
        yield _tile("Exact answers", f"{good} of {len(checked)}", more)
    found, lost = compared(document), losses(document)
    if found:
        worst = f"the worst is {shown_ratio(lost[0]['ratio']['median'])}" if lost else "no ratio is below 1"
        yield _tile("Comparisons lost", f"{len(lost)} of {len(found)}", worst)
        middle = median(one["ratio"]["median"] for one in found)
        yield _tile("Typical ratio", shown_ratio(middle), "the median of all comparisons")
    control = document["setup"]["noise"]["control"]
    if control:
        yield _tile("Noise", f"{control['low']:.2f}–{control['high']:.2f}", "dicoxide timed against itself")
    about = document["setup"]
    yield _tile("Time taken", f"{about['took_seconds']:.0f} s", f"of a budget of {about['budget_seconds']:.0f} s")


def _tile(what: str, big: str, more: str) -> Html:
    return tag("div", tag("dt", what), tag("dd", big, class_="big"), tag("dd", more, class_="more"))


def _notice(*parts: object) -> Html:
    return tag("p", *parts, class_="notice")
