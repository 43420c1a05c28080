"""Prints times and peak memory of decoding single frames of a large file: `extremes` of `tables_files.py`.

Usage: read_large_file.py PATH
"""

from __future__ import annotations

import json
import statistics
import sys

import dicoxide
from peak_memory import peak_bytes
from timing import time_alternately

path = sys.argv[1]
calls = {index: lambda index=index: dicoxide.decode(path, frames=index) for index in (5, 2900, 4095)}
seconds = [duration for durations in time_alternately(calls, 7).values() for duration in durations]
print(json.dumps([statistics.median(seconds) * 1e3, max(seconds) * 1e3, peak_bytes() / (1 << 20)]))
