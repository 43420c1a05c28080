"""Tables of measurements, and the targets that they meet or miss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from timing import MedianTimes


@dataclass(frozen=True)
class Target:
    """A measured number and the limit that it must reach."""

    name: str
    measured: float
    limit: float
    best: float | None = None
    """The number from minimum times; far from `measured` if the machine was busy."""
    unit: str = "×"
    is_maximum: bool = False
    """True if the number must be at most `limit`, False if at least."""

    @property
    def is_met(self) -> bool:
        """True if the number reaches the limit."""
        return self.measured <= self.limit if self.is_maximum else self.measured >= self.limit


@dataclass
class Table:
    """Rows of measurements and the targets that they decide."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str | float, ...]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    skipped: str | None = None
    """The reason why nothing was measured."""

    def add_comparison(
        self, name: str, times: MedianTimes[Any], key: Any, other: Any, minimum: float | None
    ) -> tuple[float, float]:
        """Add a row with the times of two keys in ms; with `minimum`, a target for their ratio as well.

        Returns
        -------
        tuple of float
            Time of `other` divided by time of `key`: from medians, and from minimum times.
        """
        ratio, best_ratio = times[other] / times[key], times.best[other] / times.best[key]
        self.rows.append((name, times[key] * 1e3, times[other] * 1e3, ratio, best_ratio))
        if minimum is not None:
            self.targets.append(Target(name, ratio, minimum, best_ratio))
        return ratio, best_ratio
