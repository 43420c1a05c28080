"""The only module of the package that reads a clock."""

from __future__ import annotations

import time

__all__ = ["Interval", "seconds"]


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
