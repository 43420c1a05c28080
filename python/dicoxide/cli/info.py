"""``dicoxide info PATH…``: series and images in files and folders, and the decoder of each transfer syntax."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from dicoxide._capabilities import Capability, capabilities
from dicoxide._decode import open as open_image
from dicoxide._text_format import format_count, table_lines, terminal_width
from dicoxide.bulk.runs import (
    ArrayTask,
    Failure,
    FrameSelection,
    SourceScan,
    count_left_out,
    plan_tasks,
    series_attributes,
)
from dicoxide.bulk.series import Header
from dicoxide.cli._decoders import codec_of, task_decoders
from dicoxide.cli._progress import Progress
from dicoxide.cli._text import (
    EXIT_CODES,
    WarningCounter,
    argument_type,
    failure_line,
    finding_lines,
    print_warnings,
    printable,
    stdout_to_stderr,
)
from dicoxide.errors import DecodeError

__all__ = ["describe", "report"]


def describe(parser: argparse.ArgumentParser) -> None:
    """Describe the command to argparse."""
    parser.description = (
        f"{parser.description} Files named on the command line are shown one by one; files in folders, or matching a "
        "glob, are grouped by series."
    )
    parser.epilog = f"{EXIT_CODES} A file that is not an image, or that no decoder supports, is a failed input."
    parser.add_argument("sources", nargs="+", metavar="PATH", help="file, folder (searched recursively), or glob")
    parser.add_argument("--files", action="store_true", help="show every file, including those in folders")
    parser.add_argument(
        "--threads", metavar="N", type=argument_type(int, 1), help="maximum number of threads (default: all cores)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document to stdout, everything else to stderr"
    )
    parser.set_defaults(run=_run)


def report(sources: list[str], *, every_file: bool = False, threads: int | None = None) -> dict[str, Any]:
    """Return files, series, counts and failures, as JSON values."""
    capability_by_uid = capabilities()
    named_paths = {os.path.abspath(source) for source in sources if os.path.isfile(source)}
    scan = SourceScan(sources, threads=threads)
    files: list[dict[str, Any]] = []
    failures: list[Failure] = []

    def headers() -> Iterator[Header]:
        with Progress() as progress:
            for entry in scan:
                progress.add(0, 1, 0, int(isinstance(entry, Failure)))
                if isinstance(entry, Failure):
                    failures.append(entry)
                    continue
                if every_file or entry.path in named_paths:
                    files.append(_file_report(entry, capability_by_uid))
                if _decoder(entry.slices[0].file.transfer_syntax, capability_by_uid) is None:
                    failures.append(_no_decoder_failure(entry, capability_by_uid))
                yield entry

    tasks, _, _ = plan_tasks(chain(headers(), scan.unreadable), FrameSelection())
    if scan.found == 0 and not failures:
        failures.append(Failure(os.path.abspath(sources[0]), kind="NotDicom", message="no DICOM files"))
    return {
        "files": files,
        "series": [_series_report(task, capability_by_uid) for task in tasks],
        **scan.counts,
        "frames_left_out": count_left_out(tasks),
        "failures": [failure.as_json() for failure in failures],
    }


def _run(arguments: argparse.Namespace) -> int:
    with stdout_to_stderr(), WarningCounter() as warnings:
        document = report(arguments.sources, every_file=arguments.files, threads=arguments.threads)
    document["warnings"] = warnings.counts
    if arguments.json:
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(_lines(document, terminal_width(sys.stdout))))
    print_warnings(warnings.counts)
    for failure in document["failures"]:
        print(failure_line(Failure(**failure)), file=sys.stderr)
    return 1 if document["failures"] else 0


def _file_report(header: Header, capability_by_uid: dict[str, Capability]) -> dict[str, Any]:
    attributes = series_attributes(header.path)
    first = header.slices[0]
    uid = first.file.transfer_syntax
    return {
        "path": header.path,
        "transfer_syntax": uid,
        "transfer_syntax_keyword": _keyword(uid, capability_by_uid),
        "decoder": _decoder(uid, capability_by_uid),
        "codec": codec_of(uid),
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
        "real_world_value_maps": _real_world_value_maps(header.path),
        "spacing": None if first.pixel_spacing is None else list(first.pixel_spacing),
        "sop_instance_uid": first.sop_instance_uid or None,
        "series_instance_uid": header.series_instance_uid or None,
    }


def _real_world_value_maps(path: str) -> list[dict[str, Any]]:
    """Return the maps to real-world values of the first frame, as JSON values; empty if they are invalid."""
    try:
        with open_image(path) as image:
            maps = image.real_world_value_maps()
    except (DecodeError, OSError):
        return []
    return [
        {
            "label": value_map.label,
            "units": value_map.units or value_map.units_meaning,
            "quantities": [meaning or value for value, meaning in value_map.quantities],
            "first": _finite(value_map.first),
            "last": _finite(value_map.last),
            "slope": value_map.slope,
            "intercept": value_map.intercept,
        }
        for value_map in maps
    ]


def _finite(number: float) -> float | None:
    """Return `number`, or None if it is infinite, which JSON cannot express."""
    return number if math.isfinite(number) else None


def _series_report(task: ArrayTask, capability_by_uid: dict[str, Capability]) -> dict[str, Any]:
    uids = sorted({frame.file.transfer_syntax for frame in task.slices})
    return {
        "name": task.name,
        "modality": task.plan.modality or None,
        "description": task.plan.description or None,
        "files": task.file_count,
        "slices": len(task.slices),
        "shape": list(task.shape),
        "slice_shape": list(task.slice_shape),
        "dtype": task.plan.dtype.str.lstrip("<>=|"),
        "spacing": task.spacing,
        "transfer_syntaxes": [
            {
                "uid": uid,
                "keyword": _keyword(uid, capability_by_uid),
                "decoder": _decoder(uid, capability_by_uid),
                "codec": codec_of(uid),
            }
            for uid in uids
        ],
        "decoders": task_decoders(task),
        "findings": task.findings,
    }


def _lines(document: dict[str, Any], width: int | None) -> Iterator[str]:
    """Format a report as text; tables are wrapped to `width` columns."""
    for file in document["files"]:
        yield printable(file["path"])
        yield from table_lines(_file_rows(file), width=width)
        yield ""
    if document["series"]:
        header = ("series", "files", "shape", "type", "modality", "transfer syntax", "decoder", "description")
        rows = [tuple(map(printable, _series_row(series))) for series in document["series"]]
        yield from table_lines(rows, header, right_aligned={1}, width=width)
        yield ""
    findings = list(finding_lines({series["name"]: series["findings"] for series in document["series"]}))
    if findings:
        yield "Findings"
        yield from (f"  {line}" for line in findings)
        yield ""
    counts = [format_count(document["found"], "DICOM file")]
    counts += [f"{format_count(document['skipped'], 'other file')} skipped"] if document["skipped"] else []
    counts += [f"{format_count(document['dicomdirs'], 'DICOMDIR')} skipped"] if document["dicomdirs"] else []
    counts += [f"{format_count(document['duplicates'], 'duplicate file')} skipped"] if document["duplicates"] else []
    counts += [format_count(len(document["series"]), "series", "series")]
    if document["frames_left_out"]:
        counts += [f"{format_count(document['frames_left_out'], 'frame')} left out"]
    yield ", ".join([*counts, format_count(len(document["failures"]), "failure")])


def _file_rows(file: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of the attributes of a file; absent ones are left out."""
    frames = format_count(file["number_of_frames"], "frame")
    samples = format_count(file["samples_per_pixel"] or 1, "sample")
    bits = f"{file['bits_stored'] or file['bits_allocated']} of {file['bits_allocated']} bits"
    rescale = "none" if file["rescale"] is None else "slope {:g}, intercept {:g}".format(*file["rescale"])
    rows = (
        ("modality", file["modality"]),
        ("size", f"{file['rows']} rows × {file['columns']} columns, {frames}"),
        ("samples", f"{samples} per pixel, {bits} stored, type {np.dtype(file['dtype'])}"),
        ("photometric interpretation", file["photometric_interpretation"]),
        ("rescale", rescale),
        ("real-world values", "; ".join(map(_map_text, file["real_world_value_maps"])) or None),
        ("transfer syntax", f"{file['transfer_syntax']} {file['transfer_syntax_keyword'] or '(unknown)'}"),
        ("decoder", file["decoder"] or "none"),
        ("codec", file["codec"]),
    )
    return [(name, printable(value)) for name, value in rows if value is not None]


