"""b-values and gradient directions of diffusion images, from standard attributes and from those of vendors.

    Siemens                   (0019,xx0C), (0019,xx0E), (0019,xx27); B_value, DiffusionGradientDirection in (0029,xx10)
    Philips                   (2001,xx03), (2005,xxB0) to (2005,xxB2)
    United Imaging            (0065,xx09), (0065,xx37)                       relative to rows, columns and slices
    GE                        (0043,xx39), (0019,xxBB) to (0019,xxBD)        relative to frequency, phase and slices
    Canon, Toshiba            Image Comments, "b=1000(0.6,0.8,0.0)"          relative to phase, frequency and slices

Directions are returned as unit vectors in LPS; slices are counted along the normal, row direction × column direction.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from dicoxide._sources import Attributes
from dicoxide.bulk.series._attribute_values import parse_number, parse_numbers, parse_orientation, parse_text
from dicoxide.bulk.series._csa import parse_csa
from dicoxide.bulk.series._geometry import Orientation, Vector, unit_axes

__all__ = ["Diffusion", "read_diffusion", "unit_vector"]

# Shorter vectors are no directions.
_MIN_LENGTH = 1e-6
# GE and Canon write the largest b-value and, for lower ones, vectors of this range of lengths: b = b_max · length².
_SHORT_VECTORS = (0.03, 0.97)
_B_VALUE_STEP = 5
# GE adds this number to b-values.
_GE_B_VALUE_OFFSET = 10**9
_CANON_COMMENT = re.compile(r"b=\s*([0-9.]+)\s*(?:\(([^()]*)\))?")


class Diffusion(NamedTuple):
    """Diffusion weighting of an image.

    Attributes
    ----------
    b_value : float or None
        In s/mm².
    gradient : tuple of float
        Unit vector in LPS; empty without a direction.
    """

    b_value: float | None
    gradient: Vector | tuple[()] = ()


def read_diffusion(attributes: Attributes, values: Mapping[str, Any]) -> Diffusion:
    """Return the diffusion weighting of an MR image with one frame.

    Parameters
    ----------
    attributes : Attributes
        The data set, with its private elements.
    values : mapping
        Values of ``DIFFUSION_KEYWORDS`` and of the attributes of the top level, by keyword.
    """
    standard = Diffusion(
        _b_value(values.get("DiffusionBValue")), unit_vector(values.get("DiffusionGradientOrientation"))
    )
    manufacturer = parse_text(values.get("Manufacturer")).upper()
    for prefix, read in _READERS.items():
        if manufacturer.startswith(prefix):
            # UIH writes the standard attribute relative to the image.
            if standard.gradient and prefix != "UIH":
                return standard
            found = read(attributes, values)
            return found._replace(b_value=standard.b_value) if found.b_value is None else found
    return standard


def unit_vector(value: Any) -> Vector | tuple[()]:
    """Return a direction as a unit vector; empty if `value` is not three numbers, or zeros."""
    numbers = parse_numbers(value, 3)
    if numbers is None:
        return ()
    x, y, z = numbers
    length = math.hypot(x, y, z)
    return (x / length, y / length, z / length) if _MIN_LENGTH < length < math.inf else ()


def _b_value(value: Any) -> float | None:
    number = parse_number(value)
    return None if number is None or number < 0 else number


def _read_siemens(attributes: Attributes, values: Mapping[str, Any]) -> Diffusion:
    creator = "SIEMENS MR HEADER"
    stored, direction = attributes.get_private(creator, ((0x0019000C, "IS"), (0x0019000E, "FD")))
    b_value = _b_value(stored)
    if b_value is not None:
        gradient = unit_vector(direction)
        if not gradient and b_value and attributes.private(creator, 0x0019000D, "CS") == "DIRECTIONAL":
            gradient = _main_direction(attributes.private(creator, 0x00190027, "FD"))
        return Diffusion(b_value, gradient)
    # Parsing takes longer than reading the other attributes, so it is limited to images that can have these values.
    if "DIFFUSION" not in values.get("ImageType", ()) and "ep_b" not in parse_text(values.get("SequenceName")):
        return Diffusion(None)
    header = attributes.private("SIEMENS CSA HEADER", 0x00290010, "OB")
    csa = parse_csa(header, ("B_value", "DiffusionGradientDirection"))
    return Diffusion(_b_value(csa.get("B_value")), unit_vector(csa.get("DiffusionGradientDirection")))


def _main_direction(matrix: Any) -> Vector | tuple[()]:
    """Return the direction of a b-matrix (xx, xy, xz, yy, yz, zz), whose sign is arbitrary."""
    numbers = parse_numbers(matrix, 6)
    if numbers is None or max(map(abs, numbers)) > 1e9:
        return ()
    xx, xy, xz, yy, yz, zz = numbers
    return unit_vector(np.linalg.eigh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])[1][:, 2].tolist())


def _read_philips(attributes: Attributes, values: Mapping[str, Any]) -> Diffusion:
    b_value = _b_value(attributes.get_private("Philips Imaging DD 001", ((0x20010003, "FL"),))[0])
    if b_value is None and values.get("DiffusionBValue") is None:
        return Diffusion(None)
    elements = ((0x200500B0, "FL"), (0x200500B1, "FL"), (0x200500B2, "FL"))
    return Diffusion(b_value, unit_vector(attributes.get_private("Philips MR Imaging DD 001", elements)))


def _read_united_imaging(attributes: Attributes, values: Mapping[str, Any]) -> Diffusion:
    creator = "Image Private Header"
    stored, direction = attributes.get_private(creator, ((0x00650009, "FD"), (0x00650037, "FD")))
    gradient = unit_vector(direction)
    orientation = parse_orientation(values.get("ImageOrientationPatient"))
    return Diffusion(_b_value(stored), _in_patient(gradient, orientation) if gradient and orientation else ())


def _read_ge(attributes: Attributes, values: Mapping[str, Any]) -> Diffusion:
    b_value = _b_value(attributes.get_private("GEMS_PARM_01", ((0x00430039, "IS"),))[0])
    if not b_value:
        return Diffusion(b_value)
    elements = ((0x001900BB, "DS"), (0x001900BC, "DS"), (0x001900BD, "DS"))
    vector = parse_numbers(attributes.get_private("GEMS_ACQU_01", elements), 3)
    return _relative_to_phase(b_value % _GE_B_VALUE_OFFSET, vector, values)


def _read_canon(attributes: Attributes, values: Mapping[str, Any]) -> Diffusion:
    b_value, vector = _parse_comment(parse_text(values.get("ImageComments")))
    return _relative_to_phase(b_value, vector, values)


@lru_cache(256)
def _parse_comment(comment: str) -> tuple[float | None, Vector | None]:
    """Return b-value and vector of Image Comments; cached, as all slices of a volume have the same."""
    found = _CANON_COMMENT.match(comment.strip())
    if found is None:
        return None, None
    vector = parse_numbers((found[2] or "").split(","), 3)
    return _b_value(found[1]), vector and (vector[1], vector[0], vector[2])


def _relative_to_phase(b_value: float | None, vector: Vector | None, values: Mapping[str, Any]) -> Diffusion:
    """Return the weighting for a vector of components along frequency, phase and slice.

    With phase encoding along columns these are, up to the sign of the whole vector, row direction, column direction and
    the reverse of the normal.
    """
    phase = parse_text(values.get("InPlanePhaseEncodingDirection"))
    if not b_value or vector is None or phase not in ("COL", "ROW"):
        return Diffusion(b_value)
    orientation = parse_orientation(values.get("ImageOrientationPatient"))
    return Diffusion(b_value) if orientation is None else _weighting(b_value, vector, orientation, phase)


@lru_cache(256)
def _weighting(b_value: float, vector: Vector, orientation: Orientation, phase: str) -> Diffusion:
    """Return the weighting for a vector relative to phase encoding; cached, as all slices of a volume have the same."""
    length = math.hypot(*vector)
    if _SHORT_VECTORS[0] < length < _SHORT_VECTORS[1]:
        steps = int(b_value * length**2 / _B_VALUE_STEP + 0.5)
        b_value = float(max(1, steps) * _B_VALUE_STEP)
    x, y, z = vector if phase == "COL" else (vector[1], -vector[0], vector[2])
    normal = _axes(orientation)[2]
    main_axis = max(range(3), key=lambda axis: abs(normal[axis]))
    if main_axis == 1:
        # Coronal slices.
        y = -y
    if main_axis:
        # The sign of the whole vector is that of dcm2niix.
        x, y, z = -x, -y, -z
    return Diffusion(b_value, _in_patient((x, y, -z), orientation))


def _in_patient(vector: Vector, orientation: Orientation) -> Vector | tuple[()]:
    """Return the unit vector in LPS of a vector with components along rows, columns and the normal."""
    x, y, z = vector
    along_row, along_column, normal = _axes(orientation)
    return unit_vector(
        [x * r + y * c + z * n for r, c, n in zip(along_row, along_column, normal, strict=True)],
    )


@lru_cache(64)
def _axes(orientation: Orientation) -> list[list[float]]:
    """Return the unit vectors of `unit_axes`; cached, as most images of a series have the same orientation."""
    axes: list[list[float]] = unit_axes(orientation).tolist()
    return axes


# Readers by the first letters of Manufacturer.
_READERS = {
    "SIEMENS": _read_siemens,
    "PHILIPS": _read_philips,
    "UIH": _read_united_imaging,
    "GE ": _read_ge,
    "CANON": _read_canon,
    "TOSHIBA": _read_canon,
}
