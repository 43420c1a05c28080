"""Timing of calls that alternate in one process. No other module of the benchmarks reads a clock."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def time_alternately(
    calls: Mapping[Key, Callable[[], object]],
    rounds: int,
    *,
    before: Callable[[Key], None] | None = None,
    check: Callable[[Key, object], None] | None = None,
    min_seconds: float = 0.0,
    use_cpu_time: bool = False,
    seed: int | None = None,
) -> dict[Key, list[float]]:
    """Return the seconds of each call. Every round makes each call once, so that disturbances affect all of them.

    Each round starts with another call, so that a call does not always follow the same one.

    Parameters
    ----------
    calls : mapping of key to callable
        The calls to time.
    rounds : int
        Number of rounds.
    before : callable, optional
        Called with the key before each call; not timed.
    check : callable, optional
        Called with the key and the result after each call; not timed.
    min_seconds : float
        If positive, stops after three rounds when each call has taken this long in total.
    use_cpu_time : bool
        Measure the CPU time of all threads of the process instead of elapsed time. For calls on one thread: waiting
        for a core that another process uses is not counted.
    seed : int, optional
        Make the calls of each round in a random order, by this seed.
    """
    seconds: dict[Key, list[float]] = {key: [] for key in calls}
    keys = list(calls)
    now = time.process_time_ns if use_cpu_time else time.perf_counter_ns
    for round_index in range(rounds):
        first = round_index % len(keys)
        order = keys[first:] + keys[:first]
        if seed is not None:
            random.Random(seed * rounds + round_index).shuffle(order)
        for key in order:
            call = calls[key]
            if before:
                before(key)
            start = now()
            result = call()
            seconds[key].append((now() - start) / 1e9)
            if check:
                check(key, result)
            del result
        if min_seconds and round_index >= 2 and min(map(sum, seconds.values())) >= min_seconds:
            break
    return seconds


class MedianTimes(dict[Key, float]):
    """Median seconds by key.

    Attributes
    ----------
    best : dict
        Minimum seconds by key; the medians of an idle machine are close to them.
    """

    def __init__(self, seconds: Mapping[Key, list[float]]) -> None:
        super().__init__((key, statistics.median(durations)) for key, durations in seconds.items())
        self.best = {key: min(durations) for key, durations in seconds.items()}
