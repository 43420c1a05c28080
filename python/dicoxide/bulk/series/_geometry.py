"""Geometry of slices: orientations, positions, spacing and the affine matrix.

All coordinates are mm in the patient coordinate system LPS (PS3.3 C.7.6.2.1.1): x grows to the patient's left, y to the
back, z to the head. Pure functions of numbers; nothing here reads files.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = tuple[float, float, float]
Orientation: TypeAlias = tuple[float, float, float, float, float, float]
Floats: TypeAlias = npt.NDArray[np.float64]

# Orientations are written with few digits: direction cosines that differ by less are equal.
_DIRECTION_TOLERANCE = 1e-3
# Deviation from unit length and from orthogonality above which six direction cosines are not an orientation.
_ORTHONORMAL_TOLERANCE = 1e-2
# Positions that differ by less are equal; as a fraction of the pixel spacing.
_POSITION_TOLERANCE = 0.01
# Slice distances that differ by less are even; as a fraction of the distance.
_SPACING_TOLERANCE = 0.01
# Largest off-axis shift of a slice that is not reported, as a multiple of the position tolerance.
_OFF_AXIS_FACTOR = 10
# Positions of missing slices that a message lists, and that a finding holds for each gap.
_MAX_LISTED = 8
_MAX_PER_GAP = 4096


class Finding(NamedTuple):
    """An irregularity of a volume.

    Attributes
    ----------
    kind : str
        Name of the irregularity; ``dicoxide.read_series`` lists all kinds.
    message : str
        Description for people, with numbers.
    slices : tuple of int
        Zero-based indices along the slice axis of the slices concerned; for a gap, of the slice before it.
    positions : tuple of (float, float, float)
        For a gap: expected positions of the missing slices, in mm.
    left_out : tuple of (str, int)
        Path and zero-based frame index of frames that are in no volume.
    """

    kind: str
    message: str
    slices: tuple[int, ...] = ()
    positions: tuple[Vector, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()


class Geometry(NamedTuple):
    """Maps voxel indices to mm: ``affine @ (column, row, slice, 1)``; the other fields are its components."""

    affine: Floats
    spacing: Vector
    origin: Vector
    direction: Floats


def along_normal(position: Vector, orientation: Orientation, distance: float) -> Vector:
    """Return `position` moved by `distance` mm along the normal of `orientation`."""
    x, y, z = (np.asarray(position) + distance * unit_axes(orientation)[2]).tolist()
    return x, y, z


def unit_axes(orientation: Orientation) -> Floats:
    """Return (3, 3): unit vectors of increasing column, row and slice index; the last is the normal, row × column."""
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    along_row = along_row / np.linalg.norm(along_row)
    along_column = along_column / np.linalg.norm(along_column)
    normal = np.cross(along_row, along_column)
    return np.stack([along_row, along_column, normal / np.linalg.norm(normal)])


def is_orientation(orientation: Orientation) -> bool:
    """True if the six numbers are two orthogonal unit vectors, within rounding."""
    if max(map(abs, orientation)) > 2:
        return False
    a, b, c, d, e, f = orientation
    errors = (a * a + b * b + c * c - 1, d * d + e * e + f * f - 1, a * d + b * e + c * f)
    return max(map(abs, errors)) <= _ORTHONORMAL_TOLERANCE


class OrientationNumbers:
    """Assigns the same number to orientations that differ only by rounding."""

    def __init__(self) -> None:
        self._number_by_orientation: dict[Orientation, int] = {}
        self._distinct: list[Orientation] = []

    def number(self, orientation: Orientation) -> int:
        """Return the number of `orientation`; the first orientation has number 0."""
        number = self._number_by_orientation.get(orientation)
        if number is None:
            number = self._nearest_or_new(orientation)
            self._number_by_orientation[orientation] = number
        return number

    def _nearest_or_new(self, orientation: Orientation) -> int:
        if self._distinct:
            differences = np.abs(np.array(self._distinct) - np.array(orientation)).max(axis=1)
            if differences.min() <= _DIRECTION_TOLERANCE:
                return int(differences.argmin())
        self._distinct.append(orientation)
        return len(self._distinct) - 1


def position_tolerance(pixel_spacing: tuple[float, float] | None) -> float:
    """Return the distance in mm below which two positions are equal."""
    return _POSITION_TOLERANCE * min(pixel_spacing or (1.0, 1.0))


def number_positions(
    positions: Floats, orientation: Orientation, tolerance: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Number positions (n, 3) along the normal, and their projections onto the slice plane.

    Positions with the same pair of numbers are equal within `tolerance` mm. Numbers along the normal ascend.
    """
    local = positions @ unit_axes(orientation).T
    in_plane = np.stack([_number_levels(local[:, 0], tolerance), _number_levels(local[:, 1], tolerance)], axis=1)
    return _number_levels(local[:, 2], tolerance), np.unique(in_plane, axis=0, return_inverse=True)[1].reshape(-1)


def _number_levels(values: Floats, tolerance: float) -> npt.NDArray[np.intp]:
    """Number values in ascending order; a step larger than `tolerance` starts the next number."""
    order = np.argsort(values, kind="stable")
    levels = np.empty(len(values), np.intp)
    levels[order] = np.concatenate([[0], np.cumsum(np.diff(values[order]) > tolerance)])
    return levels


