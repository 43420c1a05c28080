"""What the runs in benches/runs/ say: a summary beside each, and the numbers of README.md, which nobody types.

python benches/kept.py [--check]: `make numbers`
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

# The rows of a table: what a user has, and what becomes of it.
_LEVELS = {
    "file": "a file to its array",
    "rescaled": "a file to float32 modality values",
    "pixel_array": "a Dataset's `pixel_array`, after `enable()`",
    "codec": "the bytes of one frame to its array",
    "bulk": "many files",
}
_PEERS = ("pydicom", "gdcm", "pylibjpeg", "dicomsdl", "imagecodecs", "SimpleITK", "highdicom")
# What README.md shows: decoded by dicoxide itself.
_OWN = (
    *("ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "ExplicitVRBigEndian", "DeflatedExplicitVRLittleEndian"),
    *("RLELossless", "JPEGLossless", "JPEGLosslessSV1"),
)
_BAD = ("wrong", "crashed", "error")

Document = dict[str, Any]


def folders() -> list[Path]:
    """Those of whole runs, the newest last: names begin with their date, and `new` is being made."""
    return sorted(RUNS.glob("[0-9]*"))


def newest() -> Path:
    """The folder of the newest run."""
    return folders()[-1]


def document(path: Path) -> Document:
    """What `dicoxide bench --json` wrote, packed."""
    found: Document = json.loads(gzip.decompress(path.read_bytes()))
    return found


def tables(run: Document, only: Container[str] | None = None) -> Iterator[str]:
    """For each level, transfer syntaxes (`only` these) by peers: how many times as long as ours each takes."""
    ratios = _summary.ratios(run)
    speeds = _summary.throughput(run)
    for level, what in _LEVELS.items():
        of_level = {key[1]: {row.peer: row for row in rows} for key, rows in ratios.items() if key[0] == level}
        if only is not None:
            of_level = {name: rows for name, rows in of_level.items() if name.split()[0] in only}
        peers = [peer for peer in _PEERS if any(peer in rows for rows in of_level.values())]
        if not peers:
            continue
        yield f"| {what} | images | dicoxide, MB/s | {' | '.join(peers)} |"
        yield "|---|" + "--:|" * (len(peers) + 2)
        for name, rows in sorted(of_level.items(), key=_place):
            ours = [bar.value for bar in speeds.get((level, name), []) if bar.peer == DICOXIDE]
            speed = f"{ours[0] / 1e6:.0f}" if ours else ""
            images = max((row.case_count for peer, row in rows.items() if peer in peers), default=0)
            cells = [
                f"{rows[peer].median:.{2 if rows[peer].median < 10 else 0}f}" if peer in rows else "" for peer in peers
            ]
            yield f"| {name} | {images} | {speed} | {' | '.join(cells)} |"
        yield ""


def _place(item: tuple[str, Any]) -> tuple[int, str]:
    """What dicoxide decodes itself in the order above, then the rest by name."""
    syntax = item[0].split()[0]
    return _OWN.index(syntax) if syntax in _OWN else len(_OWN), item[0]


def losses(run: Document) -> Iterator[str]:
    """Where another is faster: by level and transfer syntax."""
    yield "| dicoxide loses | to |"
    yield "|---|---|"
    for (level, name), rows in _summary.ratios(run).items():
        faster = [f"{row.peer} {row.median:.2f}" for row in rows if row.high < 1]
        if faster:
            yield f"| {name}, {_LEVELS[level]} | {', '.join(faster)} |"
    yield ""


def exactness(run: Document) -> Iterator[str]:
    """Of each decoder, how many of its answers were wrong, crashed or were errors."""
    yield "| from a file | right | not confirmed | wrong | crashed | error | disputed |"
    yield "|---|" + "--:|" * 6
    names = [peer["name"] for peer in run["peers"] if peer["status"] == "found" and "file" in peer["levels"]]
    for name in names:
        mine = [one for one in run["results"] if (one["peer"], one["level"], one["variant"]) == (name, "file", "")]
        counts = [sum(one["status"] == s for one in mine) for s in ("ok", "unchecked", *_BAD, "disputed")]
        yield f"| {name} | {' | '.join(map(str, counts))} |"
    yield ""


def block(folder: Path) -> str:
    """What stands between the marks in README.md."""
    run = document(folder / "built-in.json.gz")
    lines = [
        BEGIN,
        f"`{command(run)}` of {len(run['cases'])} images, on {machine(run)}.",
        f"[The whole run](benches/runs/{folder.name}/README.md) has real files, too, and the raw data.",
        "Numbers are how many times as long as dicoxide another takes, geometric means: below 1 it is faster.",
        "",
        *losses(run),
        *tables(run, _OWN),
        *exactness(run),
        END,
    ]
    return "\n".join(lines)


def summary(folder: Path) -> str:
    """What stands in the folder of a run, beside its data."""
    lines = [f"# A run of {folder.name[:10]}", ""]
    for path in sorted(folder.glob("*.json.gz")):
        name, run = path.name.partition(".")[0], document(path)
        lines += [
            f"## {name.capitalize()} images",
            "",
            f"`{command(run)}`: {len(run['cases'])} images, on {machine(run)}.",
            f"[As printed]({name}.txt), [as a page]({name}.html), [a row a result]({name}.csv), raw: {path.name}.",
            "",
            *(f"- {note}" for note in [*_noise(run), *run["notes"]]),
            "",
            "How many times as long as dicoxide another takes; geometric means; below 1 it is faster:",
            "",
            *losses(run),
            *tables(run),
            *exactness(run),
        ]
    if (folder / "ratios.txt").is_file():
        lines += ["## Targets", "", "[What `make bench-ratios` printed](ratios.txt), right after it."]
    return "\n".join(lines).rstrip() + "\n"


def command(run: Document) -> str:
    """What was typed, without where it was written to."""
    return str(run["setup"]["command"].partition(" --json")[0])


def machine(run: Document) -> str:
    """Where and with what it was made."""
    setup = run["setup"]
    versions = ", ".join(f"{one['name']} {one['version']}" for one in run["peers"] if one["status"] == "found")
    return (
        f"{setup['cpu']}, {setup['cores']} cores, {setup['cpu_path']}, {setup['began'][:10]}, "
        f"Python {setup['python']}, {versions}"
    )


def _noise(run: Document) -> Iterator[str]:
    noise = run["setup"]["noise"]
    if control := noise["control"]:
        yield f"dicoxide against itself: {control['median']:.2f} ({control['low']:.2f} to {control['high']:.2f})"


def main() -> int:
    """Write the block, or tell whether it is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only tell whether README.md has them")
    arguments = parser.parse_args()
    text = README.read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"README.md has no {BEGIN} … {END}")
    wanted = before + block(newest()) + after
    if arguments.check:
        return int(text != wanted)
    README.write_text(wanted, encoding="utf-8")
    for folder in folders():
        (folder / "README.md").write_text(summary(folder), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
