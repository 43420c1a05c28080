"""Where slices lie in the patient: pure geometry, in mm of the patient's coordinates (LPS: PS3.3 C.7.6.2.1.1)."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = tuple[float, float, float]
Orientation: TypeAlias = tuple[float, float, float, float, float, float]
Floats: TypeAlias = npt.NDArray[np.float64]

# Directions are written with few digits; what differs less is the same, in cosines.
_SAME_DIRECTION = 1e-3
# More than rounding: such an orientation is no rotation.
_ORTHONORMAL = 1e-2
# Positions that differ by less are the same, in parts of a pixel.
_SAME_POSITION = 0.01
# Distances between slices that differ by less are even, in parts of the distance.
_EVEN = 0.01
# Missing slices that a message lists.
_LISTED = 8


class Finding(NamedTuple):
    """Something about a volume that is not as one expects.

    Attributes
    ----------
    kind : str
        What it is; ``dicoxide.read_series`` lists the kinds.
    message : str
        The same with particulars, for people.
    slices : tuple of int
        The slices it is about, as indices along the slice axis; of a gap, the one before it.
    positions : tuple of (float, float, float)
        Of a gap: where the missing slices would begin, in mm.
    """

    kind: str
    message: str
    slices: tuple[int, ...] = ()
    positions: tuple[Vector, ...] = ()


class Geometry(NamedTuple):
    """Where voxels lie: ``affine @ (column, row, slice, 1)``, and the parts that it is made of."""

    affine: Floats
    spacing: Vector
    origin: Vector
    direction: Floats


def along_normal(position: Vector, orientation: Orientation, distance: float) -> Vector:
    """`position` moved by `distance` along the normal."""
    x, y, z = (np.asarray(position) + distance * axes(orientation)[2]).tolist()
    return x, y, z


def axes(orientation: Orientation) -> Floats:
    """Unit vectors of (column index, row index, slice index) as rows; the last is the normal, row × column."""
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    along_row = along_row / np.linalg.norm(along_row)
    along_column = along_column / np.linalg.norm(along_column)
    normal = np.cross(along_row, along_column)
    return np.stack([along_row, along_column, normal / np.linalg.norm(normal)])


def is_orientation(orientation: Orientation) -> bool:
    """Whether these are two directions at right angles."""
    if max(map(abs, orientation)) > 2:
        return False
    a, b, c, d, e, f = orientation
    departures = (a * a + b * b + c * c - 1, d * d + e * e + f * f - 1, a * d + b * e + c * f)
    return max(map(abs, departures)) <= _ORTHONORMAL


class Orientations:
    """Numbers orientations so that those that differ by rounding alone share a number."""

    def __init__(self) -> None:
        self._known: dict[Orientation, int] = {}
        self._seen: list[Orientation] = []

    def number(self, orientation: Orientation) -> int:
        """The number of `orientation`; the first one seen is 0."""
        known = self._known.get(orientation)
        if known is None:
            known = self._near(orientation)
            self._known[orientation] = known
        return known

    def _near(self, orientation: Orientation) -> int:
        if self._seen:
            differences = np.abs(np.array(self._seen) - np.array(orientation)).max(axis=1)
            if differences.min() <= _SAME_DIRECTION:
                return int(differences.argmin())
        self._seen.append(orientation)
        return len(self._seen) - 1


def tolerance(pixel_spacing: tuple[float, float] | None) -> float:
    """Positions that differ by less, in mm, are the same."""
    return _SAME_POSITION * min(pixel_spacing or (1.0, 1.0))


def places(
    positions: Floats, orientation: Orientation, within: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Number positions (n, 3): along the normal, and across it; the same number is the same place within `within`."""
    local = positions @ axes(orientation).T
    across = np.stack([_levels(local[:, 0], within), _levels(local[:, 1], within)], axis=1)
    return _levels(local[:, 2], within), np.unique(across, axis=0, return_inverse=True)[1].reshape(-1)


def _levels(values: Floats, within: float) -> npt.NDArray[np.intp]:
    """Number values in ascending order; a new number begins after a step of more than `within`."""
    order = np.argsort(values, kind="stable")
    levels = np.empty(len(values), np.intp)
    levels[order] = np.concatenate([[0], np.cumsum(np.diff(values[order]) > within)])
    return levels