def compute_geometry(
    positions: Floats, orientation: Orientation, pixel_spacing: tuple[float, float], slice_spacing: float | None
) -> tuple[Geometry, list[Finding]]:
    """Compute the geometry of a stack, and its irregularities.

    The slice axis leads from the first slice to the last in even steps. It is the normal unless the stack is sheared.

    Parameters
    ----------
    positions : ndarray
        (slices, 3), in mm, ascending along the normal.
    orientation : tuple of float
        Direction cosines of the rows and the columns.
    pixel_spacing : (float, float)
        Distance between rows and between columns, in mm.
    slice_spacing : float or None
        Distance to the next slice according to the header, in mm; used for a single slice only.
    """
    directions = unit_axes(orientation)
    normal = directions[2].copy()
    findings: list[Finding] = []
    length = slice_spacing or 1.0
    if len(positions) > 1:
        step = (positions[-1] - positions[0]) / (len(positions) - 1)
        length = float(np.linalg.norm(step))
        findings += _spacing_findings(positions, normal)
        shear = _shear_finding(positions, step, normal, position_tolerance(pixel_spacing))
        if shear is not None:
            findings.append(shear)
            directions[2] = step / length
        findings += _off_axis_findings(positions, normal, position_tolerance(pixel_spacing))
    else:
        source = "from the header" if slice_spacing else "assumed"
        findings.append(Finding("single_slice", f"single slice; slice spacing {length:g} mm {source}"))
    spacing = pixel_spacing[1], pixel_spacing[0], length
    affine = np.eye(4)
    affine[:3, :3] = directions.T * spacing
    affine[:3, 3] = positions[0]
    return Geometry(affine, spacing, _vector(positions[0]), directions.T.copy()), findings


def _spacing_findings(positions: Floats, normal: Floats) -> list[Finding]:
    """Return gaps, where a distance is a multiple of the usual one, and uneven distances that are not."""
    distances = np.diff(positions @ normal)
    # The lower median: of two distances, the longer is the gap.
    usual = float(np.sort(distances)[(len(distances) - 1) // 2])
    if len(distances) < 2 or usual <= 0:
        return []
    multiples = np.maximum(np.rint(distances / usual), 1)
    is_multiple = np.abs(distances - multiples * usual) <= _SPACING_TOLERANCE * usual * multiples
    findings = []
    gap_indices = np.flatnonzero(is_multiple & (multiples > 1))
    if len(gap_indices):
        missing = tuple(
            _vector(positions[index] + normal * usual * number)
            for index in gap_indices.tolist()
            for number in range(1, int(min(multiples[index], _MAX_PER_GAP)))
        )
        listed = ", ".join(f"({x:.6g}, {y:.6g}, {z:.6g})" for x, y, z in missing[:_MAX_LISTED])
        more = f" and {len(missing) - _MAX_LISTED} more" if len(missing) > _MAX_LISTED else ""
        slices = "1 slice" if len(missing) == 1 else f"{len(missing)} slices"
        text = f"{slices} missing at a slice spacing of {usual:.6g} mm; expected positions in mm: {listed}{more}"
        findings.append(Finding("gap", text, tuple(gap_indices.tolist()), missing))
    uneven_indices = np.flatnonzero(~is_multiple)
    if len(uneven_indices):
        text = f"slice distances range from {distances.min():.6g} to {distances.max():.6g} mm, median {usual:.6g} mm"
        findings.append(Finding("uneven_spacing", text, tuple(uneven_indices.tolist())))
    return findings


def _shear_finding(positions: Floats, step: Floats, normal: Floats, tolerance: float) -> Finding | None:
    """Return a finding if each slice is shifted in its plane against the one before, as by a tilted gantry."""
    forward = float(step @ normal)
    sideways = float(np.linalg.norm(step - normal * forward))
    if sideways <= _DIRECTION_TOLERANCE * abs(forward) or sideways * (len(positions) - 1) <= tolerance:
        return None
    angle = float(np.degrees(np.arctan2(sideways, forward)))
    return Finding("shear", f"slice axis is tilted {angle:.4g}° against the slice normal (gantry tilt)")


def _off_axis_findings(positions: Floats, normal: Floats, tolerance: float) -> list[Finding]:
    """Return the slices that are shifted in their plane against the line through the first and the last slice."""
    if len(positions) < 3:
        return []
    distances = (positions - positions[0]) @ normal
    in_plane = positions - positions[0] - np.outer(distances, normal)
    expected = np.outer(distances / distances[-1], in_plane[-1])
    shifts = np.linalg.norm(in_plane - expected, axis=1)
    shifted = np.flatnonzero(shifts > _OFF_AXIS_FACTOR * tolerance)
    if not len(shifted):
        return []
    slices = "1 slice is" if len(shifted) == 1 else f"{len(shifted)} slices are"
    text = f"{slices} shifted in plane by up to {shifts.max():.6g} mm against the slice axis"
    return [Finding("off_axis", text, tuple(shifted.tolist()))]


def _vector(values: Floats) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
