"""Compares the metadata of volumes: gradients, keys of JSON files, repetition time in the NIfTI header."""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from volume_files import NiftiFile

# Largest difference of b-values in s/mm², and of the components of unit vectors.
B_VALUE_TOLERANCE, DIRECTION_TOLERANCE = 1.0, 2e-3
# Largest relative difference of numbers in JSON files; of slice times in seconds: dcm2niix keeps clock times as float32
# numbers of the form HHMMSS, which have steps of 1/64 s in the afternoon.
KEY_TOLERANCE, SLICE_TIME_TOLERANCE = 1e-4, 0.02
# Keys that are compared, with the names of BIDS.
KEYS = (
    *("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "SliceTiming"),
    *("PhaseEncodingDirection", "PhaseEncodingAxis", "MagneticFieldStrength"),
    *("SliceThickness", "SpacingBetweenSlices", "ImageType", "Modality", "Manufacturer", "ManufacturersModelName"),
)
SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}


def sidecar_notes(ours: NiftiFile, other: NiftiFile) -> list[str]:
    """Return the differences of gradients, keys and repetition time."""
    notes = [*_gradients(ours, other), *_keys(ours, other), *_repetition_time(ours, other)]
    return list(dict.fromkeys(notes))


def _gradients(ours: NiftiFile, other: NiftiFile) -> list[str]:
    tables = [(item.numbers(".bval"), _world_vectors(item)) for item in (ours, other)]
    names = [name for name, table in zip(("dicoxide", "the other"), tables, strict=True) if table[0] is not None]
    if len(names) == 1:
        return [f"bval only in {names[0]}"]
    (b_values, vectors), (other_b_values, other_vectors) = tables
    if b_values is None or other_b_values is None or vectors is None or other_vectors is None:
        return []
    if b_values.size > other_b_values.size:
        # The other omits averages and maps: a b-value without a direction.
        is_measurement = (b_values[0] == 0) | (np.abs(vectors).max(axis=0) > 0)
        b_values, vectors = b_values[:, is_measurement], vectors[:, is_measurement]
    if b_values.shape != other_b_values.shape or vectors.shape != other_vectors.shape:
        return [f"gradients of {b_values.size} and {other_b_values.size} volumes"]
    worst = np.abs(b_values - other_b_values).max()
    notes = [f"bval differs by {worst:.3g}"] if worst > B_VALUE_TOLERANCE else []
    # A gradient and its opposite are the same measurement; without weighting there is no direction.
    is_weighted = b_values[0] > B_VALUE_TOLERANCE
    distances = [np.abs(vectors - sign * other_vectors).max(axis=0) * is_weighted for sign in (1, -1)]
    if (worst := np.minimum(*distances).max()) > DIRECTION_TOLERANCE:
        notes.append(f"bvec differs by {worst:.3g}")
    elif distances[0].max() > DIRECTION_TOLERANCE:
        notes.append("bvec with opposite signs")
    return notes


def _world_vectors(item: NiftiFile) -> npt.NDArray[np.float64] | None:
    """Return the vectors of the .bvec file in RAS; the file reverses the first axis if the determinant is positive."""
    vectors = item.numbers(".bvec")
    if vectors is None:
        return None
    axes = _affine(item)[:3, :3]
    axes = axes / np.linalg.norm(axes, axis=0)
    if np.linalg.det(axes) > 0:
        vectors[0] = -vectors[0]
    return np.asarray(axes @ vectors, np.float64)


def _affine(item: NiftiFile) -> npt.NDArray[np.float64]:
    image: Any = nibabel.load(item.path)
    return np.asarray(image.affine, np.float64)


def _keys(ours: NiftiFile, other: NiftiFile) -> list[str]:
    """Return keys of the other's JSON file that are missing or different in that of dicoxide."""
    keys = [key for key in KEYS if key in other.sidecar]
    missing = [key for key in keys if key not in ours.sidecar]
    notes = [f"missing keys: {', '.join(missing)}"] if missing else []
    different = [key for key in keys if key not in missing and not _is_same_value(key, ours, other)]
    notes += [f"{key} {str(ours.sidecar[key])[:40]} and {str(other.sidecar[key])[:40]}" for key in different]
    return notes


def _is_same_value(key: str, ours: NiftiFile, other: NiftiFile) -> bool:
    values = ours.sidecar[key], other.sidecar[key]
    if key == "ImageType":
        # dcm2niix divides values at underscores and appends some.
        return {part for value in values[0] for part in value.split("_")} <= set(values[1])
    if isinstance(values[0], list) and not isinstance(values[1], list):
        # One of several values, if the other converter writes one file for each.
        return any(_is_close(value, values[1]) for value in values[0])
    if key in {"PhaseEncodingDirection", "PhaseEncodingAxis"}:
        directions = [_anatomical_direction(item, item.sidecar[key]) for item in (ours, other)]
        if key == "PhaseEncodingAxis":
            return set(directions[0]) <= {directions[1], directions[1].translate(_OPPOSITE)}
        return directions[0] == directions[1]
    if key == "SliceTiming":
        # Slices may be stored in the other direction.
        values = tuple(
            item.sidecar[key] if _is_slice_axis_positive(item) else item.sidecar[key][::-1] for item in (ours, other)
        )
        return _is_close(*values, absolute=SLICE_TIME_TOLERANCE)
    return _is_close(*values)


def _is_close(ours: Any, other: Any, absolute: float = 0.0) -> bool:
    """Return True if two numbers, or lists of numbers, agree within tolerances, or if other values are equal."""
    try:
        a, b = (np.asarray(value, np.float64) for value in (ours, other))
    except (TypeError, ValueError):
        return bool(ours == other)
    return a.shape == b.shape and np.allclose(a, b, rtol=KEY_TOLERANCE, atol=absolute)


_OPPOSITE = str.maketrans("LRPAIS", "RLAPSI")


def _anatomical_direction(item: NiftiFile, text: str) -> str:
    """Return a direction along an axis of the image, such as `j-`, as the letter of the anatomical direction."""
    code = str(nibabel.aff2axcodes(_affine(item))["ijk".index(text[0])])
    return code.translate(_OPPOSITE) if text.endswith("-") else code


def _is_slice_axis_positive(item: NiftiFile) -> bool:
    return nibabel.aff2axcodes(_affine(item))[2] in "RAS"


def _repetition_time(ours: NiftiFile, other: NiftiFile) -> list[str]:
    headers = [nibabel.load(item.path).header for item in (ours, other)]
    if min(int(header["dim"][0]) for header in headers) < 4:
        return []
    seconds = [float(header["pixdim"][4]) * SECONDS.get(header.get_xyzt_units()[1], 1.0) for header in headers]
    return [] if np.isclose(seconds[0], seconds[1], rtol=1e-3) else [f"pixdim[4] {seconds[0]:g} s and {seconds[1]:g} s"]