def measure(
    positions: Floats, orientation: Orientation, pixel_spacing: tuple[float, float], slice_spacing: float | None
) -> tuple[Geometry, list[Finding]]:
    """The geometry of slices at `positions` (n, 3), ascending along the normal, and what is irregular about them.

    The slice axis leads from the first slice to the last in even steps, along the normal unless they are sheared.
    """
    directions = axes(orientation)
    normal = directions[2].copy()
    findings: list[Finding] = []
    length = slice_spacing or 1.0
    if len(positions) > 1:
        step = (positions[-1] - positions[0]) / (len(positions) - 1)
        length = float(np.linalg.norm(step))
        findings += _spacing_findings(positions, normal)
        sheared = _shear(positions, step, normal, tolerance(pixel_spacing))
        if sheared is not None:
            findings.append(sheared)
            directions[2] = step / length
        findings += _off_axis(positions, normal, tolerance(pixel_spacing))
    else:
        source = "as the header says" if slice_spacing else "assumed"
        findings.append(Finding("single_slice", f"one slice: a slice spacing of {length:g} mm is {source}"))
    spacing = pixel_spacing[1], pixel_spacing[0], length
    affine = np.eye(4)
    affine[:3, :3] = directions.T * spacing
    affine[:3, 3] = positions[0]
    return Geometry(affine, spacing, _vector(positions[0]), directions.T.copy()), findings


def _spacing_findings(positions: Floats, normal: Floats) -> list[Finding]:
    """Gaps, where a distance is several times the usual one; uneven distances else."""
    steps = np.diff(positions @ normal)
    # The lower median: of two distances the shorter is no gap.
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    if len(steps) < 2 or usual <= 0:
        return []
    multiples = np.maximum(np.rint(steps / usual), 1)
    is_even = np.abs(steps - multiples * usual) <= _EVEN * usual * multiples
    findings = []
    before = np.flatnonzero(is_even & (multiples > 1))
    if len(before):
        missing = tuple(
            _vector(positions[index] + normal * usual * number)
            for index in before.tolist()
            for number in range(1, int(min(multiples[index], 1 << 12)))
        )
        listed = ", ".join(f"({x:.6g}, {y:.6g}, {z:.6g})" for x, y, z in missing[:_LISTED])
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        text = f"{len(missing)} of the slices {usual:.6g} mm apart missing, at {listed}{more} mm"
        findings.append(Finding("gap", text, tuple(before.tolist()), missing))
    uneven = np.flatnonzero(~is_even)
    if len(uneven):
        text = f"slices are {steps.min():.6g} to {steps.max():.6g} mm apart, {usual:.6g} mm mostly"
        findings.append(Finding("uneven_spacing", text, tuple(uneven.tolist())))
    return findings


def _shear(positions: Floats, step: Floats, normal: Floats, within: float) -> Finding | None:
    """Whether slices are shifted in their plane from one to the next, as with a tilted gantry."""
    forward = float(step @ normal)
    sideways = float(np.linalg.norm(step - normal * forward))
    if sideways <= _SAME_DIRECTION * abs(forward) or sideways * (len(positions) - 1) <= within:
        return None
    angle = float(np.degrees(np.arctan2(sideways, forward)))
    return Finding("shear", f"slices are stacked {angle:.4g}° off their normal, as with a tilted gantry")


def _off_axis(positions: Floats, normal: Floats, within: float) -> list[Finding]:
    """Slices that are shifted in their plane against the line that the others lie on."""
    if len(positions) < 3:
        return []
    distances = (positions - positions[0]) @ normal
    across = positions - positions[0] - np.outer(distances, normal)
    fitted = np.outer(distances / distances[-1], across[-1])
    off = np.flatnonzero(np.linalg.norm(across - fitted, axis=1) > 10 * within)
    if not len(off):
        return []
    return [
        Finding("off_axis", f"{len(off)} slices are shifted in their plane against the others", tuple(off.tolist()))
    ]


def _vector(values: Floats) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
