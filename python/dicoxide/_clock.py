"""The only module of the package that reads a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["Interval", "now", "precise", "seconds"]


def now() -> str:
    """Date and time, in UTC (ISO 8601)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def precise() -> float:
    """Seconds since some moment, by the clock that is best for short times."""
    return time.perf_counter()


def seconds() -> float:
    """Seconds since some moment, never going back."""
    return time.monotonic()


class Interval:
    """Tells when so many seconds have passed again."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._next = seconds() + every

    def passed(self) -> bool:
        """Whether the interval is over; if so, the next one begins."""
        if seconds() < self._next:
            return False
        self._next = seconds() + self._every
        return True
