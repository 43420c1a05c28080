"""``dicoxide decode SRC… -o OUT``: an archive into arrays, in bounded memory, that can be interrupted and resumed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import numpy as np

from dicoxide import _clock
from dicoxide._extras import FORMAT_PACKAGES, MissingExtraError, preload_format, require
from dicoxide.bulk.runs._cluster import ClusterError, run_on_cluster
from dicoxide.bulk.runs._failure import Failure
from dicoxide.bulk.runs._formats import empty_partials
from dicoxide.bulk.runs._formats._zarr import begin_group, end_group
from dicoxide.bulk.runs._frames import FrameSelection
from dicoxide.bulk.runs._ledger import Ledger, OutputError
from dicoxide.bulk.runs._options import FORMATS, Options
from dicoxide.bulk.runs._run import Result, run
from dicoxide.bulk.runs._scan_sources import Survey
from dicoxide.bulk.runs._tasks import Job, plan
from dicoxide.cli._progress import Progress, size_text
from dicoxide.cli._text import Departures, counted, failure_line, nothing_on_stdout, numbers_type, shown

__all__ = ["add_to"]

# Failures that are printed; all of them are in errors.jsonl.
_PRINTED = 20

_EPILOG = """\
OUT gets one array a series; with zarr, OUT itself is one group. A series appears when it is complete, so a run may be
killed at any time; --resume goes on. ledger.jsonl lists what is finished, errors.jsonl every failure of the last run.
A series with slices that failed is written without them, named under "missing" in its attributes, never with a hole.
NIfTI data are (columns, rows, slices) in RAS. Exit code: 0 all well, 1 some inputs failed, 2 usage, 130 interrupted."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to argparse."""
    text = "decode folders, globs and files into arrays on disk, one a series"
    parser = commands.add_parser(
        "decode",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", metavar="SRC", help="folder (with all below), glob, or file")
    parser.add_argument("-o", "--out", metavar="OUT", help="output folder: new, empty, or with --resume an earlier one")
    parser.add_argument("--format", choices=FORMATS, default="zarr", help="default: zarr (a Zarr v3 group)")
    parser.add_argument("--uncompressed", action="store_true", help="no compression (zarr, nifti)")
    parser.add_argument("--rescale", action="store_true", help="modality values, float32 unless --dtype says else")
    parser.add_argument("--dtype", help="type of the arrays, such as int16 (with --rescale) or a wider integer type")
    parser.add_argument(
        "--frames", metavar="LIST", type=numbers_type(FrameSelection.parse), help="of each object, such as 0,3:10"
    )
    parser.add_argument("--threads", metavar="N", type=numbers_type(int, 1), help="most threads; default: all cores")
    parser.add_argument(
        "--on-error",
        choices=("skip", "raise"),
        default="skip",
        help="go on after a failure and report it (default), or stop at the first",
    )
    parser.add_argument("--strict", action="store_true", help="departures that are tolerated are failures")
    parser.add_argument("--max-bytes", metavar="N", type=numbers_type(int, 0), help="most bytes to decode an object to")
    parser.add_argument("--resume", action="store_true", help="go on with what an earlier run has left in OUT")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written; OUT is not touched")
    parser.add_argument(
        "--dask", metavar="ADDRESS|local", help="decode on a Dask cluster; OUT is shared by its workers"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, all else on stderr")
    parser.set_defaults(run=_run)


@dataclass
class _Account:
    """What happened, for the summary."""

    out: str | None
    options: Options
    jobs: list[Job] = field(default_factory=list)
    results: dict[str, Result] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    resumed: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    departures: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    stopped: bool = False


def _run(arguments: argparse.Namespace) -> int:
    try:
        options = _options(arguments)
        if not arguments.dry_run:
            if arguments.out is None:
                raise OutputError("-o OUT is needed, but for --dry-run")
            if arguments.format in FORMAT_PACKAGES:
                require(FORMAT_PACKAGES[arguments.format], feature=f"--format {arguments.format}")
            if arguments.dask:
                require("dask", "distributed", feature="--dask")
        account = _Account(None if arguments.out is None else os.path.abspath(arguments.out), options)
        with nothing_on_stdout(), Departures() as departures:
            _work(arguments, account)
        account.departures = departures.counts
    except (ClusterError, MissingExtraError, OutputError) as error:
        print(f"dicoxide decode: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(_document(account, arguments.dry_run), indent=2))
    elif arguments.dry_run:
        print("\n".join(_planned(account)))
    _tell(account, arguments.dry_run)
    return 130 if account.interrupted else 1 if account.failures else 0


def _options(arguments: argparse.Namespace) -> Options:
    dtype = arguments.dtype
    if dtype is not None:
        try:
            wanted = np.dtype(dtype)
        except TypeError:
            raise OutputError(f"--dtype {dtype}: no such type") from None
        if wanted.kind not in "iuf":
            raise OutputError(f"--dtype {dtype}: an integer or float type is needed")
        dtype = wanted.name
    return Options(
        format=arguments.format,
        rescale=arguments.rescale,
        dtype=dtype,
        strict=arguments.strict,
        max_bytes=arguments.max_bytes,
        frames=arguments.frames or FrameSelection(),
        compressed=not arguments.uncompressed,
    )


def _work(arguments: argparse.Namespace, account: _Account) -> None:
    began = _clock.seconds()
    try:
        with ExitStack() as stack:
            if arguments.format in FORMAT_PACKAGES and not arguments.dry_run:
                # It takes as long as reading some thousand headers, and can be done meanwhile.
                Thread(target=preload_format, args=(arguments.format,), daemon=True).start()
            # Who may not write there learns it before anything is read.
            ledger = None
            if not arguments.dry_run:
                ledger = stack.enter_context(Ledger(account.out or "", arguments.format, resume=arguments.resume))
                empty_partials(ledger.out)
            _survey(arguments, account, ledger)
            if ledger is not None and not account.stopped:
                _decode(arguments, account, ledger)
        if ledger is not None and ledger.broken is not None:
            why = f"ledger.jsonl or errors.jsonl: {(ledger.broken.strerror or str(ledger.broken)).lower()}"
            account.failures.append(Failure(ledger.out, kind="Write", message=why))
    except KeyboardInterrupt:
        account.interrupted = True
    account.seconds = _clock.seconds() - began


def _survey(arguments: argparse.Namespace, account: _Account, ledger: Ledger | None) -> None:
    """Find the sources, and plan the jobs."""
    survey = Survey(arguments.sources, exclude=account.out, threads=arguments.threads)
    with Progress() as progress:

        def headers() -> Iterator[Any]:
            for one in survey:
                progress.add(0, 1, 0, int(isinstance(one, Failure)))
                if isinstance(one, Failure):
                    _fail(account, ledger, progress.say, one)
                    if arguments.on_error == "raise":
                        account.stopped = True
                        return
                else:
                    yield one

        account.jobs, failures, left_out = plan(headers(), account.options.frames)
        for failure in failures:
            _fail(account, ledger, progress.say, failure)
        account.stopped = account.stopped or bool(failures and arguments.on_error == "raise")
        if survey.found == 0 and not account.failures:
            _fail(
                account, ledger, progress.say, Failure(arguments.sources[0], kind="NotDicom", message="no DICOM files")
            )
    counts = survey.counts
    account.counts = {"files": counts.pop("found"), **counts, "left_out": left_out}


def _decode(arguments: argparse.Namespace, account: _Account, ledger: Ledger) -> None:
    options, out = account.options, ledger.out
    prints = {job.name: options.fingerprint(job) for job in account.jobs}
    account.resumed = {name for name, fingerprint in prints.items() if ledger.is_finished(name, fingerprint)}
    jobs = [job for job in account.jobs if job.name not in account.resumed]
    frames = sum(len(job.slices) for job in jobs)
    files = sum(len({one.path for one in job.slices}) for job in jobs)
    try:
        ledger.begin(job.name for job in jobs)
        if options.format == "zarr":
            begin_group(out)
        with Progress(frames=frames, files=files) as progress:
            how = {"stop_at_failure": arguments.on_error == "raise", "threads": arguments.threads}
            results = (
                run_on_cluster(jobs, out, options, arguments.dask, report=progress.add, **how)
                if arguments.dask and jobs
                else run(jobs, out, options, report=progress.add, **how)
            )
            try:
                for result in results:
                    account.results[result.name] = result
                    for failure in result.failures:
                        _fail(account, ledger, progress.say, failure)
                    if result.outputs:
                        # One with missing slices is made again, should they be there then.
                        fingerprint = None if result.failures else prints[result.name]
                        ledger.finished(result.name, fingerprint, list(result.outputs), slices=result.slices)
            finally:
                results.close()
                account.frames, account.bytes = progress.frames - progress.errors, progress.bytes
        empty_partials(out)
        if options.format == "zarr":
            end_group(out)
    except OSError as error:
        why = f"writing the output folder: {(error.strerror or str(error)).lower()}"
        _fail(account, ledger, Progress().say, Failure(out, kind="Write", message=why))
    finally:
        empty_partials(out)


def _fail(account: _Account, ledger: Ledger | None, say: Callable[[str], None], failure: Failure) -> None:
    account.failures.append(failure)
    if ledger is not None:
        ledger.failed(failure)
    if len(account.failures) <= _PRINTED:
        say(failure_line(failure))
    elif len(account.failures) == _PRINTED + 1:
        say("… more failures are in errors.jsonl" if ledger is not None else "… and more failures")


def _status(account: _Account, job: Job, is_dry: bool) -> str:
    if is_dry:
        return "planned"
    if job.name in account.resumed:
        return "resumed"
    result = account.results.get(job.name)
    if result is None:
        return "not done"
    if not result.outputs:
        return "failed"
    return "incomplete" if result.failures else "written"


def _document(account: _Account, is_dry: bool) -> dict[str, Any]:
    series = []
    for job in account.jobs:
        result = account.results.get(job.name)
        status = _status(account, job, is_dry)
        series.append(
            {
                "name": job.name,
                "status": status,
                "slices": len(job.slices),
                "written": result.slices if result else len(job.slices) if status == "resumed" else 0,
                "shape": list(job.shape),
                "slice_shape": list(job.slice_shape),
                "dtype": account.options.result_dtype(job).name,
                "outputs": list(result.outputs) if result else [],
                "modality": job.plan.modality or None,
                "description": job.plan.description or None,
                "findings": job.findings,
            }
        )
    return {
        "out": account.out,
        "format": account.options.format,
        "dry_run": is_dry,
        "interrupted": account.interrupted,
        "series": series,
        **account.counts,
        "frames": account.frames,
        "bytes": account.bytes,
        "seconds": round(account.seconds, 3),
        "failures": [failure.as_json() for failure in account.failures],
        "warnings": account.departures,
    }


def _planned(account: _Account) -> Iterator[str]:
    for job in account.jobs:
        dtype = account.options.result_dtype(job)
        shape = "×".join(map(str, job.shape))
        about = [job.plan.modality, job.plan.description, *job.findings]
        yield shown("  ".join([job.name, f"{shape} of {dtype}", *(str(one) for one in about if one)]))


def _tell(account: _Account, is_dry: bool) -> None:
    """The summary for people."""
    counts = account.counts
    say = [] if not counts else [counted(counts["files"], "DICOM file")]
    if counts.get("skipped"):
        say.append(f"{counted(counts['skipped'], 'other file')} skipped")
    if counts.get("duplicates"):
        say.append(f"{counted(counts['duplicates'], 'file')} met twice")
    statuses = [_status(account, job, is_dry) for job in account.jobs]
    say += [f"{statuses.count(one)} series {one}" for one in dict.fromkeys(statuses)]
    if account.frames:
        speed = account.bytes / max(account.seconds, 1e-6)
        say.append(f"{counted(account.frames, 'frame')}, {size_text(account.bytes)} in {account.seconds:.1f} s")
        say.append(f"{size_text(int(speed))}/s")
    say.append(counted(len(account.failures), "failure"))
    for text, count in account.departures.items():
        print(f"warning, {counted(count, 'time')}: {text}", file=sys.stderr)
    print(", ".join(say), file=sys.stderr)
    if account.interrupted:
        print("interrupted: nothing is half-written, --resume goes on", file=sys.stderr)
