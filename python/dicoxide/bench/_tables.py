"""The tables of the report: those that are read, and below them every figure of the document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dicoxide.bench._markup import Html, joined, number, shown_bytes, shown_ratio, shown_time, table, tag
from dicoxide.bench._summary import LEVELS, OURS, Document, Result, groups, label, labels, name

__all__ = ["answers", "disagreements", "everything", "folded", "lost", "matrix", "meanings", "peers", "setup"]

# A sign, the look and the meaning of each status, the worst first.
_STATUSES = {
    "wrong": ("≠", "bad", "samples differ from the right ones"),
    "crashed": ("✕", "bad", "the process died"),
    "error": ("!", "bad", "an exception"),
    "timeout": ("…", "bad", "no answer in time"),
    "disputed": ("⇄", "odd", "decoders disagree, without a majority"),
    "ok": ("✓", "good", "every sample is right"),
    "unchecked": ("?", "odd", "nobody else decodes it"),
    "unsupported": ("–", "odd", "beyond what the decoder claims to decode"),
}


def folded(title: str, content: Html, more: str = "") -> Html:
    """Content that opens on a click."""
    return tag("details", tag("summary", title, tag("small", more) if more else ""), content)


def matrix(document: Document) -> Html:
    """Decoders by groups of cases: how many answers of each kind."""
    columns = labels(document)
    head = tag("tr", tag("th", "images", scope="col"), *(tag("th", peer, scope="col") for peer in columns))
    bodies: dict[str, list[Html]] = {}
    for (level, group), results in groups(document, document["results"], threads=False).items():
        counts = {peer: Counter[str]() for peer in columns}
        for one in results:
            counts[label(one)][one["status"]] += 1
        cells = [tag("td", *_marks(counts[peer])) for peer in columns]
        bodies.setdefault(level, []).append(tag("tr", tag("th", _breakable(group), scope="row"), *cells))
    parts = [
        tag(
            "tbody",
            tag(
                "tr",
                tag("th", tag("span", f"{level}: {LEVELS.get(level, '')}"), scope="rowgroup", colspan=len(columns) + 1),
                class_="part",
            ),
            *rows,
        )
        for level, rows in bodies.items()
    ]
    caption = "Answers by decoder and group of images"
    element = tag("table", tag("caption", caption), tag("thead", head), *parts, class_="matrix")
    return tag("div", element, class_="box", tabindex=0, role="region", aria_label=caption)


def _marks(counts: Counter[str]) -> Iterator[Html]:
    for status in sorted(counts, key=_worst):
        sign, look, _ = _STATUSES.get(status, ("", "odd", ""))
        yield tag("span", tag("b", sign, aria_hidden="true"), f"{counts[status]} {status}", class_=f"mark {look}")


def _breakable(keyword: str) -> Html:
    """Text that may be broken between the words of a keyword."""
    return joined(one or Html("<wbr>") for one in re.split(r"(?<=[a-z])()(?=[A-Z])", keyword))


def _worst(status: str) -> int:
    return list(_STATUSES).index(status) if status in _STATUSES else len(_STATUSES)


def meanings(document: Document) -> Html:
    """What the signs of the matrix say, of those that are in it."""
    there = sorted({one["status"] for one in document["results"]} & set(_STATUSES), key=_worst)
    return tag("p", "; ".join(f"{_STATUSES[one][0]} {one}: {_STATUSES[one][2]}" for one in there), ".", class_="muted")


def lost(caption: str, document: Document, results: Iterable[Result]) -> Html:
    """Comparisons that a peer won."""
    ours = {
        (one["level"], one["case"], one["threads"], one["variant"]): one["seconds"]
        for one in document["results"]
        if one["peer"] == OURS
    }
    columns = ["images", "level", "faster decoder", "its time ", "dicoxide ", "ratio ", "interval ", "certain"]
    rows = []
    for one in results:
        ratio = one["ratio"]
        own = ours.get((one["level"], one["case"], one["threads"], one["variant"]))
        theirs, mine = ((seconds or {}).get("median") for seconds in (one["seconds"], own))
        rows.append(
            (
                name(one),
                one["level"],
                label(one),
                number(theirs, shown_time(theirs)),
                number(mine, shown_time(mine)),
                number(ratio["median"], shown_ratio(ratio["median"])),
                f"{ratio['low']:.2f}–{ratio['high']:.2f}",
                ratio["high"] < 1,
            )
        )
    return table(caption, columns, rows)


def answers(caption: str, results: Iterable[Result]) -> Html:
    """Answers that are not right, and why."""
    rows = [(label(one), one["status"], one["level"], name(one), _why(one)) for one in results]
    rows.sort(key=lambda row: (_worst(row[1]), row[0]))
    return table(caption, ["decoder", "status", "level", "images", "what happened"], rows)


def _why(result: Result) -> Html | None:
    wrong = result["wrong"]
    parts: list[object] = []
    if wrong:
        first = wrong["first"]
        place = "" if first is None else f"; the first at {tuple(first)}"
        most = "" if wrong["max_difference"] is None else f"; at most {wrong['max_difference']:,} off"
        parts.append(f"{wrong['samples']:,} of {wrong['of']:,} samples{place}{most}. ")
    if result["detail"]:
        parts.append(tag("code", result["detail"]))
    return joined(parts) or None


def disagreements(found: Sequence[dict[str, Any]]) -> Html:
    """Who gave which answer, where there is more than one."""
    columns = ["image", "level", "decoders", "is it right?", "shape", "type", "samples that differ ", "SHA-256"]
    rows = []
    for one in found:
        for answer in one["answers"]:
            reference = one["reference"]
            right = "nobody knows" if reference is None else set(answer["peers"]) <= set(reference)
            if right is True:
                right = "yes, known" if one["known"] else "yes, by majority"
            shape = " × ".join(map(str, answer["shape"]))
            peers = ", ".join(answer["peers"])
            sha256 = tag("code", answer["sha256"])
            rows.append(
                (one["case"], one["level"], peers, right, shape, answer["dtype"], number(answer["samples"]), sha256)
            )
    return table("Answers where decoders disagree", columns, rows)


def peers(found: Sequence[dict[str, Any]]) -> Html:
    """Who was asked, and who could not be."""
    columns = ["decoder", "status", "package", "version", "licence", "levels", "how to install it", "why not"]
    rows = [
        (
            peer["name"],
            peer["status"],
            peer["package"],
            peer["version"],
            peer["license"],
            ", ".join(peer["levels"]),
            tag("code", peer["install"]),
            peer["why"],
        )
        for peer in found
    ]
    return table("Decoders", columns, rows)


def setup(about: dict[str, Any]) -> Html:
    """The machine, the versions, the command."""
    noise = about["noise"]
    control = noise["control"] or {"median": None, "low": None, "high": None}
    variables = [f"{key}={value}" for key, value in about["environment"].items()]
    rows: list[tuple[str, object]] = [
        ("command", tag("code", about["command"])),
        ("began", about["began"]),
        ("took", number(about["took_seconds"], f"{about['took_seconds']:.1f} s")),
        ("budget", number(about["budget_seconds"], f"{about['budget_seconds']:g} s")),
        ("interrupted", about["interrupted"]),
        ("only verified", about["verify_only"]),
        ("dicoxide", f"{about['dicoxide']}, backend {about['backend']}, CPU path {about['cpu_path']}"),
        ("CPU", about["cpu"]),
        ("cores", number(about["cores"])),
        ("clock", about["mhz"] and number(about["mhz"], f"{about['mhz']:.0f} MHz")),
        ("clock at the end", noise["mhz_after"] and number(noise["mhz_after"], f"{noise['mhz_after']:.0f} MHz")),
        ("memory", about["memory_bytes"] and number(about["memory_bytes"], shown_bytes(about["memory_bytes"]))),
        ("system", about["system"]),
        ("Python", about["python"]),
        ("NumPy", about["numpy"]),
        ("pydicom", about["pydicom"]),
        ("environment variables", tag("code", "\n".join(variables)) if variables else "none that matter are set"),
        ("threads", ", ".join(map(str, about["threads"])) or None),
        ("processes running in the minute before", number(noise["load"])),
        ("dicoxide against itself, median", number(control["median"])),
        ("dicoxide against itself, interval from", number(control["low"])),
        ("dicoxide against itself, interval to", number(control["high"])),
        ("interquartile range over median", number(noise["relative_iqr"])),
    ]
    return table("Setup", ["what", "value"], rows, kind="about")


def everything(document: Document) -> Iterator[Html]:
    """All figures, folded: times are medians, quartiles and so on of the calls."""
    results = document["results"]
    if not document["cases"] and not results:
        yield tag("p", "There are none.")
    if document["cases"]:
        yield folded("Images", _cases(document["cases"]), str(len(document["cases"])))
    for level in dict.fromkeys([*LEVELS, *(one["level"] for one in results)]):
        of_level = [one for one in results if one["level"] == level]
        if of_level:
            yield folded(f"Results: {level}", _results(level, of_level), str(len(of_level)))
    timed = [one for one in results if one["seconds"] and one["seconds"]["all"]]
    if timed:
        yield folded("Every call", _calls(timed), str(sum(len(one["seconds"]["all"]) for one in timed)))


def _cases(cases: Iterable[dict[str, Any]]) -> Html:
    columns = [
        "image",
        "origin",
        "path",
        "transfer syntax",
        "UID",
        "rows ",
        "columns ",
        "frames ",
        "samples per pixel ",
    ]
    columns += ["bits allocated ", "bits stored ", "decoded, B ", "file, B ", "lossy"]
    numbers = ("rows", "columns", "frames", "samples_per_pixel", "bits_allocated", "bits_stored", "decoded_bytes")
    rows = [
        (
            case["name"],
            case["origin"],
            case["path"] and tag("code", case["path"]),
            case["keyword"],
            case["transfer_syntax"],
            *(number(case[key]) for key in numbers),
            number(case["file_bytes"]),
            case["is_lossy"],
        )
        for case in cases
    ]
    return table("Images", columns, rows, kind="wide")


def _results(level: str, results: Iterable[Result]) -> Html:
    columns = ["image", "decoder", "threads ", "status", "median ", "25 % ", "75 % ", "95 % ", "best ", "rounds "]
    columns += ["throughput ", "ratio ", "from ", "to ", "peak memory ", "lets threads run", "wrong samples ", "of "]
    columns += ["largest difference ", "detail"]
    rows = []
    for one in results:
        seconds, ratio, wrong = one["seconds"] or {}, one["ratio"] or {}, one["wrong"] or {}
        times = (seconds.get(key) for key in ("median", "p25", "p75", "p95", "best"))
        speed, peak = one["bytes_per_second"], one["peak_bytes"]
        rows.append(
            (
                one["case"],
                label(one),
                number(one["threads"]),
                one["status"],
                *(number(time, shown_time(time)) for time in times),
                number(seconds.get("rounds")),
                number(speed, f"{shown_bytes(speed)}/s"),
                *(number(ratio.get(key)) for key in ("median", "low", "high")),
                number(peak, shown_bytes(peak)),
                one["releases_gil"],
                number(wrong.get("samples")),
                number(wrong.get("of")),
                number(wrong.get("max_difference")),
                one["detail"] and tag("code", one["detail"]),
            )
        )
    return table(f"Results: {level}", columns, rows, kind="wide")


def _calls(results: Iterable[Result]) -> Html:
    rows = [
        (name(one), one["level"], label(one), " ".join(f"{1e6 * time:.4g}" for time in one["seconds"]["all"]))
        for one in results
    ]
    return table("Every call, in µs", ["image", "level", "decoder", "times"], rows, kind="wide calls")
