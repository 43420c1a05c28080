"""Values on a line, such as positions along a normal: equal ones, even spacing, gaps, and evenly spaced runs.

Pure functions of numbers in mm. Headers hold rounded numbers, and positions of repetitions jitter, so that no
comparison is exact:

- Values are equal if they differ by less than 5 % of the distance to other values, and by less than 10 % of the pixel
  spacing. Values that are evenly spaced are never equal, however close they are.
- Spacing is even if no value is further from the even grid between the first and the last value than 5 % of the step,
  or 0.1 mm if that is more, but never more than 20 % of the step.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

# Limits of differences between equal values, as fractions of the distance to other values and of the pixel spacing.
_EQUAL_PER_STEP = 0.05
_EQUAL_PER_PIXEL = 0.1
# Differences by rounding, as a fraction of the pixel spacing.
_ROUNDING_PER_PIXEL = 1e-3
# Limits of the deviation from an even grid: fraction of the step; mm; largest fraction of the step.
_UNEVEN_PER_STEP = 0.05
_UNEVEN_MM = 0.1
_MAX_UNEVEN_PER_STEP = 0.2
# Limits of differences between equal distances, likewise; tighter, because they add up.
_UNEQUAL_PER_STEP = 0.02
_UNEQUAL_MM = 0.03
_MAX_UNEQUAL_PER_STEP = 0.1
# Largest index on a grid.
_MAX_INDEX = 2**40
# Length of even runs, in values, for which a change of spacing is a reason to divide: minimum, and sufficient mean.
_MIN_RUN = 3
_SUFFICIENT_MEAN_RUN = 5


class Spacing(NamedTuple):
    """Spacing of ascending values.

    Attributes
    ----------
    is_regular : bool
        True if the values are on an even grid, which may have gaps.
    step : float
        Distance of neighbours on the grid; if the values are on none, the lower median distance.
    indices : ndarray of int
        Index of each value on the grid; the ordinal number of the value if there is no grid.
    deviation : float
        Largest distance of a value from the grid.
    """

    is_regular: bool
    step: float
    indices: npt.NDArray[np.int64]
    deviation: float = 0.0

    @property
    def has_gaps(self) -> bool:
        """True if grid positions between the values have no value."""
        return bool(self.indices[-1] >= len(self.indices))

    @property
    def is_even(self) -> bool:
        """True if the values are all positions of an even grid."""
        return self.is_regular and not self.has_gaps


def number_levels(values: Floats, pixel_mm: float) -> Indices:
    """Number values in ascending order; equal values have the same number.

    Parameters
    ----------
    values : ndarray
        In any order, in mm.
    pixel_mm : float
        Pixel spacing, in mm.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    steps = np.diff(ordered)
    levels = np.empty(len(values), np.intp)
    levels[order] = np.concatenate([[0], np.cumsum(steps > _equality_threshold(ordered, steps, pixel_mm))])
    return levels


def _equality_threshold(ordered: Floats, steps: Floats, pixel_mm: float) -> float:
    """Return the largest step between equal values.

    Example: values 0, 0.013, 2, 2.013, 4 have the steps 0.013, 1.987, 0.013, 1.987. Between the sorted steps 0.013 and
    1.987, the ratio is more than 20; steps up to 0.013 separate equal values, as all four values next to them are less
    than 5 % of 1.987 apart.
    """
    resolution = 8 * float(np.spacing(np.abs(ordered).max(initial=1e-300)))
    per_pixel = _EQUAL_PER_PIXEL * pixel_mm
    threshold = max(_ROUNDING_PER_PIXEL * pixel_mm, resolution)
    if _largest_extent(ordered, steps > threshold) > per_pixel:
        # Many steps of this size add up: they are steps between slices.
        threshold = resolution
    sizes = np.sort(steps[steps > threshold])
    # Each candidate is 20 times the one before it, so there are few.
    for index in np.flatnonzero(sizes[:-1] <= _EQUAL_PER_STEP * sizes[1:]).tolist():
        limit = min(_EQUAL_PER_STEP * float(sizes[index + 1]), per_pixel)
        if sizes[index] <= limit and _largest_extent(ordered, steps > sizes[index]) <= limit:
            threshold = float(sizes[index])
    return threshold


def _largest_extent(ordered: Floats, is_boundary: npt.NDArray[np.bool_]) -> float:
    """Return the largest difference within groups of ascending values, which `is_boundary` separates."""
    last = np.concatenate([np.flatnonzero(is_boundary), [len(ordered) - 1]])
    first = np.concatenate([[0], last[:-1] + 1])
    return float((ordered[last] - ordered[first]).max())


def spacing_tolerance(step: float) -> float:
    """Return the largest deviation from an even grid with `step`, in mm."""
    return max(_UNEVEN_PER_STEP * step, min(_UNEVEN_MM, _MAX_UNEVEN_PER_STEP * step))


