"""Writes the numbers of README.md from the newest recorded run, and the README.md of each run: `make numbers`.

python benches/update_readme.py [--check]
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from dicoxide.bench import DICOXIDE, _summary

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "benches" / "runs"
README = ROOT / "README.md"
BEGIN, END = "<!-- make numbers: begin -->", "<!-- make numbers: end -->"

# Titles of the tables, in their order.
_LEVEL_TITLES = {
    "file": "path to an array",
    "rescaled": "path to modality values (float32)",
    "pixel_array": "`pixel_array` of a Dataset after `enable()`",
    "codec": "bytes of one frame to an array",
    "bulk": "many files",
}
_DECODERS = ("pydicom", "gdcm", "pylibjpeg", "dicomsdl", "imagecodecs", "SimpleITK", "highdicom", "zlib", "PyAV")
# The first rows of the tables.
_SYNTAX_ORDER = (
    *("ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"),
    *("RLELossless", "JPEGLossless", "JPEGLosslessSV1", "JPEGBaseline8Bit", "JPEGExtended12Bit"),
    *("JPEGLSLossless", "JPEGLSNearLossless", "JPEG2000Lossless", "JPEG2000"),
    *("HTJ2KLossless", "HTJ2KLosslessRPCL", "HTJ2K", "JPEGXLLossless", "JPEGXLJPEGRecompression", "JPEGXL"),
    *("DeflatedImageFrameCompression", "MPEG4HP41"),
)
_STATUSES = {
    "ok": "correct",
    "unchecked": "unchecked",
    "wrong": "wrong",
    "crashed": "crashed",
    "error": "error",
    "disputed": "disputed",
}

Document = dict[str, Any]


def folders() -> list[Path]:
    """Return the folders of complete runs, the newest last; their names start with the date."""
    return sorted(RUNS.glob("[0-9]*"))


def newest() -> Path:
    """Return the folder of the newest run."""
    return folders()[-1]


def load_document(path: Path) -> Document:
    """Read a compressed document of `dicoxide bench --json`."""
    document: Document = json.loads(gzip.decompress(path.read_bytes()))
    return document


def ratio_tables(document: Document, only: Container[str] | None = None) -> Iterator[str]:
    """Yield a table per level: run time relative to dicoxide by transfer syntax (of `only`) and decoder."""
    ratios = _summary.ratios(document)
    throughputs = _summary.throughput(document)
    for level, title in _LEVEL_TITLES.items():
        rows_by_group = {key[1]: {row.series: row for row in rows} for key, rows in ratios.items() if key[0] == level}
        if only is not None:
            rows_by_group = {group: rows for group, rows in rows_by_group.items() if group.split()[0] in only}
        decoders = [name for name in _DECODERS if any(name in rows for rows in rows_by_group.values())]
        if not decoders:
            continue
        yield f"| {title} | images | dicoxide, MB/s | {' | '.join(decoders)} |"
        yield "|---|" + "--:|" * (len(decoders) + 2)
        for group, rows in sorted(rows_by_group.items(), key=_row_order):
            speeds = [bar.value for bar in throughputs.get((level, group), []) if bar.series == DICOXIDE]
            speed = f"{speeds[0] / 1e6:.0f}" if speeds else ""
            image_count = max((row.case_count for name, row in rows.items() if name in decoders), default=0)
            cells = [_ratio_text(rows[name].median) if name in rows else "" for name in decoders]
            yield f"| {group} | {image_count} | {speed} | {' | '.join(cells)} |"
        yield ""


def _ratio_text(ratio: float) -> str:
    return f"{ratio:.{2 if ratio < 10 else 0}f}"


def _row_order(item: tuple[str, Any]) -> tuple[int, str]:
    """Return the sort key of a row: transfer syntaxes of `_SYNTAX_ORDER` first, then the others by name."""
    syntax = item[0].split()[0]
    return _SYNTAX_ORDER.index(syntax) if syntax in _SYNTAX_ORDER else len(_SYNTAX_ORDER), item[0]


def own_syntaxes(document: Document) -> set[str]:
    """Return the transfer syntaxes that dicoxide decoded itself in the run, which are the rows of README.md.

    With a fallback decoder, it has no result at the levels ``codec`` and ``pixel_array``.
    """
    keywords = {case["name"]: case["keyword"] for case in document["cases"]}
    return {
        keywords[result["case"]]
        for result in document["results"]
        if result["peer"] == DICOXIDE
        and result["level"] in ("codec", "pixel_array")
        and result["status"] != "unsupported"
    }


def loss_table(document: Document) -> Iterator[str]:
    """Yield a table of the groups in which another decoder is significantly faster."""
    yield "| dicoxide is slower | than |"
    yield "|---|---|"
    for (level, group), rows in _summary.ratios(document).items():
        faster = [f"{row.series} {row.median:.2f}" for row in rows if row.high < 1]
        if faster:
            yield f"| {group}, {_LEVEL_TITLES[level]} | {', '.join(faster)} |"
    yield ""


def exactness_table(document: Document) -> Iterator[str]:
    """Yield a table of the number of images by decoder and status, at the level ``file``."""
    yield f"| images, from a path | {' | '.join(_STATUSES.values())} |"
    yield "|---|" + "--:|" * len(_STATUSES)
    for decoder in document["peers"]:
        if decoder["status"] != "found" or "file" not in decoder["levels"]:
            continue
        key = (decoder["name"], "file", "")
        statuses = [
            result["status"]
            for result in document["results"]
            if (result["peer"], result["level"], result["variant"]) == key
        ]
        counts = [str(statuses.count(status)) for status in _STATUSES]
        yield f"| {decoder['name']} | {' | '.join(counts)} |"
    yield ""


def readme_block(folder: Path) -> str:
    """Return the generated part of README.md, including its markers."""
    document = load_document(folder / "built-in.json.gz")
    lines = [
        BEGIN,
        f"`{command(document)}`, {len(document['cases'])} images, on {machine(document)}.",
        f"The [recorded run](benches/runs/{folder.name}/README.md) also has real files and the raw data.",
        "Run time relative to dicoxide (geometric mean); below 1 the other decoder is faster.",
        "",
        *loss_table(document),
        *ratio_tables(document, own_syntaxes(document)),
        *exactness_table(document),
        END,
    ]
    return "\n".join(lines)


def run_summary(folder: Path) -> str:
    """Return the README.md of a recorded run."""
    lines = [f"# Recorded run of {folder.name[:10]}", ""]
    for path in sorted(folder.glob("*.json.gz")):
        name, document = path.name.partition(".")[0], load_document(path)
        lines += [
            f"## {name.capitalize()} images",
            "",
            f"`{command(document)}`, {len(document['cases'])} images, on {machine(document)}.",
            f"[Text output]({name}.txt), [HTML report]({name}.html), [CSV]({name}.csv), raw data: {path.name}.",
            "",
            *(f"- {note}" for note in [*_noise(document), *document["notes"]]),
            "",
            "Run time relative to dicoxide (geometric mean); below 1 the other decoder is faster.",
            "",
            *loss_table(document),
            *ratio_tables(document),
            *exactness_table(document),
        ]
    if (folder / "ratios.txt").is_file():
        lines += ["## Targets", "", "[Output of `make bench-ratios`](ratios.txt), measured directly afterwards."]
    return "\n".join(lines).rstrip() + "\n"


def command(document: Document) -> str:
    """Return the command of the run, without its output files."""
    return str(document["setup"]["command"].partition(" --json")[0])


def machine(document: Document) -> str:
    """Return CPU, date and versions of the run."""
    setup = document["setup"]
    versions = ", ".join(
        f"{decoder['name']} {decoder['version']}" for decoder in document["peers"] if decoder["status"] == "found"
    )
    return (
        f"{setup['cpu']}, {setup['cores']} cores, {setup['cpu_path']}, {setup['began'][:10]}, "
        f"Python {setup['python']}, {versions}"
    )


def _noise(document: Document) -> Iterator[str]:
    if control := document["setup"]["noise"]["control"]:
        yield f"dicoxide relative to itself: {control['median']:.2f} ({control['low']:.2f} to {control['high']:.2f})"


def main() -> int:
    """Write the generated files, or check README.md; return 1 if it is not up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only check that README.md is up to date")
    arguments = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no {BEGIN} … {END}")
    updated = before + readme_block(newest()) + after
    if arguments.check:
        return int(text != updated)
    README.write_text(updated, encoding="utf-8")
    for folder in folders():
        (folder / "README.md").write_text(run_summary(folder), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
