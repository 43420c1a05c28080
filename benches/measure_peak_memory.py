"""Prints the growth of peak memory while one file is decoded, and a checksum: `memory` of `tables_processes.py`.

Usage: measure_peak_memory.py PATH {fresh,out,pydicom} SMALL_PATH
"""

from __future__ import annotations

import json
import sys

import numpy as np
from pydicom.pixels import pixel_array

import dicoxide
from peak_memory import peak_bytes


def main() -> None:
    """Decode, and print a JSON array of growth in bytes and checksum."""
    path, mode, small_path = sys.argv[1:]
    # The growth does not include imports and initialisation.
    dicoxide.decode(small_path)
    pixel_array(small_path)
    out = np.ones((200, 512, 512), np.uint16) if mode == "out" else None
    before = peak_bytes()
    result = pixel_array(path) if mode == "pydicom" else dicoxide.decode(path, out=out)
    print(json.dumps([peak_bytes() - before, int(result[::50, ::7, ::7].sum(dtype=np.int64))]))


if __name__ == "__main__":
    main()
