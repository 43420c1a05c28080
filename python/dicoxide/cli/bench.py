"""``dicoxide bench``: who is exact and how fast, on one's own images."""

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
from dicoxide.cli._text import counted, numbers_type, shown

__all__ = ["add_to"]

_BUDGET_SECONDS = 150.0
# Of it: what drawing the page takes.
_DRAWING_SECONDS = 5.0


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to argparse."""
    text = "compare decoders: who is exact, and how fast, on your own images or on built-in ones"
    parser = commands.add_parser("bench", help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files, folders or globs; built-in images without any")
    parser.add_argument("--json", metavar="FILE", help="write all that was measured; - is stdout")
    parser.add_argument("--csv", metavar="FILE", help="write a row a measurement")
    parser.add_argument("--html", metavar="FILE", help="write a page with plots, which opens offline")
    parser.add_argument(
        "--budget",
        type=numbers_type(float, 1),
        default=_BUDGET_SECONDS,
        metavar="SECONDS",
        help="how long it may take; images and rounds are sampled to keep it (default: %(default)g)",
    )
    parser.add_argument("--verify", action="store_true", help="only who is exact, no speed")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME", help="compare with this decoder alone")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from dicoxide.bench._cases import built_in, mixed, of_paths
    from dicoxide.bench._decoders import PEERS
    from dicoxide.bench._run import Now, Options, run
    from dicoxide.cli._live_table import Board

    if unknown := [name for name in arguments.peer if name not in PEERS]:
        print(f"dicoxide: --peer {unknown[0]}: known are {', '.join(PEERS)}", file=sys.stderr)
        return 2
    try:
        _check_outputs(arguments)
    except (OSError, MissingExtraError) as error:
        print(f"dicoxide: {error}", file=sys.stderr)
        return 2
    budget = arguments.budget - (min(_DRAWING_SECONDS, arguments.budget / 4) if arguments.html else 0)
    options = Options(budget, _clock.seconds(), arguments.verify, tuple(arguments.peer), _command())
    with tempfile.TemporaryDirectory(prefix="dicoxide-images-") as folder, Board() as board:
        notes = []
        if arguments.paths:
            board.show(Now("looking for images", arguments.budget, arguments.budget, {}))
            cases, others = of_paths(arguments.paths)
            if others:
                notes.append(f"{counted(others, 'file')} left out: no image, or too large")
        else:
            board.show(Now("making images", arguments.budget, arguments.budget, {}))
            cases = built_in(folder)
        if not cases:
            print(f"dicoxide: no images in {' '.join(map(shown, arguments.paths))}", file=sys.stderr)
            return 1
        document = run(mixed(cases), options, notes, board.show)
    _write(arguments, document)
    return 130 if document["setup"]["interrupted"] else 0


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse before anything is measured what could not be written after it."""
    for path in (arguments.json, arguments.csv, arguments.html):
        if path not in (None, "-") and not Path(path).resolve().parent.is_dir():
            raise FileNotFoundError(f"{path}: there is no such folder")
    if arguments.html:
        from dicoxide.bench._report import require_report_packages

        require_report_packages()


def _write(arguments: argparse.Namespace, document: dict[str, Any]) -> None:
    from dicoxide.bench import _terminal

    # Files first: who reads what is printed may stop before its end.
    if arguments.json and arguments.json != "-":
        Path(arguments.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if arguments.csv:
        _terminal.write_csv(document, arguments.csv)
    if arguments.html:
        from dicoxide.bench._report import write_html

        write_html(document, arguments.html)
    report = sys.stderr if arguments.json == "-" else sys.stdout
    print("\n".join(shown(line) if "\n" not in line else line for line in _terminal.lines(document)), file=report)
    if arguments.json == "-":
        print(json.dumps(document, indent=1))


def _command() -> str:
    return shlex.join(["dicoxide", *sys.argv[1:]])
