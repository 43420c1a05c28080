"""Divides the frames of one orientation into stacks that one affine describes.

    frames ─► numbers of their positions ─► evenly spaced ─────────────────────────► arrange_stack: fourth axis
                                        └─► uneven, or side by side in one plane:
                                              1. by an attribute of whose values each alone is evenly spaced
                                              2. by columns: stacks side by side
                                              3. by runs: slabs, or a change of spacing

What remains uneven, or has gaps, is a volume without an affine.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dicoxide.bulk.series._frame_headers import AXES, Slice
from dicoxide.bulk.series._geometry import (
    Finding,
    Floats,
    Geometry,
    Orientation,
    compute_geometry,
    in_plane_tolerance,
    unit_axes,
)
from dicoxide.bulk.series._spacing import (
    Indices,
    Spacing,
    even_runs,
    grid_with_step,
    measure_spacing,
    number_groups,
    number_levels,
)
from dicoxide.bulk.series._stacking import LABELS, Part, StackLayout, arrange_stack, group_by, label_order

__all__ = ["Stack", "arrange_frames", "arrange_mosaics", "fill_omitted_frames", "stack_geometry"]

_MIN_LEVELS = 3
# Attributes whose values may occupy positions of their own, and the least number of positions that each value has. Two
# positions are always evenly spaced, which is no evidence for a time that many frames have in common by chance.
_SEPARATE_POSITIONS = {
    "AcquisitionNumber": 2,
    "EchoTime": 2,
    "EchoNumbers": 2,
    "DiffusionBValue": 2,
    "TemporalPositionIdentifier": 2,
    "TriggerTime": _MIN_LEVELS,
}
# Deviation from even positions, as a fraction of the slice spacing, above which an attribute is sought whose values
# deviate by this fraction of it only: interleaved acquisitions may be almost even together.
_EVEN_PER_STEP = 0.02
_BETTER = 0.25
_AXIS_NAMES = [axis.name for axis in AXES]
# Largest shift of repetitions that still are one volume: fractions of the slice spacing and of the pixel spacing.
_MAX_SHIFT_PER_STEP = 0.1
_MAX_SHIFT_PER_PIXEL = 1.0
# Limits of filling omitted frames, so that memory is bounded by the input: slices of a segment, slices of all segments,
# and how many times the positions or the frames in the file they may be if that is more.
_MAX_FILLED_DEPTH = 1024
_MAX_FILLED_SLICES = 1 << 16
_MAX_FILLED_FACTOR = 16


class Stack(NamedTuple):
    """Frames of one volume in order, with their geometry and irregularities."""

    layout: StackLayout
    geometry: Geometry | None
    findings: tuple[Finding, ...] = ()


def arrange_frames(slices: Sequence[Slice], merge: frozenset[str] = frozenset()) -> list[Stack]:
    """Arrange frames that share their size and orientation and have positions.

    Parameters
    ----------
    slices : sequence of Slice
        The frames, in any order.
    merge : frozenset of str
        Keywords of attributes that do not divide volumes.
    """
    return _Arrangement(slices, merge).arrange(np.arange(len(slices)), ())


class _Arrangement:
    def __init__(self, slices: Sequence[Slice], merge: frozenset[str]) -> None:
        self._slices = slices
        self._merge = merge
        self._pixel_mm = min(slices[0].pixel_spacing or (1.0, 1.0))
        self._positions: Floats = np.array([frame.position for frame in slices], np.float64)
        # Coordinates along rows, columns and normal.
        self._local = _local_coordinates(slices)
        # (frames, attributes of AXES); NaN if the attribute is absent.
        self._keys: Floats = np.array([frame.keys for frame in slices], np.float64)

    def arrange(self, chosen: Indices, part: Part) -> list[Stack]:
        """Arrange the frames with indices `chosen`, which `part` distinguishes from the other frames."""
        levels = self._levels(chosen)
        columns = self._columns(chosen, levels)
        spacing, runs = self._spacing(chosen, levels)
        is_even = columns is None and spacing.is_even
        if is_even and spacing.deviation <= _EVEN_PER_STEP * spacing.step:
            return self._stacks(chosen, levels, part)
        if stacks := self._by_attribute(chosen, part, _BETTER * spacing.deviation if is_even else math.inf):
            return stacks
        if is_even:
            return self._stacks(chosen, levels, part)
        if columns is not None:
            text = "slices of several stacks are side by side in the same plane; each stack is a separate volume"
            return self._divide(chosen, columns, part, Finding("mixed_columns", text))
        if runs:
            text = f"the distance of slices changes; each of {len(runs)} evenly spaced runs is a separate volume"
            ends = np.array([end for _, end in runs])
            return self._divide(
                chosen, np.searchsorted(ends, levels, side="right"), part, Finding("split_spacing", text)
            )
        return self._stacks(chosen, levels, part)

    def _levels(self, chosen: Indices) -> Indices:
        return number_levels(self._local[chosen, 2], self._pixel_mm)

    def _columns(self, chosen: Indices, levels: Indices) -> Indices | None:
        """Number the stacks that are side by side; None if there is only one.

        Positions in the plane are compared after subtracting the shear of the stack.
        """
        tolerance = in_plane_tolerance(self._slices[0].pixel_spacing)
        in_plane = self._local[chosen, :2]
        order = np.lexsort((in_plane[:, 0], levels))
        if not _differ_within_groups(in_plane, levels, tolerance):
            return None
        first = order[np.concatenate([[True], np.diff(levels[order]) > 0])]
        distances = np.diff(self._local[chosen[first], 2])
        shears = np.diff(in_plane[first], axis=0) / distances[:, None]
        shear = np.median(shears, axis=0) if len(shears) else np.zeros(2)
        straight = in_plane - np.outer(self._local[chosen, 2], shear)
        numbers = np.stack([number_groups(straight[:, axis], tolerance) for axis in (0, 1)], axis=1)
        columns = np.unique(numbers, axis=0, return_inverse=True)[1].reshape(-1)
        return columns if columns.max() else None

    def _spacing(self, chosen: Indices, levels: Indices) -> tuple[Spacing, list[tuple[int, int]]]:
        """Return the spacing of the levels, and the runs into which a change of spacing divides them."""
        along = np.bincount(levels, self._local[chosen, 2]) / np.bincount(levels)
        spacing = measure_spacing(along)
        if spacing.is_even:
            return spacing, []
        runs = even_runs(along)
        if spacing.is_regular and any(end - start < 3 for start, end in runs):
            # Slices are missing: a short run is no evidence of a change.
            return spacing, []
        return spacing, runs if len(runs) > 1 else []

    def _is_even(self, chosen: Indices, min_levels: int, max_deviation: float) -> bool:
        levels = self._levels(chosen)
        if levels.max() + 1 < min_levels or self._columns(chosen, levels) is not None:
            return False
        spacing, _ = self._spacing(chosen, levels)
        return spacing.is_even and spacing.deviation <= max_deviation

    def _by_attribute(self, chosen: Indices, part: Part, max_deviation: float) -> list[Stack]:
        """Divide by the first attribute of whose values each has even positions, up to `max_deviation` mm.

        All together have not, or deviate by more.
        """
        for name, labels, least in self._labels(chosen):
            groups = group_by(labels)
            if not 2 <= len(groups) <= len(chosen) // 2:
                continue
            subsets = {label: chosen[groups[label]] for label in sorted(groups, key=label_order)}
            min_levels = least if math.isinf(max_deviation) else max(least, _MIN_LEVELS)
            if not all(self._is_even(subset, min_levels, max_deviation) for subset in subsets.values()):
                continue
            parts = [
                self._stacks(subset, self._levels(subset), (*part, (name, label))) for label, subset in subsets.items()
            ]
            if repetitions := self._as_repetitions(name, parts, part):
                return repetitions
            if name not in self._merge:
                return [stack for stacks in parts for stack in stacks]
        return []

    def _labels(self, chosen: Indices) -> Iterator[tuple[str, list[Hashable], int]]:
        """Yield name, labels of the frames and least number of positions of the attributes that may divide them."""
        for name, label_of in LABELS.items():
            if name not in self._merge:
                yield name, [label_of(self._slices[index]) for index in chosen.tolist()], 1
        for name, min_levels in _SEPARATE_POSITIONS.items():
            keys = self._keys[chosen, _AXIS_NAMES.index(name)]
            if not np.isnan(keys).all():
                yield name, [None if math.isnan(key) else key for key in keys.tolist()], min_levels

    def _as_repetitions(self, name: str, parts: Sequence[Sequence[Stack]], part: Part) -> list[Stack]:
        """Join stacks that `name` distinguishes along a fourth axis if they differ only by a small shift."""
        stacks = [stack for stacks in parts for stack in stacks]
        first = stacks[0]
        if len(stacks) > len(parts) or any(stack.layout.axis or stack.geometry is None for stack in stacks):
            return []
        if name not in _AXIS_NAMES or len({len(stack.layout.grid) for stack in stacks}) > 1:
            return []
        grid = np.stack([stack.layout.grid for stack in stacks])
        values = self._keys[grid[:, 0], _AXIS_NAMES.index(name)]
        shifts = np.abs(self._local[grid] - self._local[grid[0]]).max(axis=(0, 1))
        step = first.geometry.spacing[2] if first.geometry is not None else 0.0
        is_small = shifts[2] <= _MAX_SHIFT_PER_STEP * step and shifts[:2].max() <= _MAX_SHIFT_PER_PIXEL * self._pixel_mm
        if np.isnan(values).any() or (name not in self._merge and not is_small):
            return []
        layout = StackLayout(grid, part, name, tuple(values.tolist()), ())
        findings = (*first.findings, _moving_finding(_largest_shift(self._positions[grid])))
        return [Stack(layout, first.geometry if is_small else None, findings)]

    def _divide(self, chosen: Indices, numbers: Indices, part: Part, finding: Finding) -> list[Stack]:
        """Arrange the frames of each number as volumes of their own."""
        stacks = []
        for _, members in sorted(group_by(numbers.tolist()).items(), key=lambda item: label_order(item[0])):
            stacks += self.arrange(chosen[members], part)
        return [stack._replace(findings=(finding, *stack.findings)) for stack in stacks]

    def _stacks(self, chosen: Indices, levels: Indices, part: Part) -> list[Stack]:
        """Arrange the frames of one stack, of which some may share positions."""
        stacks = []
        for layout in arrange_stack([self._slices[index] for index in chosen.tolist()], levels, self._merge):
            grid = chosen[layout.grid]
            first_repetition = grid.reshape(-1, grid.shape[-1])[0].tolist()
            geometry, findings = stack_geometry([self._slices[index] for index in first_repetition])
            placed = layout._replace(grid=grid, part=(*part, *layout.part))
            stacks.append(Stack(placed, geometry, (*findings, *layout.findings)))
        return stacks


def _local_coordinates(slices: Sequence[Slice]) -> Floats:
    """Return (slices, 3): coordinates of the positions along rows, columns and normal of the first slice."""
    orientation: Orientation = slices[0].orientation  # type: ignore[assignment]
    positions: Floats = np.array([frame.position for frame in slices], np.float64)
    return positions @ unit_axes(orientation).T


def _differ_within_groups(values: Floats, groups: Indices, tolerance: float) -> bool:
    """True if rows of `values` with the same group differ by more than `tolerance`."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(groups[order]) > 0]))
    ordered = values[order]
    extents = np.maximum.reduceat(ordered, starts) - np.minimum.reduceat(ordered, starts)
    return bool((extents > tolerance).any())


