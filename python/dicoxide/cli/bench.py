"""``dicoxide bench``: verify and benchmark installed decoders."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from dicoxide import _clock
from dicoxide._extras import MissingExtraError
from dicoxide._text_format import format_count, terminal_width
from dicoxide.cli._text import argument_type, printable

__all__ = ["describe"]

_BUDGET_SECONDS = 150.0
# Part of the budget that is reserved for drawing the HTML report.
_DRAWING_SECONDS = 5.0


def describe(parser: argparse.ArgumentParser) -> None:
    """Describe the command to argparse."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="file, folder (searched recursively), or glob (default: built-in images)",
    )
    parser.add_argument("--json", metavar="FILE", help="write all results as JSON; - for stdout")
    parser.add_argument("--csv", metavar="FILE", help="write a table with one row per result")
    parser.add_argument("--html", metavar="FILE", help="write a report with charts, in one file")
    parser.add_argument(
        "--budget",
        type=argument_type(float, 1),
        default=_BUDGET_SECONDS,
        metavar="SECONDS",
        help="time limit; images and rounds are sampled to keep it (default: %(default)g)",
    )
    parser.add_argument("--verify", action="store_true", help="verify results only, without timing")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME", help="compare with this decoder only; repeatable"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from dicoxide import bench
    from dicoxide.cli._live_table import LiveTable

    if unknown := [name for name in arguments.peer if name not in bench.DECODERS]:
        print(
            f"dicoxide bench: unknown decoder {unknown[0]} (--peer); known decoders are {', '.join(bench.DECODERS)}",
            file=sys.stderr,
        )
        return 2
    try:
        _check_outputs(arguments)
    except (OSError, MissingExtraError) as error:
        print(f"dicoxide bench: {error}", file=sys.stderr)
        return 2
    budget = arguments.budget - (min(_DRAWING_SECONDS, arguments.budget / 4) if arguments.html else 0)
    options = bench.BenchOptions(budget, _clock.seconds(), arguments.verify, tuple(arguments.peer), _command())
    with tempfile.TemporaryDirectory(prefix="dicoxide-images-") as folder, LiveTable() as table:
        notes = []
        if arguments.paths:
            table.show(bench.BenchProgress("searching for images", arguments.budget, arguments.budget, {}))
            cases, skipped_count = bench.cases_from_paths(arguments.paths)
            if skipped_count:
                notes.append(f"{format_count(skipped_count, 'file')} skipped: not an image, or too large")
        else:
            table.show(bench.BenchProgress("generating images", arguments.budget, arguments.budget, {}))
            cases = bench.built_in_cases(folder)
        if not cases:
            print(f"dicoxide bench: no images in {' '.join(map(printable, arguments.paths))}", file=sys.stderr)
            return 1
        document = bench.run(bench.sampling_order(cases), options, notes, table.show)
    _write(arguments, document)
    return 130 if document["setup"]["interrupted"] else 0


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Raise an error, before anything is measured, if an output cannot be written."""
    for path in (arguments.json, arguments.csv, arguments.html):
        if path not in (None, "-") and not Path(path).resolve().parent.is_dir():
            raise FileNotFoundError(f"{path}: the folder does not exist")
    if arguments.html:
        from dicoxide.bench import require_report_packages

        require_report_packages()


def _write(arguments: argparse.Namespace, document: dict[str, Any]) -> None:
    from dicoxide import bench

    # Files first: the reader of stdout may close it early.
    if arguments.json and arguments.json != "-":
        Path(arguments.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if arguments.csv:
        bench.write_csv(document, arguments.csv)
    if arguments.html:
        bench.write_html(document, arguments.html)
    stream = sys.stderr if arguments.json == "-" else sys.stdout
    # A line may begin with the line feed of an empty line.
    lines = "\n".join(bench.report_lines(document, terminal_width(stream))).split("\n")
    print("\n".join(map(printable, lines)), file=stream)
    if arguments.json == "-":
        print(json.dumps(document, indent=1))


def _command() -> str:
    return shlex.join(["dicoxide", *sys.argv[1:]])