def measure_spacing(values: Floats) -> Spacing:
    """Return the spacing of distinct values in ascending order.

    Values with gaps are on a grid if at least half of the distances are one step.
    """
    ordinal = np.arange(len(values))
    if len(values) < 3:
        return Spacing(True, float(values[-1] - values[0]), ordinal)
    step = float(values[-1] - values[0]) / (len(values) - 1)
    deviation = _grid_deviation(values, ordinal, step)
    if deviation <= spacing_tolerance(step):
        return Spacing(True, step, ordinal, deviation)
    distances = np.diff(values)
    # The lower median: of two distances, the longer is the gap.
    usual = float(np.sort(distances)[(len(distances) - 1) // 2])
    unit_distances = distances[np.abs(distances - usual) <= usual / 2]
    spacing = grid_with_step(values, float(unit_distances.mean()))
    if spacing is not None and 2 * np.count_nonzero(np.diff(spacing.indices) == 1) >= len(distances):
        return spacing
    return Spacing(False, usual, ordinal)


def grid_with_step(values: Floats, step: float) -> Spacing | None:
    """Return the grid of about `step` mm that holds all of the ascending values, or None if there is none."""
    distances = np.diff(values)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        multiples = np.rint(distances / step)
        deviations = np.abs(distances - multiples * step)
    if not (deviations <= spacing_tolerance(step)).all() or multiples.sum() > _MAX_INDEX or (multiples < 1).any():
        return None
    indices = np.concatenate([[0], np.cumsum(multiples.astype(np.int64))])
    exact = float(values[-1] - values[0]) / int(indices[-1]) if len(values) > 1 else step
    deviation = _grid_deviation(values, indices, exact)
    return Spacing(True, exact, indices, deviation) if deviation <= spacing_tolerance(exact) else None


def _grid_deviation(values: Floats, indices: npt.NDArray[np.int64], step: float) -> float:
    """Return the largest distance of ascending values from ``values[0] + indices * step``."""
    return float(np.abs(values - values[0] - indices * step).max())


def even_runs(values: Floats) -> list[tuple[int, int]]:
    """Divide ascending values where the spacing changes; return the start and end index of each run.

    The result is empty if the values are not a few evenly spaced runs. Runs may have gaps.

    Example: the distances of 0, 2, 4, 6, 100, 105, 110 are 2, 2, 2, 94, 5, 5. Neighbouring distances that are equal
    make the runs 0 to 6 and 100 to 110; a value between runs would be a run of its own.
    """
    runs: list[tuple[int, int]] = []
    for first, last in _equal_distances(np.diff(values).tolist()):
        start = max(first, runs[-1][1] if runs else 0)
        if last - first < 2:
            # A single distance does not make a run.
            continue
        runs += [(single, single + 1) for single in range(runs[-1][1] if runs else 0, start)]
        runs.append((start, last + 1))
    runs += [(single, single + 1) for single in range(runs[-1][1] if runs else 0, len(values))]
    runs = _join_over_gaps(values, runs)
    is_long = min(end - start for start, end in runs) >= _MIN_RUN or len(values) >= _SUFFICIENT_MEAN_RUN * len(runs)
    return runs if is_long and all(measure_spacing(values[start:end]).is_regular for start, end in runs) else []


def _equal_distances(distances: list[float]) -> list[tuple[int, int]]:
    """Return the start and end index of each run of equal distances."""
    runs = []
    first, total = 0, 0.0
    for index, distance in enumerate(distances):
        if index > first:
            mean = total / (index - first)
            step = min(mean, distance)
            if abs(distance - mean) > max(_UNEQUAL_PER_STEP * step, min(_UNEQUAL_MM, _MAX_UNEQUAL_PER_STEP * step)):
                runs.append((first, index))
                first, total = index, 0.0
        total += distance
    return [*runs, (first, len(distances))]


def _join_over_gaps(values: Floats, runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join neighbouring runs with the same step whose distance is a multiple of it: slices between them are missing."""
    joined: list[tuple[int, int]] = []
    previous_step = 0.0
    for start, end in runs:
        step = float(values[end - 1] - values[start]) / max(1, end - start - 1)
        if joined and step and previous_step:
            tolerance = spacing_tolerance(step)
            distance = float(values[start] - values[joined[-1][1] - 1])
            if abs(step - previous_step) <= tolerance and abs(distance - round(distance / step) * step) <= tolerance:
                joined[-1] = joined[-1][0], end
                continue
        joined.append((start, end))
        previous_step = step
    return joined


class ToleranceNumbers:
    """Assigns the same number to tuples of numbers that differ by at most `tolerance` in each element.

    Each tuple is compared with the first one of every number, in constant time: tuples are found by cells whose edges
    are twice the tolerance, of which at most two per element are within the tolerance.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._number_by_values: dict[tuple[float, ...], int] = {}
        self._cells: dict[tuple[float, ...], list[tuple[tuple[float, ...], int]]] = {}
        self._count = 0

    def number(self, values: tuple[float, ...]) -> int:
        """Return the number of `values`; the first values have number 0."""
        number = self._number_by_values.get(values)
        if number is None:
            number = self._number_by_values[values] = self._nearest_or_new(values)
        return number

    def _nearest_or_new(self, values: tuple[float, ...]) -> int:
        edge = 2 * self._tolerance
        cells: list[tuple[float, ...]] = [()]
        for value in values:
            sides = {(value - self._tolerance) // edge, (value + self._tolerance) // edge}
            cells = [(*cell, side) for cell in cells for side in sides]
        candidates = [
            (max(abs(a - b) for a, b in zip(values, known, strict=True)), number)
            for cell in cells
            for known, number in self._cells.get(cell, ())
        ]
        difference, nearest = min(candidates, default=(np.inf, 0))
        if difference <= self._tolerance:
            return nearest
        self._cells.setdefault(tuple(value // edge for value in values), []).append((values, self._count))
        self._count += 1
        return self._count - 1


def number_groups(values: Floats, tolerance: float) -> Indices:
    """Number values in ascending order; a step larger than `tolerance` starts the next number."""
    order = np.argsort(values, kind="stable")
    groups = np.empty(len(values), np.intp)
    groups[order] = np.concatenate([[0], np.cumsum(np.diff(values[order]) > tolerance)])
    return groups
