"""Places and words on the axes of plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["apart", "binary", "ticks"]


def binary(size: float) -> str:
    """``512 KiB``: sizes of images are often powers of two."""
    for unit, of in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= of:
            return f"{size / of:.3g} {unit}"
    return f"{size:.0f} B"


def ticks(low: float, high: float, *, room: float) -> list[float]:
    """Round numbers of a logarithmic scale, no more than there is room for."""
    most = max(2, int(room // 32))
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    there: list[float] = []
    for steps in ((1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        found = [float(f"{step}e{exponent}") for exponent in exponents for step in steps]
        inside = [one for one in found if low <= one <= high]
        if _fits(inside, most):
            return inside
        there = inside or there
    return there[:: math.ceil(len(there) / most) or 1]


def _fits(ticks: Sequence[float], most: int) -> bool:
    """Whether there are several, and none stands closer to the next than where `most` stand evenly."""
    if len(ticks) < 2:
        return False
    closest = min(after / before for before, after in pairwise(ticks))
    return math.log(ticks[-1] / ticks[0]) <= most * math.log(closest)


def apart(places: Sequence[float]) -> list[float]:
    """Places on a logarithmic axis that leave room for their labels."""
    room = math.log(places[-1] / places[0]) / 4
    kept = [places[0]]
    for place in places[1:]:
        if math.log(place / kept[-1]) >= room:
            kept.append(place)
    return kept
