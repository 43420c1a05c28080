"""``dicoxide decode SRC… -o OUT``: decodes series into arrays on disk, in bounded memory, and can be resumed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from threading import Thread
from typing import Any

from dicoxide import _clock
from dicoxide._extras import FORMAT_PACKAGES, MissingExtraError, preload_format, require
from dicoxide._text_format import format_bytes, format_count, format_rate, format_seconds, table_lines, terminal_width
from dicoxide.bulk.runs import (
    ArrayTask,
    ClusterError,
    Failure,
    Ledger,
    OutputError,
    RunOptions,
    SourceScan,
    TaskResult,
    begin_output,
    count_left_out,
    finish_output,
    os_error_text,
    plan_tasks,
    remove_partials,
    run_on_cluster,
    run_tasks,
)
from dicoxide.cli._decode_options import add_options, run_options
from dicoxide.cli._decoders import task_decoders
from dicoxide.cli._progress import Progress
from dicoxide.cli._text import (
    EXIT_CODES,
    WarningCounter,
    failure_line,
    finding_lines,
    print_warnings,
    printable,
    stdout_to_stderr,
)

__all__ = ["describe"]

# Failures that are printed; errors.jsonl has all of them.
_MAX_PRINTED_FAILURES = 20

_EPILOG = f"""\
OUT gets one array per series; with --format zarr, OUT is one Zarr v3 group. A series appears in OUT when it is
complete, so a run can be killed at any time and continued with --resume. OUT/ledger.jsonl lists the finished series,
OUT/errors.jsonl the failures of the last run. A series with failed slices is written without them, and its metadata
lists them as "missing".

