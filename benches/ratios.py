"""Measures dicoxide and other decoders alternately in one process, and compares the ratios with targets.

Every result is checked. Ratios are of medians; ratios of minimum times are shown as well: if they differ much, the
machine was busy.

python benches/ratios.py [--rounds N] [--json FILE] [table ...]

The name of a table also selects those that start with it: `jpeg_lossless` selects all tables of JPEG Lossless.
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

import dicoxide
import tables_archive
import tables_calls
import tables_converters
import tables_encode
import tables_files
import tables_frames
import tables_jpeg
import tables_jpeg2000
import tables_jpeg_lossless
import tables_jpegls
import tables_jpegxl
import tables_rendering
from dicoxide._backend import core
from dicoxide._text_format import table_lines
from targets import Table, Target

PACKAGES = ("pydicom", "imagecodecs", "pylibjpeg-rle", "pylibjpeg-libjpeg", "python-gdcm", "dicomsdl", "SimpleITK")
TABLES = {
    **tables_frames.TABLES,
    **tables_jpeg_lossless.TABLES,
    **tables_jpeg.TABLES,
    **tables_jpegls.TABLES,
    **tables_jpeg2000.TABLES,
    **tables_jpegxl.TABLES,
    **tables_rendering.TABLES,
    **tables_encode.TABLES,
    **tables_calls.TABLES,
    **tables_files.TABLES,
    **tables_archive.TABLES,
    **tables_converters.TABLES,
}


def environment() -> dict[str, str | int | None]:
    """Return machine and versions."""
    versions: dict[str, str | int | None] = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "dicoxide": dicoxide.__version__,
        "backend": dicoxide.backend,
        "cpu level": core.CPU_PATH,
    }
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {"cpu": _cpu_name(), "cores": os.cpu_count(), "system": platform.platform(), **versions}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def cell_text(cell: str | float) -> str:
    """Format a number with at least two significant digits."""
    return cell if isinstance(cell, str) else f"{cell:.{0 if cell >= 100 else 2 if cell >= 1 else 4}f}"


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Print a table with the first column left-aligned."""
    texts = [tuple(map(cell_text, row)) for row in rows]
    print("\n".join(table_lines(texts, header, right_aligned=range(1, len(header)))))


def print_table(table: Table) -> None:
    """Print a table, or why it was not measured."""
    print(f"\n{table.title}\n")
    if table.skipped:
        print(f"  not measured: {table.skipped}")
    else:
        print_rows(table.header, table.rows)


def print_targets(targets: Sequence[Target]) -> None:
    """Print each target with the measured value."""
    rows = [
        (
            target.name,
            f"{target.measured:.2f} {target.unit}",
            "" if target.best is None else f"{target.best:.2f}",
            f"{'≤' if target.is_maximum else '≥'} {target.limit:g} {target.unit}",
            "pass" if target.is_met else "FAIL",
        )
        for target in targets
    ]
    print("\nTargets\n")
    print_rows(("measurement", "measured", "best", "target", ""), rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print tables; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tables", nargs="*", metavar="table", help=f"of {', '.join(TABLES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=31, help="rounds of alternating calls (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rows, targets and versions to FILE")
    options = parser.parse_args(arguments)
    names_by_prefix = {
        prefix: [name for name in TABLES if f"{name}_".startswith(f"{prefix}_")] for prefix in options.tables
    }
    if unknown := [prefix for prefix, names in names_by_prefix.items() if not names]:
        parser.error(f"unknown table {', '.join(unknown)}; known tables are {', '.join(TABLES)}")
    names = list(dict.fromkeys(itertools.chain(*names_by_prefix.values()))) or list(TABLES)
    # Some real files are not conformant.
    warnings.simplefilter("ignore", dicoxide.NonConformantWarning)
    versions = environment()
    print(", ".join(f"{name} {value}" for name, value in versions.items() if value is not None))
    tables = {}
    for name in names:
        tables[name] = TABLES[name](options.rounds)
        print_table(tables[name])
    targets = [target for table in tables.values() for target in table.targets]
    print_targets(targets)
    if options.json:
        records = {name: asdict(table) for name, table in tables.items()}
        document = {"environment": versions, "rounds": options.rounds, "tables": records}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return int(not all(target.is_met for target in targets))


if __name__ == "__main__":
    sys.exit(main())
