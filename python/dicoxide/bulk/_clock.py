"""The only module of the package that reads a clock."""

from __future__ import annotations

import time

__all__ = ["Interval", "now"]


def now() -> float:
    """Seconds since some moment, never going back."""
    return time.monotonic()


class Interval:
    """Tells when so many seconds have passed again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = now() + seconds

    def passed(self) -> bool:
        """Whether the interval is over; if so, the next one begins."""
        if now() < self._next:
            return False
        self._next = now() + self._seconds
        return True
