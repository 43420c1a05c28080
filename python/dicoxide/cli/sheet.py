"""``dicoxide sheet SRC… -o FILE``: contact sheets of archives, one labelled thumbnail for each series."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from dicoxide import _clock
from dicoxide._extras import MissingExtraError, require
from dicoxide._text_format import format_count, format_seconds
from dicoxide.bulk.runs import Failure, FrameSelection, SourceScan, os_error_text, plan_tasks
from dicoxide.bulk.series import Header
from dicoxide.bulk.sheets import PageResult, SheetError, SheetOptions, TileResult, plan_tiles, write_pages
from dicoxide.cli._progress import Progress
from dicoxide.cli._text import (
    EXIT_CODES,
    WINDOW_HELP,
    WarningCounter,
    argument_type,
    failure_line,
    print_warnings,
    stdout_to_stderr,
    window_argument,
)

__all__ = ["describe"]

# Failures that are printed; the JSON document and the pages have all of them.
_MAX_PRINTED_FAILURES = 20
_MAX_THUMBNAIL = 2048
_MAX_TILES = 100

_EPILOG = f"""\
Each series has one thumbnail, of its middle slice or frame; studies share a bar with date, patient ID and description.
Files that are not images, or cannot be read, are listed on stderr and have a placeholder on the last pages. FILE is one
page, or FILE-001.png, … if there are several; the suffix selects PNG, JPEG or WebP.

{EXIT_CODES}
Details: docs/bulk.md"""


def describe(parser: argparse.ArgumentParser) -> None:
    """Describe the command to argparse."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("sources", nargs="+", metavar="SRC", help="file, folder (searched recursively), or glob")
    parser.add_argument("-o", "--out", metavar="FILE", required=True, help="output file: .png, .jpg, .jpeg or .webp")
    parser.add_argument("--title", metavar="TEXT", help="first line of each page (default: names of the sources)")
    parser.add_argument(
        "--size",
        metavar="PIXELS",
        type=argument_type(int, 32, _MAX_THUMBNAIL),
        default=192,
        help="largest width and height of a thumbnail (default: 192)",
    )
    parser.add_argument(
        "--columns",
        metavar="N",
        type=argument_type(int, 1, _MAX_TILES),
        default=8,
        help="thumbnails per row (default: 8)",
    )
    parser.add_argument(
        "--rows", metavar="N", type=argument_type(int, 1, _MAX_TILES), default=6, help="rows per page (default: 6)"
    )
    parser.add_argument(
        "--window",
        metavar="WINDOW",
        type=window_argument,
        default="first",
        help=WINDOW_HELP,
    )
    parser.add_argument("--overlays", action="store_true", help="draw overlays into the thumbnails")
    parser.add_argument(
        "--threads", metavar="N", type=argument_type(int, 1), help="maximum number of threads (default: all cores)"
    )
    parser.add_argument("--strict", action="store_true", help="treat deviations from the standard as failures")
    parser.add_argument(
        "--max-bytes",
        metavar="N",
        type=argument_type(int, 0),
        help="maximum memory for the output and scratch buffers of one thumbnail, in bytes",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document to stdout, everything else to stderr"
    )
    parser.set_defaults(run=_run)


@dataclass
class _RunState:
    """Results of a run, for the summary."""

    pages: list[PageResult] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    series: int = 0
    seconds: float = 0.0
    interrupted: bool = False

    def add_failure(self, failure: Failure, progress: Progress) -> None:
        """Record a failure, and print it if it is one of the first."""
        self.failures.append(failure)
        if len(self.failures) <= _MAX_PRINTED_FAILURES:
            progress.print_line(failure_line(failure))
        elif len(self.failures) == _MAX_PRINTED_FAILURES + 1:
            progress.print_line("… more failures, listed with --json")


