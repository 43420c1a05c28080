"""What times say: medians, and ratios with the interval that chance leaves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["ratio", "summary"]

_RESAMPLED = 1000
# With fewer rounds, the interval is from the least to the most.
_FEW = 6


def summary(seconds: Sequence[float]) -> dict[str, Any]:
    """Median, quartiles, 95th percentile, best and number of rounds, in seconds."""
    quartiles = np.percentile(seconds, [50, 25, 75, 95]).tolist()
    names = ("median", "p25", "p75", "p95")
    return {
        **dict(zip(names, quartiles, strict=True)),
        "best": min(seconds),
        "rounds": len(seconds),
        "all": [round(one, 9) for one in seconds],
    }


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, float]:
    """Median of their time over ours, round by round, with its 95 % confidence interval (bootstrap over rounds)."""
    each = np.asarray(theirs) / np.asarray(ours)
    if len(each) < _FEW:
        low, high = each.min(), each.max()
    else:
        chosen = np.random.default_rng(1).integers(0, len(each), (_RESAMPLED, len(each)))
        low, high = np.percentile(np.median(each[chosen], axis=1), [2.5, 97.5])
    return {"median": float(np.median(each)), "low": float(low), "high": float(high)}
