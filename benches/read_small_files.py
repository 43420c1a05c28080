"""Prints time per file and peak memory after 30 000 and 100 000 files: `extremes` of `tables_files.py`.

Usage: read_small_files.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dicoxide
from peak_memory import peak_bytes
from timing import time_alternately

paths = sorted(map(str, Path(sys.argv[1]).iterdir()))


def read(file_count: int) -> None:
    """Decode the first files and discard the results."""
    for _ in dicoxide.decode_many(paths[:file_count]):
        pass


read(1000)
results = []
for file_count in (30_000, 100_000):
    seconds = time_alternately({0: lambda file_count=file_count: read(file_count)}, 1)[0][0]
    results.append((seconds / file_count * 1e6, peak_bytes() / (1 << 20)))
print(json.dumps(results))