def stack_geometry(slices: Sequence[Slice]) -> tuple[Geometry | None, tuple[Finding, ...]]:
    """Return the geometry of slices in ascending order, None if no affine is right, and the irregularities."""
    first = slices[0]
    if first.file.mosaic_problem:
        text = f"mosaic whose slices cannot be separated, without an affine: {first.file.mosaic_problem}"
        return None, (Finding("mosaic", text),)
    if first.pixel_spacing is None:
        text = "no pixel spacing: slices are sorted by position, without an affine"
        return None, (Finding("no_pixel_spacing", text),)
    positions = np.array([frame.position for frame in slices], np.float64)
    orientation: Orientation = first.orientation  # type: ignore[assignment]
    geometry, findings = compute_geometry(positions, orientation, first.pixel_spacing, first.slice_spacing)
    return geometry, tuple(findings)


def arrange_mosaics(slices: Sequence[Slice], merge: frozenset[str]) -> list[Stack]:
    """Arrange the slices of mosaics: each mosaic is one repetition, even if the positions of mosaics differ a little.

    Positions differ after motion correction during the acquisition.
    """
    indices = [0 if frame.tile is None else frame.tile.slice_index for frame in slices]
    # Consecutive numbers, even if a file has changed and tiles are missing.
    tiles = np.unique(indices, return_inverse=True)[1].reshape(-1)
    first = slices[0]
    if first.position is None or first.orientation is None:
        finding = Finding("no_geometry", "no position or orientation; slices are in the order of the mosaic")
        return [Stack(layout, None, (finding, *layout.findings)) for layout in arrange_stack(slices, tiles, merge)]
    positions = np.array([frame.position for frame in slices], np.float64)
    last = positions[int(np.argmax(tiles))]
    is_reversed = float((last - positions[int(np.argmin(tiles))]) @ unit_axes(first.orientation)[2]) < 0
    result = []
    for layout in arrange_stack(slices, tiles.max() - tiles if is_reversed else tiles, merge):
        repetitions = layout.grid.reshape(-1, layout.grid.shape[-1])
        geometry, findings = stack_geometry([slices[index] for index in repetitions[0].tolist()])
        shift = _largest_shift(positions[repetitions])
        if shift > in_plane_tolerance(first.pixel_spacing):
            findings = (*findings, _moving_finding(shift))
        result.append(Stack(layout, geometry, (*findings, *layout.findings)))
    return result


