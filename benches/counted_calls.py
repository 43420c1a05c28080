"""Calls from Python whose instructions `counts.py` counts: what a call costs beside its samples, which are few.

Without arguments it says what it runs on, and lists the calls; where there is no compiled core, there are none. With
names of calls it makes them; between two calls it asks for the parent of the process, where callgrind ends a count.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import dicoxide

# How often each call is made at first: the interpreter adapts to what runs often, and caches fill.
WARM = 50
# A count is of so many.
CALLS = 100

SPEC = dicoxide.FrameSpec(
    "1.2.840.10008.1.2.1",
    64,
    64,
    samples_per_pixel=1,
    bits_allocated=16,
    bits_stored=12,
    pixel_representation=0,
    photometric_interpretation="MONOCHROME2",
)


def calls() -> dict[str, Callable[[], object]]:
    """Make what is counted, by its name."""
    frame = bytes(64 * 64 * 2)
    found = importlib.util.find_spec("pydicom")
    assert found is not None
    assert found.origin is not None
    # Names that are longer take longer.
    os.chdir(Path(found.origin).parent / "data" / "test_files")
    return {
        f"{CALLS} × decode_frame from python": lambda: dicoxide.decode_frame(frame, SPEC),
        f"{CALLS} × decode path from python": lambda: dicoxide.decode("CT_small.dcm"),
    }


def main() -> None:
    """List the calls, or make them."""
    made = calls() if dicoxide.backend == "rust" else {}
    if len(sys.argv) == 1:
        print(f"{platform.python_version()} with numpy {np.__version__}", *made, sep="\n")
        return
    gc.freeze()
    gc.disable()
    for name in sys.argv[1:]:
        call = made[name]
        for _ in range(WARM):
            call()
        os.getppid()
        for _ in range(CALLS):
            call()
        os.getppid()


if __name__ == "__main__":
    main()
