"""Numbers of positions along a line, even spacing, gaps, and runs of another spacing."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicoxide.bulk.series._spacing import ToleranceNumbers, even_runs, grid_with_step, measure_spacing, number_levels
from support.examples import examples


def levels(values: Sequence[float], pixel_mm: float = 0.5) -> list[int]:
    return number_levels(np.array(values, np.float64), pixel_mm).tolist()


@examples(100)
@given(order=st.permutations(range(12)), spacing=st.floats(0.3, 20), jitter=st.floats(0, 0.013))
def test_number_levels_of_jittering_repetitions_counts_positions(
    order: list[int], spacing: float, jitter: float
) -> None:
    values = [(number // 2) * spacing + (number % 2) * jitter for number in order]
    assert levels(values) == [number // 2 for number in order]


@examples(100)
@given(count=st.integers(3, 40), spacing=st.floats(1e-3, 30), start=st.floats(-500, 500), pixel=st.floats(0.05, 1))
def test_number_levels_never_merges_even_slices(count: int, spacing: float, start: float, pixel: float) -> None:
    values = start + np.arange(count) * max(spacing, 2e-3 * pixel)
    assert levels(values.tolist(), pixel) == list(range(count))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0], [0]),
        ([5.0, 5.0, 5.0], [0, 0, 0]),
        ([0, 1e-5, 2e-5], [0, 0, 0]),
        ([0, 1.25, 2.5, 0.4, 1.65, 2.9], [0, 2, 4, 1, 3, 5]),
        ([0, 2, 4, 2.000001, 4.000002], [0, 1, 2, 1, 2]),
        # Two slabs of thin slices: the distance between them is no reason to merge the slices.
        ([0, 0.2, 0.4, 500, 500.2, 500.4], [0, 1, 2, 3, 4, 5]),
        ([1e9 - 1, 1e9 - 3, 1e9 - 1], [1, 0, 1]),
        # Drift of repetitions by more than 5 % of the distance.
        ([0, 0.04, 0.08, 0.12, 1, 1.04, 1.08, 1.12], [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_number_levels_of_typical_positions(values: list[float], expected: list[int]) -> None:
    assert levels(values) == expected


@examples(100)
@given(
    count=st.integers(2, 60),
    step=st.floats(0.2, 20),
    noise=st.lists(st.floats(-0.013, 0.013), min_size=60, max_size=60),
)
def test_measure_spacing_of_jittering_slices_is_even(count: int, step: float, noise: list[float]) -> None:
    assert measure_spacing(np.arange(count) * step + noise[:count]).is_even


def test_measure_spacing_of_rounded_positions_is_even() -> None:
    assert measure_spacing(np.round(np.arange(200) * 0.625, 1)).is_even


@examples(100)
@given(missing=st.sets(st.integers(1, 18)), step=st.floats(0.5, 10))
def test_measure_spacing_with_missing_slices_returns_grid_indices(missing: set[int], step: float) -> None:
    present = np.array([index for index in range(20) if index not in missing])
    if np.median(np.diff(present)) != 1:
        return
    spacing = measure_spacing(present * step)
    assert spacing.is_regular
    assert spacing.has_gaps == bool(missing)
    assert spacing.indices.tolist() == present.tolist()
    assert spacing.step == pytest.approx(step)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 2, 4, 6, 100, 105, 110], [(0, 4), (4, 7)]),
        ([0, 2, 4, 6, 101.3, 103.3, 105.3], [(0, 4), (4, 7)]),
        ([0, 1, 2, 3, 4.1, 5.2, 6.3], [(0, 4), (4, 7)]),
        ([0, 1, 2, 3, 5, 7, 9], [(0, 4), (4, 7)]),
        # A run with a gap.
        ([0, 2, 4, 8, 10, 12, 100, 105, 110], [(0, 6), (6, 9)]),
        # One stray slice at an end of a long run.
        ([-33, *range(0, 20, 2)], [(0, 1), (1, 11)]),
        ([*range(0, 20, 2), 50.3], [(0, 10), (10, 11)]),
        # No runs.
        ([0, 1, 2, 3.4, 4.4], []),
        ([0, 1, 3, 6, 10, 15, 21], []),
    ],
)
def test_even_runs_divides_where_the_spacing_changes(values: list[float], expected: list[tuple[int, int]]) -> None:
    assert even_runs(np.array(values, np.float64)) == expected


@examples(100)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40, unique=True))
def test_spacing_of_any_values_is_consistent(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    spacing = measure_spacing(ordered)
    assert (np.diff(spacing.indices) > 0).all()
    runs = even_runs(ordered)
    if runs:
        assert [start for start, _ in runs] == [0, *(end for _, end in runs[:-1])]
        assert runs[-1][1] == len(ordered)
        assert all(measure_spacing(ordered[start:end]).is_regular for start, end in runs)
    numbers = number_levels(np.array(values), 0.5)
    assert sorted(set(numbers.tolist())) == list(range(numbers.max() + 1))


def test_grid_with_step_that_does_not_fit_returns_none() -> None:
    assert grid_with_step(np.array([0.0, 2.5, 5.0]), 2.0) is None
    assert grid_with_step(np.array([0.0, 1e9]), 1e-300) is None
    spacing = grid_with_step(np.array([2.0, 4.0, 10.0]), 2.0)
    assert spacing is not None
    assert spacing.indices.tolist() == [0, 1, 4]


def test_tolerance_numbers_finds_values_across_cell_edges() -> None:
    numbers = ToleranceNumbers(1e-3)
    assert [numbers.number(values) for values in ((0.002, 1.0), (0.0015, 1.0), (0.0031, 1.0), (0.0025, 0.9995))] == [
        0,
        0,
        1,
        0,
    ]


@examples(100)
@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), max_size=30), st.sampled_from([1e-3, 0.1]))
def test_tolerance_numbers_of_any_values_are_within_the_tolerance(
    values: list[tuple[float, float]], tolerance: float
) -> None:
    numbers = ToleranceNumbers(tolerance)
    first: dict[int, tuple[float, float]] = {}
    for pair in values:
        distances = [max(abs(a - b) for a, b in zip(pair, known, strict=True)) for known in first.values()]
        number = numbers.number(pair)
        # Rounding decides about differences that equal the tolerance.
        assert number in first or min(distances, default=np.inf) > 0.999 * tolerance
        known = first.setdefault(number, pair)
        assert max(abs(a - b) for a, b in zip(pair, known, strict=True)) <= tolerance


@pytest.mark.serial
def test_number_levels_and_runs_take_linear_time() -> None:
    def processor_seconds(count: int) -> float:
        values = np.cumsum(np.where(np.arange(count) % 7 == 0, 3.3, 1.0))
        numbers = ToleranceNumbers(1e-3)
        started_at = time.process_time()
        number_levels(values, 0.5)
        even_runs(values)
        for value in values.tolist():
            numbers.number((value, 0.0, 1.0))
        return time.process_time() - started_at

    processor_seconds(1000)
    assert min(processor_seconds(40_000) for _ in range(3)) < 40 * min(processor_seconds(2000) for _ in range(5))
