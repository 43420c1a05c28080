"""Ranges of real-world values: the compiled core and the NumPy backend agree (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import _numpy_backend

STORED_EDGES = {
    "u8": [0, 1, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 3, 2**63, 2**64 - 1],
    "i8": [-(2**63), -(2**53) - 1, -1, 0, 7, 2**53 + 1, 2**54 + 1, 2**63 - 1],
    "u2": [0, 1, 2, 9, 10, 11, 65534, 65535],
    "i1": [-128, -1, 0, 1, 2, 9, 10, 127],
    "f4": [-np.inf, -1.5, 0, 1, 9.5, 10, np.inf, np.nan],
}
RANGES: dict[str, list[Any]] = {
    "linear": [(1.0, 10.0, (0.5, 3.0))],
    "all": [(-np.inf, np.inf, (3.0, -1.0))],
    "large": [(2.0**53 + 2, 2.0**54, (1.0, 0.0))],
    "overflow": [(-1e300, 1e300, (1e300, 0.0))],
    "several": [(10.0, 127.0, (2.0, 0.0)), (-128.0, -0.5, (1.0, 0.5)), (0.0, 1.5, (1.0, 0.0))],
    "entries": [(0.0, 2.0, np.array([5.0, np.nan, -7.0])), (9.0, 9.0, np.array([0.1]))],
}


@pytest.mark.parametrize("stored", STORED_EDGES)
@pytest.mark.parametrize("ranges", RANGES)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u1", "i8"])
def test_backends_agree_on_ranges(stored: str, ranges: str, dtype: str) -> None:
    core = pytest.importorskip("dicoxide._core")
    samples = np.array(STORED_EDGES[stored], stored)

    def outcome(module: Any, samples: np.ndarray) -> Any:
        out = np.zeros(len(samples), dtype)
        try:
            module.rescale_into(samples, module.ValueRanges(RANGES[ranges]), out)
        except ValueError as error:
            return str(error)
        return [str(value) for value in out]

    for selected in (samples, *samples[:, None]):
        assert outcome(core, selected) == outcome(_numpy_backend, selected)


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        [(1.0, 0.0, (1.0, 0.0))],
        [(np.nan, 0.0, (1.0, 0.0))],
        [(0.0, 5.0, (1.0, 0.0)), (5.0, 6.0, (1.0, 0.0))],
        [(0.0, 1.0, (np.inf, 0.0))],
        [(0.0, 2.0, np.zeros(2))],
        [(0.5, 1.5, np.zeros(2))],
    ],
)
def test_invalid_ranges_are_errors_of_both_backends(ranges: list[Any]) -> None:
    for module in (pytest.importorskip("dicoxide._core"), _numpy_backend):
        with pytest.raises(dicoxide.CorruptFrameError, match=r"PS3\.3 C\.7\.6\.16\.2\.11"):
            module.ValueRanges(ranges)
