"""Calls from Python whose instructions `counts.py` counts: the overhead of a call with few samples.

Without arguments, prints the versions that the counts depend on, then the names of the calls; none without the compiled
extension. With names of calls, makes these calls. Each series of calls is enclosed in `os.getppid`, at which callgrind
dumps its counters.
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

# Calls before counting: the interpreter specialises bytecode that runs often, and caches are filled.
WARM_UP_CALLS = 50
COUNTED_CALLS = 100

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
    """Return the calls by name, and change the working directory to the test files of pydicom."""
    frame = bytes(64 * 64 * 2)
    spec = importlib.util.find_spec("pydicom")
    assert spec is not None
    assert spec.origin is not None
    # A relative path, because the number of instructions depends on the length of the path.
    os.chdir(Path(spec.origin).parent / "data" / "test_files")
    return {
        f"{COUNTED_CALLS} × decode_frame from python": lambda: dicoxide.decode_frame(frame, SPEC),
        f"{COUNTED_CALLS} × decode path from python": lambda: dicoxide.decode("CT_small.dcm"),
    }


def main() -> None:
    """List the calls, or makes them."""
    calls_by_name = calls() if dicoxide.backend == "rust" else {}
    if len(sys.argv) == 1:
        print(f"{platform.python_version()} with numpy {np.__version__}", *calls_by_name, sep="\n")
        return
    gc.freeze()
    gc.disable()
    for name in sys.argv[1:]:
        call = calls_by_name[name]
        for _ in range(WARM_UP_CALLS):
            call()
        os.getppid()
        for _ in range(COUNTED_CALLS):
            call()
        os.getppid()


if __name__ == "__main__":
    main()
