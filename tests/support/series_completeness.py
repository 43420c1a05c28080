"""The property of series: every frame of every file is in one volume, or reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dicoxide.bulk import plan_series
from dicoxide.bulk.series import FileFinder, Header, read_headers


def incomplete(folder: Path) -> Iterator[str]:
    """Yield a description of each frame or file in `folder` that is lost, or is in several volumes."""
    entries = list(read_headers(FileFinder(folder), 1))
    plans = plan_series(folder, threads=1, on_error="return")
    reported = {path for path, _ in plans.errors} | {path for paths in plans.skipped.values() for path in paths}
    volumes: Counter[tuple[str, int]] = Counter()
    slices: Counter[tuple[str, int]] = Counter()
    left_out: set[tuple[str, int]] = set()
    for plan in plans:
        slices.update(plan.sources)
        volumes.update(set(plan.sources))
        left_out |= {frame for finding in plan.findings for frame in finding.left_out}
    for entry in entries:
        if not isinstance(entry, Header):
            if entry.path not in reported:
                yield f"{entry.path} is lost"
            continue
        for frame, count in Counter((frame.path, frame.frame) for frame in entry.slices).items():
            if (frame in left_out) == (frame in volumes):
                yield f"frame {frame} is {'in a volume and left out' if frame in left_out else 'lost'}"
            elif frame not in left_out and (volumes[frame], slices[frame]) != (1, count):
                yield f"frame {frame} is in {volumes[frame]} volumes and {slices[frame]} slices, {count} expected"
