"""Decodes on 64 threads in a process that may take only 16 MiB more, too little for their stacks."""

from __future__ import annotations

import resource

import numpy as np

import dicoxide
from dicoxide import _backend
from dicoxide._options import DecodeOptions

frames = np.ones((64, 1024, 1024), np.uint8)
spec = dicoxide.FrameSpec("1.2.840.10008.1.2.1", 1024, 1024, bits_allocated=8)
opened = _backend.core.Frames(spec, frames.tobytes(), number_of_frames=64)
out = np.zeros_like(frames)
with open("/proc/self/statm") as file:
    used_bytes = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used_bytes + (16 << 20), resource.RLIM_INFINITY))
opened.decode_into(out, list(range(64)), DecodeOptions(threads=64))
assert out.min() == 1
