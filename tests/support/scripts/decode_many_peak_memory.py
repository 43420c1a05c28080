"""Prints by how many MiB peak memory grows from 10 to 4000 sources of `decode_many`.

Argument: path of one source.
"""

from __future__ import annotations

import sys

import dicoxide


def peak_kib(count: int) -> int:
    for _ in dicoxide.decode_many([sys.argv[1]] * count, threads=2):
        pass
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


few = peak_kib(10)
print((peak_kib(4000) - few) / 1024)
