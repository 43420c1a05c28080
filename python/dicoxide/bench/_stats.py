"""Statistics of run times: medians, quartiles, and ratios with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["ratio", "summarise"]

_RESAMPLE_COUNT = 1000
# With fewer rounds, the interval is the range of the ratios.
_MIN_BOOTSTRAP_ROUNDS = 6


def summarise(seconds: Sequence[float]) -> dict[str, Any]:
    """Return median, quartiles, 95th percentile, minimum, number of rounds and all times, in seconds."""
    percentiles = np.percentile(seconds, [50, 25, 75, 95]).tolist()
    names = ("median", "p25", "p75", "p95")
    return {
        **dict(zip(names, percentiles, strict=True)),
        "best": min(seconds),
        "rounds": len(seconds),
        "all": [round(duration, 9) for duration in seconds],
    }


def ratio(seconds: Sequence[float], dicoxide_seconds: Sequence[float]) -> dict[str, float]:
    """Return the median of the ratios of each round, with a 95 % confidence interval (bootstrap over rounds)."""
    ratios = np.asarray(seconds) / np.asarray(dicoxide_seconds)
    if len(ratios) < _MIN_BOOTSTRAP_ROUNDS:
        low, high = ratios.min(), ratios.max()
    else:
        samples = np.random.default_rng(1).integers(0, len(ratios), (_RESAMPLE_COUNT, len(ratios)))
        low, high = np.percentile(np.median(ratios[samples], axis=1), [2.5, 97.5])
    return {"median": float(np.median(ratios)), "low": float(low), "high": float(high)}
