"""Compares the images of two NIfTI files, or of several, in world coordinates.

Converters store rows and slices in different directions. Before values are compared, the axes of one image are
exchanged and reversed so that they point as those of the other do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# Largest distance of corresponding corners of two volumes, in mm.
WORLD_TOLERANCE_MM = 1e-3
# Largest difference of values, relative to the largest one: converters rescale in float32 or float64.
VALUE_TOLERANCE = 2e-6


@dataclass(frozen=True)
class Volume:
    """Values of the shape (x, y, z, samples), and the affine in RAS; None without geometry."""

    values: Array
    affine: Array | None
    # Index of the file, and of the volume in it.
    file_index: int = 0
    index: int = 0

    @cached_property
    def fingerprint(self) -> Array:
        """Numbers that do not depend on the order of the axes, to find candidates for equality."""
        values = self.values
        root = float(np.sqrt(np.mean(values**2)))
        return np.array([values.mean(), root, values.min(), values.max()])


def load(path: Path, file_index: int = 0) -> list[Volume]:
    """Return the volumes of a file in the order of its fourth axis, with rescaled values."""
    image: Any = nibabel.load(path)
    stored = np.asanyarray(image.dataobj)
    if names := stored.dtype.names:
        samples = np.stack([stored[name] for name in names], axis=-1)
    else:
        # A fifth axis has the samples of colour.
        samples = stored if stored.ndim == 5 else stored[..., None]
    values = samples.reshape(*(*stored.shape, 1, 1)[:3], -1, samples.shape[-1]).astype(np.float64)
    has_geometry = image.header["sform_code"] > 0 or image.header["qform_code"] > 0
    affine = np.asarray(image.affine, np.float64) if has_geometry else None
    return [Volume(values[..., index, :], affine, file_index, index) for index in range(values.shape[3])]


def slices(volume: Volume) -> list[Volume]:
    """Return the slices along the third axis as volumes of one slice; the distance of slices is not part of them."""
    singles = []
    for index in range(volume.values.shape[2]):
        affine = None
        if volume.affine is not None:
            affine = volume.affine.copy()
            affine[:3, 3] += index * affine[:3, 2]
            normal = np.cross(affine[:3, 0], affine[:3, 1])
            affine[:3, 2] = normal / (np.linalg.norm(normal) or 1.0)
        singles.append(Volume(volume.values[:, :, index : index + 1], affine, volume.file_index, index))
    return singles


def are_close(ours: Array, other: Array) -> bool:
    """Return True if all values are equal within the tolerance."""
    limit = VALUE_TOLERANCE * float(np.abs(other).max(initial=1e-30))
    return ours.shape == other.shape and np.allclose(ours, other, rtol=0, atol=limit, equal_nan=True)


def aligned(ours: Volume, other: Volume) -> Volume | None:
    """Return `other` with the axes of `ours`, exchanged and reversed; None if that is not possible."""
    assert ours.affine is not None
    assert other.affine is not None
    try:
        transform = np.linalg.inv(ours.affine) @ other.affine
        orientation = nibabel.io_orientation(transform)
        inverse = nibabel.orientations.inv_ornt_aff(orientation, other.values.shape[:3])
        values = nibabel.orientations.apply_orientation(other.values, orientation)
    except (np.linalg.LinAlgError, ValueError, nibabel.orientations.OrientationError):
        return None
    return Volume(values, other.affine @ inverse, other.file_index, other.index)


def corner_distance(ours: Volume, other: Volume) -> float:
    """Return the largest distance of corresponding corners in mm."""
    assert ours.affine is not None
    assert other.affine is not None
    corners = np.array([[*corner, 1] for corner in product(*((0, size - 1) for size in ours.values.shape[:3]))]).T
    return float(np.linalg.norm(((ours.affine - other.affine) @ corners)[:3], axis=0).max())


def differences(ours: Volume, other: Volume) -> list[str]:
    """Return what differs between two volumes: shape, geometry, values. Empty if they are equal."""
    if ours.affine is None or other.affine is None:
        flipped = (np.flip(other.values, axes) for axes in ((), (0,), (1,), (0, 1)))
        has_equal_values = any(are_close(ours.values, values) for values in flipped)
        texts = [] if has_equal_values else [_value_difference(ours, other)]
        if (ours.affine is None) != (other.affine is None):
            texts.append("no geometry in dicoxide" if ours.affine is None else "no geometry in the other")
        return texts
    reordered = aligned(ours, other)
    if reordered is None:
        return ["axes of the affine"]
    if ours.values.shape != reordered.values.shape:
        return [_value_difference(ours, reordered)]
    texts = []
    distance = corner_distance(ours, reordered)
    if not distance <= WORLD_TOLERANCE_MM + _rounding_mm(ours):
        texts.append(f"world coordinates by {distance:.3g} mm")
    if not are_close(ours.values, reordered.values):
        texts.append(_value_difference(ours, reordered))
    return texts


def have_equal_values(ours: Volume, other: Volume) -> bool:
    """Return True if all values are equal, wherever the volumes are."""
    if ours.affine is None or other.affine is None:
        return not differences(Volume(ours.values, None), Volume(other.values, None))
    reordered = aligned(ours, other)
    return reordered is not None and are_close(ours.values, reordered.values)


def _rounding_mm(volume: Volume) -> float:
    """Return how far the last slice moves if the slice distance is that of two positions rounded to float32."""
    assert volume.affine is not None
    ulp = float(np.spacing(np.abs(volume.affine[:3, 3]).max().astype(np.float32)))
    return float(ulp * (volume.values.shape[2] - 1))


def _value_difference(ours: Volume, other: Volume) -> str:
    shapes = [volume.values.shape[:3] for volume in (ours, other)]
    if ours.values.shape != other.values.shape:
        return f"shapes {shapes[0]} and {shapes[1]}"
    limit = VALUE_TOLERANCE * float(np.abs(other.values).max(initial=1e-30))
    share = float(np.mean(~(np.abs(ours.values - other.values) <= limit)))
    return f"values of {100 * share:.3g} % of voxels"


def match(
    ours: Sequence[Volume], others: Sequence[Volume], is_equal: Callable[[Volume, Volume], bool] | None = None
) -> list[tuple[Volume, Volume]]:
    """Return pairs of equal volumes; each volume is in one pair at most.

    Candidates have similar fingerprints; the first equal one in the order of `ours` is taken.
    """
    is_equal = is_equal or (lambda a, b: not differences(a, b))
    if not ours or not others:
        return []
    fingerprints = np.array([volume.fingerprint for volume in ours])
    is_free = np.ones(len(ours), bool)
    pairs: list[tuple[Volume, Volume]] = []
    for other in others:
        scale = max(float(np.abs(other.fingerprint).max()), 1e-30)
        is_near = np.abs(fingerprints - other.fingerprint).max(axis=1) <= 4 * VALUE_TOLERANCE * scale
        for index in np.flatnonzero(is_free & is_near).tolist():
            if is_equal(ours[index], other):
                is_free[index] = False
                pairs.append((ours[index], other))
                break
    return pairs


def shape(path: Path) -> tuple[int, ...]:
    """Return the shape of a file without trailing ones after the third axis."""
    image: Any = nibabel.load(path)
    sizes = tuple(int(size) for size in image.shape)
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes = sizes[:-1]
    return sizes
