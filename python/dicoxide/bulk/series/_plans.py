"""Files to volumes: which frame goes where. Nothing is decoded here."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np

from dicoxide._decode import open as open_image
from dicoxide._sources import Attributes
from dicoxide.bulk.series._discover import Finder, Other, Paths
from dicoxide.bulk.series._geometry import (
    Finding,
    Floats,
    Geometry,
    Orientation,
    Orientations,
    measure,
    places,
    tolerance,
)
from dicoxide.bulk.series._headers import AXES, Header, Slice, read_headers
from dicoxide.bulk.series._stacking import Arrangement, Part, arrange, name_frames
from dicoxide.errors import CorruptFrameError

__all__ = ["Found", "VolumePlan", "plan_series", "read_attributes"]

T = TypeVar("T")
OnError: TypeAlias = Literal["raise", "return", "skip"]

_UNITS = {axis.name: axis.unit for axis in AXES}


class Found(list[T]):
    """A list that also says what was left out of it.

    Attributes
    ----------
    skipped : dict of str to list of str
        Paths of files that are no images, by the reason: ``"not DICOM"``, ``"DICOMDIR"``, ``"no image"`` or
        ``"dangling link"``.
    errors : list of (str, Exception)
        Files and folders that could not be read, and why. Empty unless errors are returned.
    """

    def __init__(
        self,
        items: Iterable[T] = (),
        skipped: Mapping[str, list[str]] | None = None,
        errors: Iterable[tuple[str, Exception]] = (),
    ) -> None:
        super().__init__(items)
        self.skipped: dict[str, list[str]] = dict(skipped or {})
        self.errors: list[tuple[str, Exception]] = list(errors)


@dataclass(frozen=True, eq=False)
class VolumePlan:
    """What a volume will be, before anything of it is decoded: plain values that pickle.

    Attributes
    ----------
    shape : tuple of int
        ([repetitions,] slices, rows, columns[, samples]).
    dtype : dtype
        Of the stored values; one that holds those of all slices.
    slices : tuple of Slice
        Which frame of which file each slice is, in the order of the array, the fourth axis slowest.
    part : tuple of (str, value)
        What tells this volume from others of its series, for example ``(("ImageType", "ORIGINAL\\\\PRIMARY\\\\P"),)``.
    geometry : Geometry or None
        ``affine``, ``spacing``, ``origin`` and ``direction``; see :class:`Volume`, as for the other attributes.
    """

    study_instance_uid: str
    series_instance_uid: str
    series_number: int | None
    modality: str
    description: str
    part: Part
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    slices: tuple[Slice, ...]
    geometry: Geometry | None
    axis: str | None
    axis_values: tuple[float, ...]
    findings: tuple[Finding, ...]
    photometric_interpretation: str = ""

    @property
    def axis_unit(self) -> str:
        """Unit of `axis_values`, or ``""``."""
        return _UNITS.get(self.axis or "", "")

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one slice: (rows, columns[, samples])."""
        return self.shape[1:] if self.axis is None else self.shape[2:]

    @property
    def depth(self) -> int:
        """How many slices there are at one index of the fourth axis, or in all."""
        return self.shape[0] if self.axis is None else self.shape[1]

    @property
    def is_colour(self) -> bool:
        """Whether a pixel has several samples."""
        return len(self.frame_shape) > 2

    @property
    def sources(self) -> list[tuple[str, int]]:
        """(path, index of the frame in it) of each slice, in the order of the array."""
        return [(one.path, one.frame) for one in self.slices]

    @property
    def rescale(self) -> tuple[float, float] | None:
        """(slope, intercept) if all slices have the same, else None."""
        found = {one.rescale for one in self.slices}
        return found.pop() if len(found) == 1 else None


