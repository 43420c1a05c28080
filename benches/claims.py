"""What a measurement says: rows of numbers, and targets that they reach or miss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clock import Times


@dataclass(frozen=True)
class Claim:
    """One line of the speed table: a measured number and the one to reach."""

    what: str
    measured: float
    target: float
    best: float | None = None
    """The same from the best times: far from `measured` where the machine was busy."""
    unit: str = "×"
    at_most: bool = False
    """Whether the number must not be above the target, rather than not below."""

    @property
    def holds(self) -> bool:
        """Whether the target is reached."""
        return self.measured <= self.target if self.at_most else self.measured >= self.target


@dataclass
class Table:
    """Rows as measured and the claims that they decide."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str | float, ...]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    skipped: str | None = None

    def race(self, what: str, took: Times[Any], ours: Any, theirs: Any, target: float | None) -> tuple[float, float]:
        """Add a row of two keys' medians; with a target, a claim too. Returns the ratios of medians and of bests."""
        ratio, best = took[theirs] / took[ours], took.best[theirs] / took.best[ours]
        self.rows.append((what, took[ours] * 1e3, took[theirs] * 1e3, ratio, best))
        if target is not None:
            self.claims.append(Claim(what, ratio, target, best))
        return ratio, best
