"""Prints by how many MiB peak memory grows from 50 to 2000 series of a contact sheet.

Usage: sheet_peak_memory.py PATH OUT, of an image and of the pages.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from dicoxide.bulk.runs import FrameSelection, SourceScan, plan_tasks
from dicoxide.bulk.series import Header
from dicoxide.bulk.sheets import SheetOptions, plan_tiles, write_pages


def peak_mib() -> float:
    """Return the peak size of resident memory in MiB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


path, out = sys.argv[1:]
headers = [header for header in SourceScan([path]) if isinstance(header, Header)]
[tile] = plan_tiles(plan_tasks(headers, FrameSelection())[0])
options = SheetOptions(out, thumbnail_size=256, columns=10, rows=5)
peaks = []
for count in (50, 2000):
    tiles = [replace(tile, name=str(number)) for number in range(count)]
    pages = sum(1 for _ in write_pages(tiles, options, threads=2))
    assert pages == count // 50, pages
    peaks.append(peak_mib())
print(peaks[1] - peaks[0])
