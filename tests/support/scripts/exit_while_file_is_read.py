"""Ends the interpreter while the threads of `decode_many` read file objects. Argument: path."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import dicoxide

data = Path(sys.argv[1]).read_bytes()


class SlowFile(io.BytesIO):
    def read(self, count: int | None = -1) -> bytes:
        # Python code that holds the interpreter most of the time.
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        return super().read(count)


results = dicoxide.decode_many((SlowFile(data) for _ in range(500)), threads=4)
next(results)
print("the end")
