"""Groups the frames of files into volumes and makes a plan of each. Nothing is decoded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dicoxide.bulk.series._discover import UnreadableFile
from dicoxide.bulk.series._frame_headers import Slice
from dicoxide.bulk.series._geometry import (
    Finding,
    Floats,
    Geometry,
    Orientation,
    OrientationNumbers,
    compute_geometry,
    number_positions,
    position_tolerance,
    unit_axes,
)
from dicoxide.bulk.series._headers import Header
from dicoxide.bulk.series._plan import VolumePlan
from dicoxide.bulk.series._stacking import StackLayout, arrange_stack, list_names

__all__ = ["plan_headers", "subset_plan"]

# Study and Series Instance UID; the folder of files without a Series Instance UID.
_SeriesKey: TypeAlias = tuple[str, str, str]

# Photometric interpretations whose stored values are not comparable with those of other grey images.
_SEPARATE_INTERPRETATIONS = frozenset({"MONOCHROME1", "PALETTE COLOR"})

# Findings about positions, which are computed again when slices are removed from a plan.
_GEOMETRY_FINDINGS = frozenset({"gap", "uneven_spacing", "shear", "off_axis", "single_slice"})
_UNEVEN_FINDINGS = frozenset({"gap", "uneven_spacing"})


def plan_headers(entries: Iterable[Header | UnreadableFile]) -> list[VolumePlan]:
    """Plan the volumes of files by their headers; a finding names the unreadable files that may belong to a volume.

    Plans are sorted by study, series number and series; within a series, the largest volume comes first.
    """
    series: dict[_SeriesKey, list[Header]] = {}
    unreadable: dict[_SeriesKey, list[UnreadableFile]] = {}
    for entry in entries:
        # Files without a Series Instance UID are grouped by folder.
        folder = "" if entry.series_instance_uid else os.path.dirname(entry.path)
        key = (entry.study_instance_uid, entry.series_instance_uid, folder)
        if isinstance(entry, Header):
            series.setdefault(key, []).append(entry)
        else:
            unreadable.setdefault(key if entry.series_instance_uid else ("", "", folder), []).append(entry)
    ordered = sorted(series.items(), key=lambda item: (item[0][0], _number_or_last(item[1][0].series_number), item[0]))
    plans = [plan for _, members in ordered for plan in _plan_one_series(members)]
    return [_with_unreadable(plan, unreadable) for plan in plans] if unreadable else plans


def _with_unreadable(plan: VolumePlan, unreadable: Mapping[_SeriesKey, Sequence[UnreadableFile]]) -> VolumePlan:
    """Add a finding about files of the plan's series, and about files of unknown series in the same folders."""
    files = list(unreadable.get((plan.study_instance_uid, plan.series_instance_uid, ""), ()))
    for folder in dict.fromkeys(os.path.dirname(frame.path) for frame in plan.slices):
        files += unreadable.get(("", "", folder), ())
    if not files:
        return plan
    reasons = [f"{file.path} ({' '.join(str(file.error).split())})" for file in files]
    count = "1 file that may belong" if len(files) == 1 else f"{len(files)} files that may belong"
    text = f"{count} to this volume cannot be read: {list_names(reasons)}"
    return replace(plan, findings=(Finding("unreadable_file", text), *plan.findings))


