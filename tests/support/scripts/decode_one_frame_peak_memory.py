"""Decodes one frame of a large file; prints its shape, a value, and by how many MiB peak memory grew.

Arguments: path and index of the frame.
"""

from __future__ import annotations

import sys

import dicoxide


def peak_mib() -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


path, index = sys.argv[1], int(sys.argv[2])
before = peak_mib()
frame = dicoxide.decode(path, frames=index)
with dicoxide.open(path) as image:
    again = image[index - image.number_of_frames]
print(*frame.shape, frame[3, 5], (frame == again).all(), peak_mib() - before)
