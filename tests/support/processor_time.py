"""Processor time of calls, which tests compare with that of other calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def processor_seconds(work: Callable[[], Any]) -> float:
    """Return the least processor time of five calls in seconds."""
    best = float("inf")
    for _ in range(5):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best