def _run(arguments: argparse.Namespace) -> int:
    state = _RunState()
    try:
        require("pillow", feature="dicoxide sheet")
        options = _options(arguments)
        with stdout_to_stderr(), WarningCounter() as warnings:
            _scan_and_draw(arguments, options, state)
        state.warnings = warnings.counts
    except (MissingExtraError, SheetError) as error:
        print(f"dicoxide sheet: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(_document(state, options), indent=2))
    _print_summary(state)
    return 130 if state.interrupted else 1 if state.failures else 0


def _options(arguments: argparse.Namespace) -> SheetOptions:
    out = os.path.abspath(arguments.out)
    title = arguments.title
    if title is None:
        title = ", ".join(os.path.basename(os.path.abspath(source)) or source for source in arguments.sources)
    options = SheetOptions(
        out,
        title,
        arguments.size,
        arguments.columns,
        arguments.rows,
        arguments.window,
        arguments.overlays,
        arguments.strict,
        arguments.max_bytes,
    )
    # Before the scan, which may be long: the suffix or the output folder may be unusable.
    _ = options.image_format
    folder = os.path.dirname(out)
    if os.path.isdir(out):
        raise SheetError(f"{out} is a folder")
    if not os.path.isdir(folder):
        raise SheetError(f"{folder}: no such folder")
    if not os.access(folder, os.W_OK):
        raise SheetError(f"{folder}: permission denied")
    return options


def _scan_and_draw(arguments: argparse.Namespace, options: SheetOptions, state: _RunState) -> None:
    start = _clock.seconds()
    scan = SourceScan(arguments.sources, threads=arguments.threads)
    try:
        with Progress() as progress:

            def headers() -> Iterator[Header]:
                for entry in scan:
                    progress.add(0, 1, 0, int(isinstance(entry, Failure)))
                    if isinstance(entry, Failure):
                        state.add_failure(entry, progress)
                    else:
                        yield entry

            tasks, _, _ = plan_tasks(chain(headers(), scan.unreadable), FrameSelection())
        tiles = plan_tiles(tasks, state.failures)
        state.series = len(tiles) - len(state.failures)
        del tasks
        if not tiles:
            failure = Failure(os.path.abspath(arguments.sources[0]), kind="NotDicom", message="no DICOM files")
            state.add_failure(failure, Progress())
            return
        with Progress(frames=len(tiles), unit="thumbnails") as progress:

            def report(result: TileResult) -> None:
                progress.add(1, 0, 0, int(result.failure is not None))
                if result.failure is not None and result.tile.failure is None:
                    state.add_failure(result.failure, progress)

            with closing(write_pages(tiles, options, threads=arguments.threads, report=report)) as pages:
                state.pages.extend(pages)
    except KeyboardInterrupt:
        state.interrupted = True
    except OSError as error:
        message = f"cannot write the page: {os_error_text(error)}"
        state.add_failure(Failure(options.out, kind="Write", message=message), Progress())
    finally:
        counts = scan.counts
        state.counts = {"files": counts.pop("found"), **counts}
        state.seconds = _clock.seconds() - start


def _document(state: _RunState, options: SheetOptions) -> dict[str, Any]:
    """Return the JSON document of --json."""
    return {
        "out": options.out,
        "interrupted": state.interrupted,
        "pages": [{"path": page.path, "tiles": [_tile_json(tile) for tile in page.tiles]} for page in state.pages],
        "series": state.series,
        **state.counts,
        "seconds": round(state.seconds, 3),
        "failures": [failure.as_json() for failure in state.failures],
        "warnings": state.warnings,
    }


def _tile_json(result: TileResult) -> dict[str, Any]:
    tile = result.tile
    return {
        "name": tile.name,
        "row": result.row,
        "column": result.column,
        "path": tile.source.path if tile.source is not None else tile.name,
        "frame_index": tile.source.frame_index if tile.source is not None else None,
        "study": tile.study or None,
        "modality": tile.modality or None,
        "description": tile.description or None,
        "series_number": tile.series_number,
        "slice_shape": [tile.rows, tile.columns] if tile.source is not None else None,
        "frames": tile.frame_count,
        "volumes": tile.volume_count,
        "failure": None if result.failure is None else result.failure.kind,
    }


def _print_summary(state: _RunState) -> None:
    """Print warnings and counts to stderr."""
    counts = state.counts
    parts = [format_count(counts["files"], "DICOM file"), f"{state.series:,} series"]
    if counts["skipped"]:
        parts.append(f"{format_count(counts['skipped'], 'other file')} skipped")
    parts.append(f"{format_count(len(state.pages), 'page')} in {format_seconds(state.seconds)}")
    parts.append(format_count(len(state.failures), "failure"))
    print_warnings(state.warnings)
    print(", ".join(parts), file=sys.stderr)
    if state.interrupted:
        print("interrupted; complete pages are kept", file=sys.stderr)