def subset_plan(plan: VolumePlan, indices: Sequence[int], finding: Finding) -> VolumePlan:
    """Return a plan with only the slices `indices`, and `finding` in front of its findings.

    With a fourth axis, `indices` are whole repetitions. The geometry is None if the remaining slices are not evenly
    spaced but those of `plan` are.
    """
    slices = tuple(plan.slices[index] for index in indices)
    if plan.axis is not None:
        values = tuple(plan.axis_values[index // plan.depth] for index in indices[:: plan.depth])
        shape = (len(values), *plan.shape[1:])
        return replace(plan, slices=slices, shape=shape, axis_values=values, findings=(finding, *plan.findings))
    geometry = plan.geometry
    geometry_findings = [known for known in plan.findings if known.kind in _GEOMETRY_FINDINGS]
    if geometry is not None:
        positions = np.array([frame.position for frame in slices], np.float64)
        was_even = _UNEVEN_FINDINGS.isdisjoint(known.kind for known in plan.findings)
        geometry, geometry_findings = _stack_geometry(slices, positions, range(len(slices)))
        if was_even and not _UNEVEN_FINDINGS.isdisjoint(known.kind for known in geometry_findings):
            geometry = None
    # Slice indices in the other findings are no longer valid.
    other_findings = [known._replace(slices=()) for known in plan.findings if known.kind not in _GEOMETRY_FINDINGS]
    findings = (finding, *geometry_findings, *other_findings)
    return replace(plan, slices=slices, shape=(len(slices), *plan.frame_shape), geometry=geometry, findings=findings)


class _GroupKey(NamedTuple):
    """Properties that all frames of a volume share.

    If a series has several values of one of them, its volumes have a finding with the name of the field.
    """

    mixed_sizes: tuple[int, ...]
    mixed_mosaics: int
    mixed_values: tuple[str, str]
    missing_geometry: bool
    mixed_frames_of_reference: str
    mixed_stacks: str
    mixed_pixel_spacing: tuple[float, ...]
    mixed_orientations: int
    separate_objects: str


_EXPLANATIONS = {
    "mixed_sizes": "different image sizes",
    "mixed_mosaics": "mosaics with different numbers of slices, or mosaics and single slices",
    "mixed_values": "different kinds of values (palette, MONOCHROME1, floating point, 64 bits)",
    "missing_geometry": "images with and without position and orientation",
    "mixed_frames_of_reference": "different frames of reference",
    "mixed_stacks": "different stacks",
    "mixed_pixel_spacing": "different pixel spacings",
    "mixed_orientations": "different orientations",
    "separate_objects": "several multi-frame objects without position and orientation",
}


@dataclass
class _FrameGroup:
    """Frames with the same group key, not yet sorted."""

    header: Header
    dtypes: set[str] = field(default_factory=set)
    slices: list[Slice] = field(default_factory=list)


def _plan_one_series(headers: Sequence[Header]) -> list[VolumePlan]:
    """Plan the volumes of one series, the largest first."""
    groups: dict[_GroupKey, _FrameGroup] = {}
    orientations = OrientationNumbers()
    retained, duplicates, repeated_uids = _without_duplicates(headers)
    for header in retained:
        for frame in header.slices:
            group = groups.setdefault(_group_key(header, frame, orientations), _FrameGroup(header))
            group.dtypes.add(header.dtype)
            group.slices.append(frame)
    common: list[Finding] = []
    for name, values in zip(_GroupKey._fields, zip(*groups, strict=True), strict=True):
        if len(set(values)) > 1:
            common.append(Finding(name, f"the series has {_EXPLANATIONS[name]}; each is a separate volume"))
    if repeated_uids:
        uids = "1 SOP Instance UID is" if len(repeated_uids) == 1 else f"{len(repeated_uids)} SOP Instance UIDs are"
        common.append(Finding("repeated_uid", f"{uids} used by different images, for example {repeated_uids[0]}"))
    plans = [
        _make_plan(group, layout, geometry, (*common, *findings), duplicates)
        for key, group in groups.items()
        for layout, geometry, findings in _arrange_group(key, group)
    ]
    plans.sort(key=lambda plan: (-math.prod(plan.shape), str(plan.part), plan.slices[0].sop_instance_uid))
    return plans


def _without_duplicates(headers: Sequence[Header]) -> tuple[list[Header], dict[str, list[str]], list[str]]:
    """Find copies of the same instance.

    Returns the first file of each instance, the paths of further copies by the path of the first, and SOP Instance UIDs
    that several different images share.
    """
    retained: list[Header] = []
    first_path: dict[tuple[Any, ...], str] = {}
    duplicates: dict[str, list[str]] = {}
    uid_counts: dict[str, int] = {}
    for header in headers:
        frame = header.slices[0]
        uid = frame.sop_instance_uid
        if uid:
            # The UID alone is not sufficient: some anonymisers give all files the same one.
            key = (uid, frame.position, frame.orientation, frame.instance_number, frame.keys, header.shape)
            path = first_path.setdefault(key, header.path)
            if path is not header.path:
                duplicates.setdefault(path, []).append(header.path)
                continue
            uid_counts[uid] = uid_counts.get(uid, 0) + 1
        retained.append(header)
    return retained, duplicates, [uid for uid, count in uid_counts.items() if count > 1]


def _group_key(header: Header, frame: Slice, orientations: OrientationNumbers) -> _GroupKey:
    # Integers of different types share one that holds both; this is impossible with 64 bits, and avoided for floats.
    is_separate_dtype = header.dtype[1] == "f" or header.dtype[2:] == "8"
    has_geometry = frame.position is not None and frame.orientation is not None
    interpretation = header.photometric_interpretation
    spacing = frame.pixel_spacing if has_geometry else None
    return _GroupKey(
        header.shape,
        0 if frame.tile is None else frame.tile.slice_count,
        (
            header.dtype if is_separate_dtype else "",
            interpretation if interpretation in _SEPARATE_INTERPRETATIONS else "",
        ),
        not has_geometry,
        header.frame_of_reference_uid if has_geometry else "",
        frame.stack if has_geometry else "",
        () if spacing is None else (round(spacing[0], 4), round(spacing[1], 4)),
        orientations.number(frame.orientation) if has_geometry and frame.orientation else -1,
        header.path if not has_geometry and frame.file.frame_count > 1 else "",
    )


def _arrange_group(key: _GroupKey, group: _FrameGroup) -> list[tuple[StackLayout, Geometry | None, list[Finding]]]:
    """Sort the frames of a group into volumes; return layout, geometry and findings of each."""
    slices = group.slices
    if key.mixed_mosaics:
        return _arrange_mosaics(slices)
    if key.missing_geometry:
        order = sorted(range(len(slices)), key=lambda index: (_number_or_last(slices[index].instance_number), index))
        finding = Finding("no_geometry", "no position or orientation; slices are sorted by instance number")
        return [(StackLayout(np.array(order), (), None, (), ()), None, [finding])]
    orientation: Orientation = slices[0].orientation  # type: ignore[assignment]
    tolerance = position_tolerance(slices[0].pixel_spacing)
    positions = np.array([frame.position for frame in slices], np.float64)
    along_normal, in_plane = number_positions(positions, orientation, tolerance)
    column_findings: list[Finding] = []
    columns = [np.arange(len(slices))]
    if len({*zip(along_normal.tolist(), in_plane.tolist(), strict=True)}) > len({*along_normal.tolist()}):
        # Several stacks next to each other, as in tiled acquisitions.
        columns = [np.flatnonzero(in_plane == number) for number in np.unique(in_plane)]
        text = "slices of several stacks are side by side in the same plane; each stack is a separate volume"
        column_findings = [Finding("mixed_columns", text)]
    result = []
    for column in columns:
        levels = np.unique(along_normal[column], return_inverse=True)[1].reshape(-1)
        for layout in arrange_stack([slices[index] for index in column.tolist()], levels):
            grid = column[layout.grid]
            first_repetition = grid.reshape(-1, grid.shape[-1])[0].tolist()
            geometry, findings = _stack_geometry(slices, positions, first_repetition)
            result.append((layout._replace(grid=grid), geometry, [*column_findings, *findings, *layout.findings]))
    return result


def _arrange_mosaics(slices: Sequence[Slice]) -> list[tuple[StackLayout, Geometry | None, list[Finding]]]:
    """Arrange the slices of mosaics: each mosaic is one repetition, even if the positions of mosaics differ a little.

    Positions differ after motion correction during the acquisition.
    """
    indices = [0 if frame.tile is None else frame.tile.slice_index for frame in slices]
    # Consecutive numbers, even if a file has changed and tiles are missing.
    tiles = np.unique(indices, return_inverse=True)[1].reshape(-1)
    first = slices[0]
    if first.position is None or first.orientation is None:
        finding = Finding("no_geometry", "no position or orientation; slices are in the order of the mosaic")
        return [(layout, None, [finding, *layout.findings]) for layout in arrange_stack(slices, tiles)]
    positions = np.array([frame.position for frame in slices], np.float64)
    last = positions[int(np.argmax(tiles))]
    is_reversed = float((last - positions[int(np.argmin(tiles))]) @ unit_axes(first.orientation)[2]) < 0
    result = []
    for layout in arrange_stack(slices, tiles.max() - tiles if is_reversed else tiles):
        repetitions = layout.grid.reshape(-1, layout.grid.shape[-1])
        geometry, findings = _stack_geometry(slices, positions, repetitions[0].tolist())
        shift = np.linalg.norm(positions[repetitions] - positions[repetitions[0]], axis=2).max()
        if shift > position_tolerance(first.pixel_spacing):
            text = f"repetitions are shifted by up to {shift:.4g} mm; the affine is that of the first"
            findings.append(Finding("moving_positions", text))
        result.append((layout, geometry, [*findings, *layout.findings]))
    return result


def _stack_geometry(
    slices: Sequence[Slice], positions: Floats, indices: Sequence[int]
) -> tuple[Geometry | None, list[Finding]]:
    """Return the geometry of the slices `indices`, and its irregularities."""
    first = slices[indices[0]]
    orientation: Orientation = first.orientation  # type: ignore[assignment]
    if first.file.mosaic_problem:
        text = f"mosaic whose slices cannot be separated, without an affine: {first.file.mosaic_problem}"
        return None, [Finding("mosaic", text)]
    if first.pixel_spacing is None:
        return None, [Finding("no_pixel_spacing", "no pixel spacing: slices are sorted by position, without an affine")]
    return compute_geometry(positions[list(indices)], orientation, first.pixel_spacing, first.slice_spacing)


def _make_plan(
    group: _FrameGroup,
    layout: StackLayout,
    geometry: Geometry | None,
    findings: Sequence[Finding],
    duplicates: Mapping[str, Sequence[str]],
) -> VolumePlan:
    header = group.header
    slices = tuple(group.slices[index] for index in layout.grid.reshape(-1).tolist())
    return VolumePlan(
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        series_number=header.series_number,
        modality=header.modality,
        description=header.description,
        part=layout.part,
        shape=(*layout.grid.shape, *header.shape),
        dtype=np.result_type(*group.dtypes).newbyteorder("="),
        slices=slices,
        geometry=geometry,
        axis=layout.axis,
        axis_values=layout.axis_values,
        findings=(*findings, *_value_findings(slices, findings, group.dtypes, duplicates, layout.grid.shape[-1])),
        photometric_interpretation=header.photometric_interpretation,
    )


def _value_findings(
    slices: Sequence[Slice],
    known: Sequence[Finding],
    dtypes: set[str],
    duplicates: Mapping[str, Sequence[str]],
    depth: int,
) -> list[Finding]:
    """Return findings about stored values, and about copies of the slices' files; `known` are the other findings."""
    findings = []
    if len(dtypes) > 1:
        names = " and ".join(sorted(np.dtype(dtype).name for dtype in dtypes))
        findings.append(Finding("mixed_dtypes", f"slices have different types: {names}"))
    rescales = {frame.rescale for frame in slices}
    if len(rescales) > 1:
        text = f"slices have {len(rescales)} different rescales; their stored values are not comparable"
        findings.append(Finding("mixed_rescale", text))
    # Copies of frames in the volume, and of frames that are left out themselves.
    frames = chain(((frame.path, frame.frame) for frame in slices), *(finding.left_out for finding in known))
    copies = dict.fromkeys((copy, index) for path, index in frames for copy in duplicates.get(path, ()))
    if copies:
        indices = tuple(sorted({index % depth for index, frame in enumerate(slices) if frame.path in duplicates}))
        paths = list(dict.fromkeys(path for path, _ in copies))
        files = "1 file is a copy of an instance" if len(paths) == 1 else f"{len(paths)} files are copies of instances"
        text = f"{files} already in the volume; left out: {list_names(paths)}"
        findings.append(Finding("duplicate", text, indices, left_out=tuple(copies)))
    return findings


def _number_or_last(number: int | None) -> float:
    return math.inf if number is None else number