def plan_series(paths: Paths, *, threads: int | None = None, on_error: OnError = "raise") -> Found[VolumePlan]:
    """Find the volumes of folders or files by their headers alone.

    Parameters
    ----------
    paths : path, or iterable of paths
        As for :func:`read_series`.
    threads : int, optional
        Most threads to read on: all cores by default.
    on_error : {"raise", "return", "skip"}
        What becomes of files that cannot be read: the first is raised; or they are named in ``errors`` of the result.

    Returns
    -------
    list of VolumePlan
        What :func:`decode_volume` and :func:`decode_slices` take; ``skipped`` and ``errors`` say what was left out.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: of the first file in order that has one.

    References
    ----------
    PS3.3 C.7.6.2 and C.7.6.16.
    """
    if on_error not in ("raise", "return", "skip"):
        raise ValueError(f"on_error is 'raise', 'return' or 'skip', not {on_error!r}")
    headers: list[Header] = []
    skipped: dict[str, list[str]] = {}
    errors: list[tuple[str, Exception]] = []
    for one in read_headers(Finder(paths), threads):
        if isinstance(one, Header):
            headers.append(one)
        elif isinstance(one, Other):
            skipped.setdefault(one.why, []).append(one.path)
        elif on_error == "raise":
            one.error.add_note(f"of {one.path}")
            raise one.error
        else:
            errors.append(one)
    return Found(plan_headers(headers), skipped, errors)


def plan_headers(headers: Iterable[Header]) -> list[VolumePlan]:
    """The volumes of files by their headers: by study, series number and series, then the largest first."""
    series: dict[tuple[str, ...], list[Header]] = {}
    for header in headers:
        # Without a series, the folder is what keeps files together.
        where = "" if header.series_instance_uid else os.path.dirname(header.path)
        series.setdefault((header.study_instance_uid, header.series_instance_uid, where), []).append(header)
    in_order = sorted(series.items(), key=lambda item: (item[0][0], _number_or_last(item[1][0].series_number), item[0]))
    return [plan for _, some in in_order for plan in _plans(some)]


# What is found anew about the slices that are left of a plan.
_OF_PLACES = frozenset({"gap", "uneven_spacing", "shear", "off_axis", "single_slice"})