def _map_text(value_map: dict[str, Any]) -> str:
    names = ", ".join(filter(None, [value_map["label"], *value_map["quantities"]])) or "unnamed"
    return f"{names} in {value_map['units'] or 'unknown units'}"


def _series_row(series: dict[str, Any]) -> tuple[str, ...]:
    syntaxes = series["transfer_syntaxes"]
    return (
        series["name"],
        f"{series['files']}",
        "×".join(map(str, series["shape"])),
        str(np.dtype(series["dtype"])),
        series["modality"] or "",
        ", ".join(syntax["keyword"] or syntax["uid"] for syntax in syntaxes),
        ", ".join(series["decoders"]),
        series["description"] or "",
    )


def _keyword(uid: str, capability_by_uid: dict[str, Capability]) -> str | None:
    return capability_by_uid[uid].keyword if uid in capability_by_uid else None


def _decoder(uid: str, capability_by_uid: dict[str, Capability]) -> str | None:
    return capability_by_uid[uid].decoder if uid in capability_by_uid else None


def _no_decoder_failure(header: Header, capability_by_uid: dict[str, Capability]) -> Failure:
    first = header.slices[0]
    uid = first.file.transfer_syntax
    reason = capability_by_uid[uid].why if uid in capability_by_uid else "not an image transfer syntax of PS3.6 Annex A"
    message = f"no decoder for transfer syntax {uid}: {reason}"
    return Failure(header.path, first.sop_instance_uid or None, uid, "Unsupported", message=message)
