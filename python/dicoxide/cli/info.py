"""``dicoxide info PATH…``: what is in there, and which decoder takes it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from dicoxide._capabilities import Capability, capabilities
from dicoxide.bulk.runs._failure import Failure
from dicoxide.bulk.runs._frames import FrameSelection
from dicoxide.bulk.runs._scan_sources import Survey
from dicoxide.bulk.runs._series_metadata import series_attributes
from dicoxide.bulk.runs._tasks import Job, plan
from dicoxide.bulk.series import Header
from dicoxide.cli._progress import Progress
from dicoxide.cli._text import Departures, counted, failure_line, nothing_on_stdout, numbers_type, shown

__all__ = ["add_to", "report"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to argparse."""
    text = "what is in files and folders, and which decoder takes it"
    parser = commands.add_parser(
        "info",
        help=text,
        description=f"Show {text}. Files are shown one by one, what lies in folders and matches globs by series.",
        epilog="Exit code: 0 all well, 1 some files are no images or no decoder takes them, 2 usage.",
    )
    parser.add_argument("sources", nargs="+", metavar="PATH", help="folder (with all below), glob, or file")
    parser.add_argument("--files", action="store_true", help="show every file, also those in folders")
    parser.add_argument("--threads", metavar="N", type=numbers_type(int, 1), help="most threads; default: all cores")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, all else on stderr")
    parser.set_defaults(run=_run)


def report(sources: list[str], *, every_file: bool = False, threads: int | None = None) -> dict[str, Any]:
    """What there is to know, as what JSON can hold."""
    table = capabilities()
    named = {os.path.abspath(source) for source in sources if os.path.isfile(source)}
    survey = Survey(sources, threads=threads)
    files: list[dict[str, Any]] = []
    failures: list[Failure] = []

    def headers() -> Iterator[Header]:
        with Progress() as progress:
            for one in survey:
                progress.add(0, 1, 0, int(isinstance(one, Failure)))
                if isinstance(one, Failure):
                    failures.append(one)
                    continue
                if every_file or one.path in named:
                    files.append(_of_file(one, table))
                if _decoder(one.slices[0].file.transfer_syntax, table) is None:
                    failures.append(_nobody(one, table))
                yield one

    jobs, _, _ = plan(headers(), FrameSelection())
    if survey.found == 0 and not failures:
        failures.append(Failure(os.path.abspath(sources[0]), kind="NotDicom", message="no DICOM files"))
    return {
        "files": files,
        "series": [_of_series(job, table) for job in jobs],
        **survey.counts,
        "failures": [failure.as_json() for failure in failures],
    }


def _run(arguments: argparse.Namespace) -> int:
    with nothing_on_stdout(), Departures() as departures:
        found = report(arguments.sources, every_file=arguments.files, threads=arguments.threads)
    found["warnings"] = departures.counts
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(_lines(found)))
    for text, count in departures.counts.items():
        print(f"warning, {counted(count, 'time')}: {text}", file=sys.stderr)
    for failure in found["failures"]:
        print(failure_line(Failure(**failure)), file=sys.stderr)
    return 1 if found["failures"] else 0


def _of_file(header: Header, table: dict[str, Capability]) -> dict[str, Any]:
    attributes = series_attributes(header.path)
    first = header.slices[0]
    uid = first.file.transfer_syntax
    return {
        "path": header.path,
        "transfer_syntax": uid,
        "transfer_syntax_keyword": _keyword(uid, table),
        "decoder": _decoder(uid, table),
        "modality": header.modality or None,
        "rows": header.shape[0],
        "columns": header.shape[1],
        "samples_per_pixel": attributes.get("SamplesPerPixel"),
        "number_of_frames": len(header.slices),
        "bits_allocated": attributes.get("BitsAllocated"),
        "bits_stored": attributes.get("BitsStored"),
        "pixel_representation": attributes.get("PixelRepresentation"),
        "photometric_interpretation": attributes.get("PhotometricInterpretation"),
        "dtype": header.dtype.lstrip("<>=|"),
        "rescale": None if first.rescale is None else list(first.rescale),
        "spacing": None if first.pixel_spacing is None else list(first.pixel_spacing),
        "sop_instance_uid": first.sop_instance_uid or None,
        "series_instance_uid": header.series_instance_uid or None,
    }


def _of_series(job: Job, table: dict[str, Capability]) -> dict[str, Any]:
    syntaxes = sorted({one.file.transfer_syntax for one in job.slices})
    return {
        "name": job.name,
        "modality": job.plan.modality or None,
        "description": job.plan.description or None,
        "files": len({one.path for one in job.slices}),
        "slices": len(job.slices),
        "shape": list(job.shape),
        "slice_shape": list(job.slice_shape),
        "dtype": job.plan.dtype.str.lstrip("<>=|"),
        "spacing": job.spacing,
        "transfer_syntaxes": [
            {"uid": uid, "keyword": _keyword(uid, table), "decoder": _decoder(uid, table)} for uid in syntaxes
        ],
        "findings": job.findings,
    }


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for file in found["files"]:
        yield shown(file["path"])
        size = f"{file['rows']} rows × {file['columns']} columns × {counted(file['number_of_frames'], 'frame')}"
        samples = file["samples_per_pixel"] or 1
        bits = f"{file['bits_stored'] or file['bits_allocated']} of {file['bits_allocated']} bits"
        rescale = "none" if file["rescale"] is None else "{:g} · value + {:g}".format(*file["rescale"])
        for name, value in (
            ("modality", file["modality"]),
            ("size", f"{size}, {counted(samples, 'sample')} of {bits}, {file['dtype']}"),
            ("photometric interpretation", file["photometric_interpretation"]),
            ("rescale", rescale),
            ("transfer syntax", f"{file['transfer_syntax']} {file['transfer_syntax_keyword'] or ''}"),
            ("decoder", file["decoder"] or "nobody"),
        ):
            yield shown(f"  {name:<26}  {value if value is not None else 'not there'}".rstrip())
    if found["series"] and found["files"]:
        yield ""
    for series in found["series"]:
        shape = "×".join(map(str, series["shape"]))
        syntaxes = ", ".join(
            f"{one['keyword'] or one['uid']} by {one['decoder'] or 'nobody'}" for one in series["transfer_syntaxes"]
        )
        about = [series["modality"], series["description"], *series["findings"]]
        text = [series["name"], counted(series["files"], "file"), f"{shape} of {series['dtype']}", syntaxes]
        yield shown("  ".join([*text, *(str(one) for one in about if one)]))
    names = (("found", "DICOM file"), ("skipped", "other file skipped"), ("dicomdirs", "DICOMDIR skipped"))
    told = [f"{found[key]} {text}" if found[key] == 1 else f"{found[key]} {_plural(text)}" for key, text in names]
    yield ", ".join([*told, f"{len(found['series'])} series", counted(len(found["failures"]), "failure")])


def _plural(text: str) -> str:
    return text.replace("file", "files").replace("DICOMDIR", "DICOMDIRs")


def _keyword(uid: str, table: dict[str, Capability]) -> str | None:
    return table[uid].keyword if uid in table else None


def _decoder(uid: str, table: dict[str, Capability]) -> str | None:
    return table[uid].decoder if uid in table else None


def _nobody(header: Header, table: dict[str, Capability]) -> Failure:
    first = header.slices[0]
    uid = first.file.transfer_syntax
    why = table[uid].why if uid in table else "no image transfer syntax of PS3.6 Annex A"
    return Failure(
        header.path, first.sop_instance_uid or None, uid, "Unsupported", message=f"no decoder takes {uid}: {why}"
    )
