"""All access to clocks: the only module of the package that imports ``time``."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["Interval", "now", "precise", "seconds"]


def now() -> str:
    """Return the current date and time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def precise() -> float:
    """Return seconds of the clock with the highest resolution, from an arbitrary origin."""
    return time.perf_counter()


def seconds() -> float:
    """Return seconds of a monotonic clock, from an arbitrary origin."""
    return time.monotonic()


class Interval:
    """Paces a repeated action: :meth:`passed` returns True at most once per `every` seconds."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._next = seconds() + every

    def passed(self) -> bool:
        """Return True, and start the next interval, if the current one is over."""
        if seconds() < self._next:
            return False
        self._next = seconds() + self._every
        return True
