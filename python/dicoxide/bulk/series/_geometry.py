"""Geometry of slices: orientations, positions, spacing and the affine matrix.

All coordinates are mm in the patient coordinate system LPS (PS3.3 C.7.6.2.1.1): x grows to the patient's left, y to the
back, z to the head. Pure functions of numbers; nothing here reads files.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dicoxide.bulk.series._spacing import ToleranceNumbers, measure_spacing, spacing_tolerance

Vector: TypeAlias = tuple[float, float, float]
Orientation: TypeAlias = tuple[float, float, float, float, float, float]
Floats: TypeAlias = npt.NDArray[np.float64]

# Orientations are written with few digits: direction cosines that differ by less are equal.
_DIRECTION_TOLERANCE = 1e-3
# Deviation from unit length and from orthogonality above which six direction cosines are not an orientation.
_ORTHONORMAL_TOLERANCE = 1e-2
# Positions in a plane that differ by less are equal; as a fraction of the pixel spacing.
_IN_PLANE_TOLERANCE = 0.1
# Smallest shift of the last slice in its plane that is a shear; as a fraction of the pixel spacing.
_SHEAR_TOLERANCE = 0.01
# Positions of missing slices that a message lists, and that a finding holds.
_MAX_LISTED = 8
_MAX_MISSING = 4096


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
        For a gap: expected positions of the missing slices, in mm; at most 4096.
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


def number_orientations() -> ToleranceNumbers:
    """Return an object that assigns the same number to orientations that differ only by rounding."""
    return ToleranceNumbers(_DIRECTION_TOLERANCE)


def in_plane_tolerance(pixel_spacing: tuple[float, float] | None) -> float:
    """Return the distance in mm below which two positions in a plane are equal."""
    return _IN_PLANE_TOLERANCE * min(pixel_spacing or (1.0, 1.0))


def compute_geometry(
    positions: Floats, orientation: Orientation, pixel_spacing: tuple[float, float], slice_spacing: float | None
) -> tuple[Geometry | None, list[Finding]]:
    """Compute the geometry of a stack, and its irregularities.

    The slice axis leads from the first slice to the last in even steps. It is the normal unless the stack is sheared.
    The geometry is None if slices are missing, unevenly spaced or off the axis, because then no affine is right.

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
    is_right = True
    if len(positions) > 1:
        step = (positions[-1] - positions[0]) / (len(positions) - 1)
        length = float(np.linalg.norm(step))
        irregular = _spacing_findings(positions, normal) + _off_axis_findings(positions, normal, pixel_spacing)
        is_right = not irregular
        findings += irregular
        shear = _shear_finding(positions, step, normal, _SHEAR_TOLERANCE * min(pixel_spacing))
        if shear is not None:
            findings.append(shear)
            directions[2] = step / length
    else:
        source = "from the header" if slice_spacing else "assumed"
        findings.append(Finding("single_slice", f"single slice; slice spacing {length:g} mm {source}"))
    if not is_right:
        return None, findings
    spacing = pixel_spacing[1], pixel_spacing[0], length
    affine = np.eye(4)
    affine[:3, :3] = directions.T * spacing
    affine[:3, 3] = positions[0]
    return Geometry(affine, spacing, _vector(positions[0]), directions.T.copy()), findings


def _spacing_findings(positions: Floats, normal: Floats) -> list[Finding]:
    """Return a finding if slices are missing, or if they are unevenly spaced."""
    along = positions @ normal
    spacing = measure_spacing(along)
    if spacing.is_even:
        return []
    if not spacing.is_regular:
        distances = np.diff(along)
        uneven = np.flatnonzero(np.abs(distances - spacing.step) > spacing_tolerance(spacing.step))
        text = f"slice distances range from {distances.min():.6g} to {distances.max():.6g} mm"
        return [Finding("uneven_spacing", f"{text}, median {spacing.step:.6g} mm", tuple(uneven.tolist()))]
    multiples = np.diff(spacing.indices)
    gap_indices = np.flatnonzero(multiples > 1)
    count = int(spacing.indices[-1]) + 1 - len(positions)
    missing: list[Vector] = []
    for index in gap_indices.tolist():
        # The step along a sheared axis, too.
        step = (positions[index + 1] - positions[index]) / multiples[index]
        numbers = range(1, min(int(multiples[index]), 1 + _MAX_MISSING - len(missing)))
        missing += [_vector(positions[index] + step * number) for number in numbers]
    listed = ", ".join(f"({x:.6g}, {y:.6g}, {z:.6g})" for x, y, z in missing[:_MAX_LISTED])
    more = f" and {count - _MAX_LISTED} more" if count > _MAX_LISTED else ""
    slices = "1 slice" if count == 1 else f"{count} slices"
    text = f"{slices} missing at a slice spacing of {spacing.step:.6g} mm; expected positions in mm: {listed}{more}"
    return [Finding("gap", text, tuple(gap_indices.tolist()), tuple(missing))]


def _shear_finding(positions: Floats, step: Floats, normal: Floats, tolerance: float) -> Finding | None:
    """Return a finding if each slice is shifted in its plane against the one before, as by a tilted gantry."""
    forward = float(step @ normal)
    sideways = float(np.linalg.norm(step - normal * forward))
    if sideways <= _DIRECTION_TOLERANCE * abs(forward) or sideways * (len(positions) - 1) <= tolerance:
        return None
    angle = float(np.degrees(np.arctan2(sideways, forward)))
    return Finding("shear", f"slice axis is tilted {angle:.4g}° against the slice normal (gantry tilt)")


def _off_axis_findings(positions: Floats, normal: Floats, pixel_spacing: tuple[float, float]) -> list[Finding]:
    """Return the slices that are shifted in their plane against the line through the first and the last slice."""
    if len(positions) < 3:
        return []
    distances = (positions - positions[0]) @ normal
    in_plane = positions - positions[0] - np.outer(distances, normal)
    expected = np.outer(distances / distances[-1], in_plane[-1])
    shifts = np.linalg.norm(in_plane - expected, axis=1)
    shifted = np.flatnonzero(shifts > in_plane_tolerance(pixel_spacing))
    if not len(shifted):
        return []
    slices = "1 slice is" if len(shifted) == 1 else f"{len(shifted)} slices are"
    text = f"{slices} shifted in plane by up to {shifts.max():.6g} mm against the slice axis"
    return [Finding("off_axis", text, tuple(shifted.tolist()))]


def _vector(values: Floats) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