def keep(plan: VolumePlan, indices: Sequence[int], finding: Finding) -> VolumePlan:
    """What is left of a plan: some of its slices; of one with a fourth axis, whole repetitions.

    Where the slices that are left are not evenly spaced as all were, there is no geometry.
    """
    slices = tuple(plan.slices[index] for index in indices)
    if plan.axis is not None:
        values = tuple(plan.axis_values[index // plan.depth] for index in indices[:: plan.depth])
        shape = (len(values), *plan.shape[1:])
        return replace(plan, slices=slices, shape=shape, axis_values=values, findings=(finding, *plan.findings))
    geometry, measured = plan.geometry, [one for one in plan.findings if one.kind in _OF_PLACES]
    if geometry is not None:
        positions = np.array([one.position for one in slices], np.float64)
        were_even = not {"gap", "uneven_spacing"} & {one.kind for one in plan.findings}
        geometry, measured = _measured(slices, positions, range(len(slices)))
        if were_even and {"gap", "uneven_spacing"} & {one.kind for one in measured}:
            geometry = None
    # Indices of slices are not those of before.
    others = [one._replace(slices=()) for one in plan.findings if one.kind not in _OF_PLACES]
    findings = (finding, *measured, *others)
    return replace(plan, slices=slices, shape=(len(slices), *plan.frame_shape), geometry=geometry, findings=findings)


def read_attributes(plan: VolumePlan) -> dict[str, Any]:
    """The attributes of the file with the first slice, as plain values: those of ``dicoxide.open(path).attributes``."""
    with open_image(plan.slices[0].path) as image:
        return plain_attributes(image.attributes)


def plain_attributes(attributes: Attributes) -> dict[str, Any]:
    """The same in dicts and lists, which pickle; without the functional groups of single frames, or what is broken."""
    plain = {}
    for keyword in attributes:
        if keyword not in _PER_FRAME:
            with suppress(CorruptFrameError):
                plain[keyword] = _plain(attributes[keyword])
    return plain


_PER_FRAME = frozenset({"PerFrameFunctionalGroupsSequence"})


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return plain_attributes(value) if isinstance(value, Attributes) else value


class _Kind(NamedTuple):
    """What frames of one volume have in common; each difference within a series is a finding of its name."""

    mixed_sizes: tuple[int, ...]
    mixed_values: tuple[str, str]
    missing_geometry: bool
    mixed_frames_of_reference: str
    mixed_stacks: str
    mixed_pixel_spacing: tuple[float, ...]
    mixed_orientations: int
    separate_objects: str


_EXPLANATIONS = {
    "mixed_sizes": "images of several sizes",
    "mixed_values": "images of several kinds of values (palette, MONOCHROME1, floating point, 64 bits)",
    "missing_geometry": "images with and without a place in the patient",
    "mixed_frames_of_reference": "images of several frames of reference",
    "mixed_stacks": "several stacks",
    "mixed_pixel_spacing": "images of several pixel spacings",
    "mixed_orientations": "images of several orientations",
    "separate_objects": "several multi-frame objects without a place in the patient",
}


@dataclass
class _Stack:
    """Frames of one kind, not yet sorted."""

    header: Header
    dtypes: set[str] = field(default_factory=set)
    slices: list[Slice] = field(default_factory=list)


def _plans(headers: Sequence[Header]) -> list[VolumePlan]:
    """The volumes of one series, the largest first."""
    stacks: dict[_Kind, _Stack] = {}
    orientations = Orientations()
    kept, duplicates, repeated = _without_duplicates(headers)
    for header in kept:
        for one in header.slices:
            kind = _kind(header, one, orientations)
            stack = stacks.setdefault(kind, _Stack(header))
            stack.dtypes.add(header.dtype)
            stack.slices.append(one)
    common: list[Finding] = []
    for name, values in zip(_Kind._fields, zip(*stacks, strict=True), strict=True):
        count = len(set(values))
        if count > 1:
            common.append(Finding(name, f"the series has {_EXPLANATIONS[name]}, each a volume of its own"))
    if repeated:
        text = f"{len(repeated)} SOP Instance UIDs stand for several images each, for example {repeated[0]}"
        common.append(Finding("repeated_uid", text))
    plans = [
        _plan(stack, arrangement, geometry, (*common, *findings), duplicates)
        for kind, stack in stacks.items()
        for arrangement, geometry, findings in _arranged(kind, stack)
    ]
    plans.sort(key=lambda plan: (-math.prod(plan.shape), str(plan.part), plan.slices[0].sop_instance_uid))
    return plans


def _without_duplicates(headers: Sequence[Header]) -> tuple[list[Header], dict[str, list[str]], list[str]]:
    """The first file of each instance; by its path, the further ones; and UIDs that stand for different images."""
    kept: list[Header] = []
    first: dict[tuple[Any, ...], str] = {}
    duplicates: dict[str, list[str]] = {}
    uids: dict[str, int] = {}
    for header in headers:
        one = header.slices[0]
        if one.sop_instance_uid:
            # Tools that make data anonymous are known to give all files the same one.
            key = (one.sop_instance_uid, one.position, one.orientation, one.instance_number, one.keys, header.shape)
            path = first.setdefault(key, header.path)
            if path is not header.path:
                duplicates.setdefault(path, []).append(header.path)
                continue
            uids[one.sop_instance_uid] = uids.get(one.sop_instance_uid, 0) + 1
        kept.append(header)
    return kept, duplicates, [uid for uid, count in uids.items() if count > 1]


# Stored values of these do not compare with those of other grey images.
_OF_THEIR_OWN = frozenset({"MONOCHROME1", "PALETTE COLOR"})


def _kind(header: Header, one: Slice, orientations: Orientations) -> _Kind:
    # Integers share the type that holds them all; there is none for the widest, nor for floating point.
    is_alone = header.dtype[1] == "f" or header.dtype[2:] == "8"
    has_geometry = _has_place(one)
    photometric = header.photometric_interpretation if header.photometric_interpretation in _OF_THEIR_OWN else ""
    spacing = one.pixel_spacing if has_geometry else None
    return _Kind(
        header.shape,
        (header.dtype if is_alone else "", photometric),
        not has_geometry,
        header.frame_of_reference_uid if has_geometry else "",
        one.stack if has_geometry else "",
        () if spacing is None else (round(spacing[0], 4), round(spacing[1], 4)),
        orientations.number(one.orientation) if has_geometry and one.orientation else -1,
        header.path if not has_geometry and len(header.slices) > 1 else "",
    )


def _has_place(one: Slice) -> bool:
    return one.position is not None and one.orientation is not None


def _arranged(kind: _Kind, stack: _Stack) -> list[tuple[Arrangement, Geometry | None, list[Finding]]]:
    """The volumes of a stack, where they lie and what is found about them."""
    slices = stack.slices
    if kind.missing_geometry:
        order = sorted(range(len(slices)), key=lambda at: (_number_or_last(slices[at].instance_number), at))
        finding = Finding("no_geometry", "without a place in the patient: slices are in the order of instance numbers")
        return [(Arrangement(np.array(order), (), None, (), ()), None, [finding])]
    orientation: Orientation = slices[0].orientation  # type: ignore[assignment]
    within = tolerance(slices[0].pixel_spacing)
    positions = np.array([one.position for one in slices], np.float64)
    along, across = places(positions, orientation, within)
    beside: list[Finding] = []
    groups = [np.arange(len(slices))]
    if len(np.unique(np.stack([along, across]), axis=1).T) > len(np.unique(along)):
        groups = [np.flatnonzero(across == number) for number in np.unique(across)]
        beside = [Finding("mixed_columns", "slices lie beside each other, not only above: each stack is a volume")]
    result = []
    for group in groups:
        levels = np.unique(along[group], return_inverse=True)[1].reshape(-1)
        for arrangement in arrange([slices[index] for index in group.tolist()], levels):
            grid = group[arrangement.grid]
            geometry, findings = _measured(slices, positions, grid.reshape(-1, grid.shape[-1])[0].tolist())
            result.append((arrangement._replace(grid=grid), geometry, [*beside, *findings, *arrangement.findings]))
    return result


def _measured(
    slices: Sequence[Slice], positions: Floats, chosen: Sequence[int]
) -> tuple[Geometry | None, list[Finding]]:
    first = slices[chosen[0]]
    orientation: Orientation = first.orientation  # type: ignore[assignment]
    if first.pixel_spacing is None:
        return None, [Finding("no_pixel_spacing", "sorted by position, but without a pixel spacing there is no affine")]
    return measure(positions[list(chosen)], orientation, first.pixel_spacing, first.slice_spacing)


def _plan(
    stack: _Stack,
    arrangement: Arrangement,
    geometry: Geometry | None,
    findings: Sequence[Finding],
    duplicates: Mapping[str, Sequence[str]],
) -> VolumePlan:
    header = stack.header
    slices = tuple(stack.slices[index] for index in arrangement.grid.reshape(-1).tolist())
    return VolumePlan(
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        series_number=header.series_number,
        modality=header.modality,
        description=header.description,
        part=arrangement.part,
        shape=(*arrangement.grid.shape, *header.shape),
        dtype=np.result_type(*stack.dtypes).newbyteorder("="),
        slices=slices,
        geometry=geometry,
        axis=arrangement.axis,
        axis_values=arrangement.axis_values,
        findings=(*findings, *_value_findings(slices, stack.dtypes, duplicates, arrangement.grid.shape[-1])),
        photometric_interpretation=header.photometric_interpretation,
    )


def _value_findings(
    slices: Sequence[Slice], dtypes: set[str], duplicates: Mapping[str, Sequence[str]], depth: int
) -> list[Finding]:
    """What is found about the values of the slices, and where they come from."""
    findings = []
    if len(dtypes) > 1:
        findings.append(
            Finding("mixed_dtypes", f"slices of {' and '.join(sorted(np.dtype(one).name for one in dtypes))}")
        )
    rescales = {one.rescale for one in slices}
    if len(rescales) > 1:
        text = f"{len(rescales)} different rescales: stored values of different slices do not compare"
        findings.append(Finding("mixed_rescale", text))
    if duplicates:
        further = [path for one in slices if one.frame == 0 for path in duplicates.get(one.path, ())]
        if further:
            where = tuple(sorted({at % depth for at, one in enumerate(slices) if one.path in duplicates}))
            frames = [slices[0]._replace(path=path, frame=0) for path in further]
            named = name_frames(frames, len(frames))
            text = f"{len(further)} files hold instances that are here already; left out: {named}"
            findings.append(Finding("duplicate", text, where))
    return findings


def _number_or_last(number: int | None) -> float:
    return math.inf if number is None else number