def _largest_shift(positions: Floats) -> float:
    """Return the largest distance of positions (repetitions, slices, 3) from those of the first repetition."""
    return float(np.linalg.norm(positions - positions[0], axis=2).max())


def _moving_finding(shift: float) -> Finding:
    return Finding(
        "moving_positions", f"repetitions are shifted by up to {shift:.4g} mm; an affine is that of the first"
    )


def fill_omitted_frames(slices: Sequence[Slice]) -> list[Slice]:
    """Return the frames of a segmentation with the empty frames that it omits (PS3.3 C.8.20.2).

    All segments have the same grid. It spans the positions of all frames, in steps of the declared slice spacing, or of
    the usual distance if that does not fit. Nothing is added if the positions are not on a grid.
    """
    local = _local_coordinates(slices)
    levels = number_levels(local[:, 2], min(slices[0].pixel_spacing or (1.0, 1.0)))
    first_of_level = np.unique(levels, return_index=True)[1]
    along = local[first_of_level, 2]
    spacing = (grid_with_step(along, slices[0].slice_spacing) if slices[0].slice_spacing else None) or measure_spacing(
        along
    )
    is_single_column = not _differ_within_groups(local[:, :2], levels, in_plane_tolerance(slices[0].pixel_spacing))
    depth = int(spacing.indices[-1]) + 1
    segments = group_by([frame.segment for frame in slices])
    is_small = depth <= max(_MAX_FILLED_DEPTH, _MAX_FILLED_FACTOR * len(along))
    is_small &= depth * len(segments) <= max(_MAX_FILLED_SLICES, _MAX_FILLED_FACTOR * len(slices))
    if not (spacing.is_regular and is_single_column and is_small):
        return list(slices)
    start, end = (np.array(slices[first_of_level[index]].position) for index in (0, -1))
    grid = start + np.outer(np.arange(depth) / max(1, depth - 1), end - start)
    # Positions of frames stay as they are.
    grid[spacing.indices] = [slices[index].position for index in first_of_level.tolist()]
    vectors = [(x, y, z) for x, y, z in grid.tolist()]
    filled = list(slices)
    for members in segments.values():
        omitted = np.setdiff1d(np.arange(depth), spacing.indices[levels[members]])
        template = slices[members[0]]._replace(
            path="", frame=-1, sop_instance_uid="", instance_number=None, dimensions=()
        )
        filled += [template._replace(position=vectors[index]) for index in omitted.tolist()]
    return filled
