"""Compares the NIfTI files that dicoxide and other converters write for the series of folders.

python benches/compare_volumes.py [--with dcm2niix,dicom2nifti,SimpleITK] [--json FILE] [--all] FOLDER ...

Volumes are equal if shape, rescaled values and order of the fourth axis are, and the world coordinates of all corners
agree within 0.001 mm. See "Volumes against other converters" in benches/README.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dicoxide
import volume_files
import volume_series
from dicoxide._text_format import table_lines
from volume_series import EQUAL, Outcome


def compare_folder(folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """Convert a folder by dicoxide and each other converter; return one record for each other converter."""
    records = []
    with tempfile.TemporaryDirectory() as scratch:
        ours = volume_files.convert("dicoxide", folder, Path(scratch, "dicoxide"))
        for name in names:
            other = volume_files.convert(name, folder, Path(scratch, name))
            outcomes = list(volume_series.compare(ours, other, name))
            record = {
                "folder": str(folder),
                "converter": name,
                "seconds": {"dicoxide": round(ours.seconds, 3), name: round(other.seconds, 3)},
                "derived_files": [item.path.name for item in other.files if item.is_derived],
                "outcomes": [asdict(outcome) for outcome in outcomes],
            }
            records.append(record)
    return records


def outcome_lines(record: dict[str, Any], *, show_all: bool) -> Iterator[str]:
    """Return one line for each series; without `show_all`, only for those that are not equal or have notes."""
    rows = []
    for fields in record["outcomes"]:
        outcome = Outcome(**fields)
        if show_all or outcome.status != EQUAL or outcome.notes:
            findings = [f"finding: {text}" for text in outcome.findings if outcome.status != EQUAL]
            text = "; ".join([*outcome.details, *findings, *(f"({note})" for note in outcome.notes)])
            rows.append((outcome.status, outcome.series_uids[0][-16:], outcome.description[:40], text))
    return table_lines(rows) if rows else iter(["  all equal"])


def summary_lines(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Return the number of series by status, and the seconds, for each folder and converter, and in total."""
    statuses = list(dict.fromkeys(outcome["status"] for record in records for outcome in record["outcomes"]))
    statuses.sort(key=lambda status: (status != EQUAL, not status.startswith(EQUAL), status))
    rows = []
    for name in dict.fromkeys(record["converter"] for record in records):
        own = [record for record in records if record["converter"] == name]
        for label, group in [*((record["folder"], [record]) for record in own), ("total", own)]:
            counts = Counter(outcome["status"] for record in group for outcome in record["outcomes"])
            seconds = [sum(record["seconds"][key] for record in group) for key in ("dicoxide", name)]
            times = tuple(f"{value:.2f}" for value in seconds)
            rows.append((name, label, *(str(counts[status]) for status in statuses), *times))
    header = ("converter", "folder", *statuses, "dicoxide s", "other s")
    return table_lines(rows, header, right_aligned=range(2, len(header)))


def _versions(names: Sequence[str]) -> dict[str, str]:
    packages = {"dicoxide": dicoxide.__version__}
    for name in names:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # dcm2niix from another source than its package
            packages[name] = "unknown"
    return packages


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the folders; return 1 if a series is different or refused by dicoxide only."""
    installed = list(volume_files.installed_converters())
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--with", dest="names", metavar="NAMES", help=f"converters (installed: {','.join(installed)})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all outcomes to FILE")
    parser.add_argument("--all", action="store_true", help="print equal series too")
    options = parser.parse_args(arguments)
    names = options.names.split(",") if options.names else installed
    if unavailable := [name for name in names if name not in installed]:
        parser.error(
            f"{', '.join(unavailable)} not installed; installed converters are {', '.join(installed) or 'none'}"
        )
    warnings.simplefilter("ignore")
    records = []
    for folder in options.folders:
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder")
        for record in compare_folder(folder, names):
            records.append(record)
            print(f"\n{folder}, {record['converter']}")
            print("\n".join(outcome_lines(record, show_all=options.all)), flush=True)
    print()
    print("\n".join(summary_lines(records)))
    if options.json:
        document = {"versions": _versions(names), "comparisons": records}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    statuses = {outcome["status"] for record in records for outcome in record["outcomes"]}
    return int(bool(statuses & {volume_series.DIFFERENT, "refused by dicoxide"}))


if __name__ == "__main__":
    sys.exit(main())