{EXIT_CODES}
Details: docs/bulk.md"""


def describe(parser: argparse.ArgumentParser) -> None:
    """Describe the command to argparse."""
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_options(parser)
    parser.set_defaults(run=_run)


@dataclass
class _RunState:
    """Plan, results and counts of a run, for the summary."""

    out: str | None
    options: RunOptions
    tasks: list[ArrayTask] = field(default_factory=list)
    results: dict[str, TaskResult] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    # Names of series that an earlier run has finished.
    resumed: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    # True after a failure with --on-error raise.
    stopped: bool = False


def _run(arguments: argparse.Namespace) -> int:
    try:
        options = run_options(arguments)
        if not arguments.dry_run:
            if arguments.out is None:
                raise OutputError("-o OUT is required, except with --dry-run")
            if arguments.format in FORMAT_PACKAGES:
                require(FORMAT_PACKAGES[arguments.format], feature=f"--format {arguments.format}")
            if arguments.dask:
                require("dask", "distributed", feature="--dask")
        state = _RunState(None if arguments.out is None else os.path.abspath(arguments.out), options)
        with stdout_to_stderr(), WarningCounter() as warnings:
            _scan_and_decode(arguments, state)
        state.warnings = warnings.counts
    except (ClusterError, MissingExtraError, OutputError) as error:
        print(f"dicoxide decode: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(_document(state, arguments.dry_run), indent=2))
    elif arguments.dry_run:
        print("\n".join(_plan_lines(state, terminal_width(sys.stdout))))
    _print_summary(state, arguments.dry_run)
    return 130 if state.interrupted else 1 if state.failures else 0


def _scan_and_decode(arguments: argparse.Namespace, state: _RunState) -> None:
    start = _clock.seconds()
    try:
        with ExitStack() as stack:
            if arguments.format in FORMAT_PACKAGES and not arguments.dry_run:
                # Importing takes as long as reading a few thousand headers, so it runs at the same time.
                Thread(target=preload_format, args=(arguments.format,), daemon=True).start()
            ledger = None
            if not arguments.dry_run:
                # Before the scan, which may be long: the output folder may be unusable.
                ledger = stack.enter_context(Ledger(state.out or "", arguments.format, resume=arguments.resume))
                remove_partials(ledger.out)
            _scan(arguments, state, ledger)
            if ledger is not None and not state.stopped:
                _decode(arguments, state, ledger)
        if ledger is not None and ledger.write_error is not None:
            message = f"cannot write ledger.jsonl or errors.jsonl: {os_error_text(ledger.write_error)}"
            state.failures.append(Failure(ledger.out, kind="Write", message=message))
    except KeyboardInterrupt:
        state.interrupted = True
    state.seconds = _clock.seconds() - start


def _scan(arguments: argparse.Namespace, state: _RunState, ledger: Ledger | None) -> None:
    """Read the headers of the sources and plan the tasks."""
    split = state.options.split
    scan = SourceScan(arguments.sources, exclude=state.out, threads=arguments.threads, split_by=split.split_by)
    with Progress() as progress:

        def headers() -> Iterator[Any]:
            for entry in scan:
                progress.add(0, 1, 0, int(isinstance(entry, Failure)))
                if isinstance(entry, Failure):
                    _add_failure(state, ledger, progress.print_line, entry)
                    if arguments.on_error == "raise":
                        state.stopped = True
                        return
                else:
                    yield entry

        state.tasks, failures, left_out = plan_tasks(chain(headers(), scan.unreadable), state.options.frames, split)
        for failure in failures:
            _add_failure(state, ledger, progress.print_line, failure)
        state.stopped = state.stopped or bool(failures and arguments.on_error == "raise")
        if scan.found == 0 and not state.failures:
            failure = Failure(arguments.sources[0], kind="NotDicom", message="no DICOM files")
            _add_failure(state, ledger, progress.print_line, failure)
    counts = scan.counts
    state.counts = {"files": counts.pop("found"), **counts, "left_out": left_out}


def _decode(arguments: argparse.Namespace, state: _RunState, ledger: Ledger) -> None:
    """Decode and write the tasks that an earlier run has not finished."""
    options, out = state.options, ledger.out
    fingerprints = {task.name: options.fingerprint(task) for task in state.tasks}
    state.resumed = {name for name, fingerprint in fingerprints.items() if ledger.is_finished(name, fingerprint)}
    tasks = [task for task in state.tasks if task.name not in state.resumed]
    frame_count = sum(len(task.slices) for task in tasks)
    file_count = sum(task.file_count for task in tasks)
    try:
        ledger.discard(task.name for task in tasks)
        begin_output(out, options.format)
        with Progress(frames=frame_count, files=file_count) as progress:
            run_arguments = {"stop_at_failure": arguments.on_error == "raise", "threads": arguments.threads}
            results = (
                run_on_cluster(tasks, out, options, arguments.dask, report=progress.add, **run_arguments)
                if arguments.dask and tasks
                else run_tasks(tasks, out, options, report=progress.add, **run_arguments)
            )
            try:
                for result in results:
                    state.results[result.name] = result
                    for failure in result.failures:
                        _add_failure(state, ledger, progress.print_line, failure)
                    if result.outputs:
                        # An incomplete series has no fingerprint, so that --resume tries it again.
                        fingerprint = None if result.failures else fingerprints[result.name]
                        ledger.record_finished(result.name, fingerprint, list(result.outputs), slices=result.slices)
            finally:
                results.close()
                state.frames, state.bytes = progress.frames - progress.errors, progress.bytes
        remove_partials(out)
        finish_output(out, options.format)
    except OSError as error:
        message = f"cannot write to the output folder: {os_error_text(error)}"
        _add_failure(state, ledger, Progress().print_line, Failure(out, kind="Write", message=message))
    finally:
        remove_partials(out)


def _add_failure(state: _RunState, ledger: Ledger | None, print_line: Callable[[str], None], failure: Failure) -> None:
    """Record a failure, and print it if it is one of the first."""
    state.failures.append(failure)
    if ledger is not None:
        ledger.record_failure(failure)
    if len(state.failures) <= _MAX_PRINTED_FAILURES:
        print_line(failure_line(failure))
    elif len(state.failures) == _MAX_PRINTED_FAILURES + 1:
        print_line("… more failures, listed in errors.jsonl" if ledger is not None else "… more failures")


def _status(state: _RunState, task: ArrayTask, is_dry_run: bool) -> str:
    if is_dry_run:
        return "planned"
    if task.name in state.resumed:
        return "resumed"
    result = state.results.get(task.name)
    if result is None:
        return "not done"
    if not result.outputs:
        return "failed"
    return "incomplete" if result.failures else "written"


def _document(state: _RunState, is_dry_run: bool) -> dict[str, Any]:
    """Return the JSON document of --json."""
    series = []
    for task in state.tasks:
        result = state.results.get(task.name)
        status = _status(state, task, is_dry_run)
        shape = (result.shape if result else ()) or task.shape
        leading = len(task.shape) - len(task.slice_shape)
        series.append(
            {
                "name": task.name,
                "status": status,
                "slices": len(task.slices),
                "written": result.slices if result else len(task.slices) if status == "resumed" else 0,
                "shape": list(shape),
                "slice_shape": list(shape[leading:]),
                "dtype": state.options.output_dtype(task).name,
                "decoders": task_decoders(task),
                "outputs": list(result.outputs) if result else [],
                "modality": task.plan.modality or None,
                "description": task.plan.description or None,
                "findings": task.findings,
            }
        )
    return {
        "out": state.out,
        "format": state.options.format,
        "dry_run": is_dry_run,
        "interrupted": state.interrupted,
        "series": series,
        **state.counts,
        "frames": state.frames,
        "frames_left_out": count_left_out(state.tasks),
        "bytes": state.bytes,
        "seconds": round(state.seconds, 3),
        "failures": [failure.as_json() for failure in state.failures],
        "warnings": state.warnings,
    }


def _plan_lines(state: _RunState, width: int | None) -> Iterator[str]:
    """Format the plan of --dry-run as tables, wrapped to `width` columns."""
    rows = []
    for task in state.tasks:
        shape = "×".join(map(str, task.shape))
        dtype = state.options.output_dtype(task)
        decoders = ", ".join(task_decoders(task))
        rows.append((task.name, shape, dtype.name, task.plan.modality, decoders, printable(task.plan.description)))
    yield from table_lines(rows, ("series", "shape", "type", "modality", "decoder", "description"), width=width)


def _print_summary(state: _RunState, is_dry_run: bool) -> None:
    """Print warnings, findings and counts to stderr."""
    counts = state.counts
    parts = [format_count(counts["files"], "DICOM file")] if counts else []
    if counts.get("skipped"):
        parts.append(f"{format_count(counts['skipped'], 'other file')} skipped")
    if counts.get("dicomdirs"):
        parts.append(f"{format_count(counts['dicomdirs'], 'DICOMDIR')} skipped")
    if counts.get("duplicates"):
        parts.append(f"{format_count(counts['duplicates'], 'duplicate file')} skipped")
    if counts.get("left_out"):
        parts.append(f"{format_count(counts['left_out'], 'file')} without a selected frame")
    if left_out := count_left_out(state.tasks):
        parts.append(f"{format_count(left_out, 'frame')} left out")
    statuses = [_status(state, task, is_dry_run) for task in state.tasks]
    parts += [f"{statuses.count(status)} series {status}" for status in dict.fromkeys(statuses)]
    if state.frames:
        seconds = max(state.seconds, 1e-6)
        size = f"{format_bytes(state.bytes)} in {format_seconds(seconds)} ({format_rate(state.bytes / seconds)})"
        parts.append(f"{format_count(state.frames, 'frame')}, {size}")
    parts.append(format_count(len(state.failures), "failure"))
    print_warnings(state.warnings)
    for line in finding_lines({task.name: task.findings for task in state.tasks}):
        print(f"finding: {line}", file=sys.stderr)
    print(", ".join(parts), file=sys.stderr)
    if state.interrupted:
        print("interrupted; partial results: complete series are kept, --resume continues", file=sys.stderr)
