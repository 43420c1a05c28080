"""The one place of the benches that reads a clock."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def in_turns(
    calls: Mapping[Key, Callable[[], object]],
    rounds: int,
    *,
    before: Callable[[Key], None] | None = None,
    check: Callable[[Key, object], None] | None = None,
    at_least_seconds: float = 0.0,
    cpu: bool = False,
) -> dict[Key, list[float]]:
    """Seconds that each call took, in rounds: one call of each a round, so that what slows the machine slows all.

    Every round begins with another call, so that no call always follows the same one. With ``at_least_seconds``,
    rounds end when even the quickest has run that long, and three rounds are over.

    Parameters
    ----------
    calls : mapping of key to callable
        What to time.
    rounds : int
        How often.
    before : callable, optional
        Called with the key before each call, not timed.
    check : callable, optional
        Called with the key and the result after each call, not timed.
    cpu : bool
        Count what all threads of this process run, and not what they wait for a core that others have: for calls that
        are to use one thread. On a machine of one's own it is the same.
    """
    took: dict[Key, list[float]] = {key: [] for key in calls}
    keys = list(calls)
    now = time.process_time_ns if cpu else time.perf_counter_ns
    for done in range(rounds):
        first = done % len(keys)
        for key in keys[first:] + keys[:first]:
            call = calls[key]
            if before:
                before(key)
            start = now()
            result = call()
            took[key].append((now() - start) / 1e9)
            if check:
                check(key, result)
            del result
        if at_least_seconds and done >= 2 and min(map(sum, took.values())) >= at_least_seconds:
            break
    return took


class Times(dict[Key, float]):
    """Median seconds by key, and the best beside them: a quiet machine would come near the best."""

    def __init__(self, took: Mapping[Key, list[float]]) -> None:
        super().__init__((key, statistics.median(seconds)) for key, seconds in took.items())
        self.best = {key: min(seconds) for key, seconds in took.items()}
