"""Ours against theirs in one process, in turns, every answer checked: medians, and ratios of medians.

Best times stand beside the medians: where they tell another story, the machine was busy.

python benches/ratios.py [--rounds N] [--json FILE] [table ...]

A name also takes the tables that it begins: `jpeg_lossless` is all that is measured of JPEG Lossless.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import os
import platform
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

import bulk
import dicoxide
import encode
import jpeg_lossless
import tables
from claims import Claim, Table

DECODERS = ("pydicom", "imagecodecs", "pylibjpeg-rle", "pylibjpeg-libjpeg", "python-gdcm", "dicomsdl", "SimpleITK")
TABLES = {**tables.TABLES, **jpeg_lossless.TABLES, **encode.TABLES, **bulk.TABLES}


def surroundings() -> dict[str, str | int | None]:
    """What the numbers depend on."""
    versions: dict[str, str | int | None] = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "dicoxide": dicoxide.__version__,
        "backend": dicoxide.backend,
    }
    for name in DECODERS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.platform(), **versions}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def cells(row: Sequence[str | float]) -> list[str]:
    """A row as text, with as many digits as a reader needs."""
    return [
        cell if isinstance(cell, str) else f"{cell:.{0 if cell >= 100 else 2 if cell >= 1 else 4}f}" for cell in row
    ]


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str | float]], left: int = 1) -> None:
    """An aligned table; the first `left` columns to the left, numbers to the right."""
    text = [list(header), *(cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in text) for column in range(len(header))]
    text.insert(1, ["─" * width for width in widths])
    for row in text:
        aligned = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(aligned).rstrip())


def print_table(table: Table) -> None:
    """A table as measured, or why it was not."""
    print(f"\n{table.title}\n")
    if table.skipped:
        print(f"  not measured: {table.skipped}")
    else:
        print_rows(table.header, table.rows)


def print_claims(claims: Sequence[Claim]) -> None:
    """The speed table: each target, and whether it is reached."""
    rows = [
        (
            claim.what,
            f"{claim.measured:.2f} {claim.unit}",
            "" if claim.best is None else f"{claim.best:.2f}",
            f"{'≤' if claim.at_most else '≥'} {claim.target:g} {claim.unit}",
            "pass" if claim.holds else "FAIL",
        )
        for claim in claims
    ]
    print("\nTargets\n")
    print_rows(("what", "measured", "best", "target", ""), rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write JSON where asked to; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tables", nargs="*", metavar="table", help=f"which of {', '.join(TABLES)}; all by default")
    parser.add_argument("--rounds", type=int, default=31, help="rounds of in-turn measurement (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rows, claims and versions to FILE")
    options = parser.parse_args(arguments)
    chosen = {begin: [name for name in TABLES if f"{name}_".startswith(f"{begin}_")] for begin in options.tables}
    if unknown := [begin for begin, names in chosen.items() if not names]:
        parser.error(f"no such table: {', '.join(unknown)}; there are {', '.join(TABLES)}")
    names = list(dict.fromkeys(itertools.chain(*chosen.values()))) or list(TABLES)
    # Some real files are not quite conformant: told once a file, here of no interest.
    warnings.simplefilter("ignore", dicoxide.NonConformantWarning)
    around = surroundings()
    print(", ".join(f"{name} {value}" for name, value in around.items() if value is not None))
    measured = {}
    for name in names:
        measured[name] = TABLES[name](options.rounds)
        print_table(measured[name])
    claims = [claim for table in measured.values() for claim in table.claims]
    print_claims(claims)
    if options.json:
        rows = {name: asdict(table) for name, table in measured.items()}
        document = {"surroundings": around, "rounds": options.rounds, "tables": rows}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(not all(claim.holds for claim in claims))


if __name__ == "__main__":
    sys.exit(main())
