"""Forks while a decoder with threads is open; the children decode the same image, or only end.

Argument: path of a video with at least 60 frames.
"""

from __future__ import annotations

import faulthandler
import os
import sys

import numpy as np

import dicoxide

image = dicoxide.open(sys.argv[1])
frame = image.decode(50, threads=2)
for decodes in (True, False):
    child = os.fork()
    if child == 0:
        # A child that cannot end is ended.
        faulthandler.dump_traceback_later(30, exit=True)
        if decodes:
            assert np.array_equal(image.decode(50, threads=2), frame)
            assert image.decode(51).shape == frame.shape
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    print(f"status {status}")
assert image.decode(51).shape == frame.shape
