"""The guard of instructions: what fails it, and what does not."""

from __future__ import annotations

import pytest

import counts


@pytest.mark.parametrize(("now", "expected"), [(100, 0), (102, 0), (104, 1), (90, 0)])
def test_more_instructions_fail(now: int, expected: int) -> None:
    assert counts._compared({"path": 100}, {"path": now}) == expected


def test_a_new_path_passes() -> None:
    assert counts._compared({}, {"path": 1}) == 0
