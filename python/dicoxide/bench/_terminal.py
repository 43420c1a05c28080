"""A run for people at a terminal: where ours loses first."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dicoxide.bench._decoders import LEVELS, OURS

__all__ = ["lines", "write_csv"]

_LEVELS = {
    "codec": "one frame, bytes to array",
    "pixel_array": "pydicom's pixel_array, by plugin",
    "file": "file to array",
    "rescaled": "file to float32 modality values",
    "bulk": "many files",
}
# Rows of what went wrong.
_MOST = 30
_BAD = ("wrong", "disputed", "error", "crashed", "timeout")
_FIELDS = (
    *("level", "case", "peer", "variant", "threads", "status", "detail"),
    *("keyword", "rows", "columns", "samples_per_pixel", "bits_allocated", "frames", "decoded_bytes"),
    *("median_seconds", "p25_seconds", "p75_seconds", "p95_seconds", "best_seconds", "rounds"),
    *("bytes_per_second", "ratio", "ratio_low", "ratio_high", "peak_bytes", "releases_gil", "wrong_samples"),
)


def lines(document: dict[str, Any]) -> Iterator[str]:
    """The report, line by line."""
    setup = document["setup"]
    ours = f"dicoxide {setup['dicoxide']} ({setup['backend']}, {setup['cpu_path']})"
    yield f"{ours} on {setup['cpu']}, {setup['cores']} cores"
    missing = [peer for peer in document["peers"] if peer["status"] != "found"]
    found = [
        f"{peer['name']} {peer['version'] or ''}".strip() for peer in document["peers"] if peer["status"] == "found"
    ]
    yield f"compared: {', '.join(found)}"
    for peer in missing:
        why = "not installed" if peer["status"] == "missing" else f"cannot be imported ({peer['why']})"
        yield f"  {peer['name']} is {why}: {peer['install']}"
    yield from _exactness(document)
    yield from _speed(document)
    yield from _noise(setup["noise"])
    for note in document["notes"]:
        yield f"note: {note}"
    if setup["interrupted"]:
        yield "interrupted: this is what there was by then"


def _exactness(document: dict[str, Any]) -> Iterator[str]:
    yield "\nExactness (answers by what became of them)"
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for result in _answers(document):
        of = counts.setdefault((result["level"], result["peer"]), {})
        of[result["status"]] = of.get(result["status"], 0) + 1
    order = ("ok", "unchecked", "wrong", "disputed", "error", "crashed", "timeout", "unsupported")
    shown = [status for status in order if any(status in of for of in counts.values())]
    rows = [
        (level, peer, *(str(of.get(status, "")) for status in shown))
        for (level, peer), of in sorted(counts.items(), key=lambda item: LEVELS.index(item[0][0]))
    ]
    yield from _aligned(("level", "decoder", *shown), rows)
    bad = [result for result in _answers(document) if result["status"] in _BAD]
    if bad:
        yield f"\nWhat went wrong ({len(bad)})"
        # Ours first: what others get wrong is their users' business.
        bad.sort(key=lambda one: (one["peer"] != OURS, _BAD.index(one["status"])))
        rows = [(one["level"], one["peer"], one["case"], one["status"], _short(one["detail"])) for one in bad[:_MOST]]
        yield from _aligned(("level", "decoder", "image", "", ""), rows)
        if len(bad) > _MOST:
            yield f"  … and {len(bad) - _MOST} more, which --json, --csv and --html have"


def _answers(document: dict[str, Any]) -> list[dict[str, Any]]:
    """One for each level, image and decoder."""
    return [one for one in document["results"] if not one["variant"] and one["level"] != "bulk"]


def _speed(document: dict[str, Any]) -> Iterator[str]:
    raced = [one for one in document["results"] if one["ratio"]]
    if not raced:
        return
    lost = [one for one in raced if one["ratio"]["high"] < 1]
    yield f"\nWhere another is faster than dicoxide ({len(lost)} of {len(raced)})"
    yield from _aligned(
        ("level", "decoder", "image", "dicoxide takes"),
        [
            (one["level"], _named(one), one["case"], f"{1 / one['ratio']['median']:.2f} × as long")
            for one in sorted(lost, key=lambda one: float(one["ratio"]["median"]))
        ],
    )
    keywords = {case["name"]: case["keyword"] for case in document["cases"]}
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for one in raced:
        keyword = keywords.get(one["case"], one["case"])
        groups.setdefault((one["level"], keyword, _named(one)), []).append(one)
    for level in LEVELS:
        rows = [
            (keyword, who, str(len(some)), *_ratios([one["ratio"]["median"] for one in some]), _rate(some))
            for (of, keyword, who), some in sorted(groups.items())
            if of == level
        ]
        if rows:
            yield f"\n{_LEVELS[level]}: how many times as long as dicoxide"
            header = ("transfer syntax", "decoder", "images", "geometric mean", "least", "most", "its MB/s")
            yield from _aligned(header, rows)


def _named(result: dict[str, Any]) -> str:
    many = result["level"] == "bulk" and f", {result['threads']} threads"
    return f"{result['peer']}{' ' + result['variant'] if result['variant'] else ''}{many or ''}"


def _ratios(ratios: Sequence[float]) -> tuple[str, str, str]:
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return f"{mean:.2f} ×", f"{min(ratios):.2f}", f"{max(ratios):.2f}"


def _rate(results: Sequence[dict[str, Any]]) -> str:
    rates = sorted(one["bytes_per_second"] for one in results if one["bytes_per_second"])
    return f"{rates[len(rates) // 2] / 1e6:.0f}" if rates else ""


def _noise(noise: dict[str, Any]) -> Iterator[str]:
    if noise["control"]:
        control = noise["control"]
        yield (
            f"\nnoise: dicoxide against itself {control['median']:.2f} × "
            f"({control['low']:.2f} to {control['high']:.2f}), "
            f"interquartile range {100 * (noise['relative_iqr'] or 0):.0f} % of a median"
            f"{_load(noise['load'])}"
        )


def _load(load: float | None) -> str:
    return "" if load is None else f", {load:.2f} processes running in the minute before"


def _short(text: str | None) -> str:
    return "" if text is None else text if len(text) < 90 else text[:87] + "…"


def _aligned(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    rows = [tuple(header), *map(tuple, rows)]
    if len(rows) == 1:
        yield "  none"
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if not number:
            yield "  " + "  ".join("─" * width for width in widths)


def write_csv(document: dict[str, Any], path: str) -> None:
    """One row a result, with what its case is."""
    cases = {case["name"]: case for case in document["cases"]}
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _FIELDS)
        writer.writeheader()
        for result in document["results"]:
            case = cases.get(result["case"], {})
            seconds, ratio, wrong = result["seconds"] or {}, result["ratio"] or {}, result["wrong"] or {}
            row = {name: result.get(name, case.get(name)) for name in _FIELDS}
            for name in ("median", "p25", "p75", "p95", "best"):
                row[f"{name}_seconds"] = seconds.get(name)
            row |= {"rounds": seconds.get("rounds"), "wrong_samples": wrong.get("samples")}
            row |= {"ratio": ratio.get("median"), "ratio_low": ratio.get("low"), "ratio_high": ratio.get("high")}
            writer.writerow(row)
