"""Groups the frames of files into volumes and makes a plan of each. Nothing is decoded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dicoxide.bulk.series._arrangement import (
    Stack,
    arrange_frames,
    arrange_mosaics,
    fill_omitted_frames,
    stack_geometry,
)
from dicoxide.bulk.series._discover import UnreadableFile
from dicoxide.bulk.series._frame_headers import Slice
from dicoxide.bulk.series._geometry import Finding, number_orientations
from dicoxide.bulk.series._headers import Header
from dicoxide.bulk.series._plan import VolumePlan
from dicoxide.bulk.series._spacing import ToleranceNumbers
from dicoxide.bulk.series._split_options import NO_SPLIT_OPTIONS, SplitOptions
from dicoxide.bulk.series._stacking import StackLayout, label_order, list_names

__all__ = ["plan_headers", "subset_plan"]

# Study and Series Instance UID; the folder of files without a Series Instance UID.
_SeriesKey: TypeAlias = tuple[str, str, str]

# Photometric interpretations whose stored values are not comparable with those of other grey images.
_SEPARATE_INTERPRETATIONS = frozenset({"MONOCHROME1", "PALETTE COLOR"})

# Findings about positions, which are computed again when slices are removed from a plan.
_GEOMETRY_FINDINGS = frozenset({"gap", "uneven_spacing", "shear", "off_axis", "single_slice"})
_IRREGULAR_FINDINGS = frozenset({"gap", "uneven_spacing", "off_axis"})
# Pixel spacings whose ratio is less are equal: the pixels of an image of this many are shifted by half of one at most.
_SPACING_TOLERANCE = 1e-3


def plan_headers(
    entries: Iterable[Header | UnreadableFile], options: SplitOptions = NO_SPLIT_OPTIONS
) -> list[VolumePlan]:
    """Plan the volumes of files by their headers, which were read with the same `options`.

    A finding names the unreadable files that may belong to a volume.

    Plans are sorted by study, series number and series; within a series, the largest volume comes first.
    """
    series: dict[_SeriesKey, list[Header]] = {}
    unreadable: dict[_SeriesKey, list[UnreadableFile]] = {}
    for entry in entries:
        # Files without a Series Instance UID are grouped by folder.
        folder = "" if entry.series_instance_uid else os.path.dirname(entry.path)
        uid = "" if "SeriesInstanceUID" in options.merge else entry.series_instance_uid
        key = (entry.study_instance_uid, uid, folder)
        if isinstance(entry, Header):
            series.setdefault(key, []).append(entry)
        else:
            unreadable.setdefault(key if entry.series_instance_uid else ("", "", folder), []).append(entry)
    ordered = sorted(series.items(), key=lambda item: (item[0][0], _number_or_last(item[1][0].series_number), item[0]))
    return [
        _with_unreadable(plan, key, unreadable) if unreadable else plan
        for key, members in ordered
        for plan in _plan_one_series(members, options)
    ]


def _with_unreadable(
    plan: VolumePlan, key: _SeriesKey, unreadable: Mapping[_SeriesKey, Sequence[UnreadableFile]]
) -> VolumePlan:
    """Add a finding about files of the plan's series `key`, and about files of unknown series in the same folders."""
    files = list(unreadable.get(key, ())) if key[2] == "" else []
    for folder in dict.fromkeys(os.path.dirname(frame.path) for frame in plan.slices if not frame.is_omitted):
        files += unreadable.get(("", "", folder), ())
    if not files:
        return plan
    reasons = [f"{file.path} ({' '.join(str(file.error).split())})" for file in files]
    count = "1 file that may belong" if len(files) == 1 else f"{len(files)} files that may belong"
    text = f"{count} to this volume cannot be read: {list_names(reasons)}"
    return replace(plan, findings=(Finding("unreadable_file", text), *plan.findings))


def subset_plan(plan: VolumePlan, indices: Sequence[int], finding: Finding) -> VolumePlan:
    """Return a plan with only the slices `indices`, and `finding` in front of its findings.

    With a fourth axis, `indices` are whole repetitions. The geometry is None if no affine is right for the remaining
    slices.
    """
    slices = tuple(plan.slices[index] for index in indices)
    if plan.axis is not None:
        values = tuple(plan.axis_values[index // plan.depth] for index in indices[:: plan.depth])
        shape = (len(values), *plan.shape[1:])
        return replace(plan, slices=slices, shape=shape, axis_values=values, findings=(finding, *plan.findings))
    geometry = plan.geometry
    geometry_findings = tuple(known for known in plan.findings if known.kind in _GEOMETRY_FINDINGS)
    kinds = {known.kind for known in plan.findings}
    if geometry is not None or not kinds.isdisjoint(_IRREGULAR_FINDINGS):
        geometry, geometry_findings = stack_geometry(slices)
    if "merged_pixel_spacings" in kinds:
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
    mixed_pixel_spacing: int
    mixed_orientations: int
    separate_objects: str
    labels: tuple[Any, ...]


_EXPLANATIONS = {
    "mixed_sizes": "different image sizes",
    "mixed_mosaics": "mosaics with different numbers of slices, or mosaics and single slices",
    "mixed_values": "different kinds of values (palette, MONOCHROME1, floating point, 64 bits)",
    "missing_geometry": "images with and without position and orientation",
    "mixed_frames_of_reference": "different frames of reference",
    "mixed_stacks": "different stacks",
    "mixed_pixel_spacing": "different pixel spacings",
    "mixed_orientations": "different orientations",
    "separate_objects": "several segmentations, or multi-frame objects without position and orientation",
}


@dataclass
class _FrameGroup:
    """Frames with the same group key, not yet sorted."""

    header: Header
    dtypes: set[str] = field(default_factory=set)
    slices: list[Slice] = field(default_factory=list)


def _plan_one_series(headers: Sequence[Header], options: SplitOptions = NO_SPLIT_OPTIONS) -> list[VolumePlan]:
    """Plan the volumes of one series, the largest first."""
    groups: dict[_GroupKey, _FrameGroup] = {}
    numbers, merge = _Numbers(), frozenset(options.merge)
    retained, duplicates, repeated_uids = _without_duplicates(headers)
    for header in retained:
        for frame in header.slices:
            group = groups.setdefault(_group_key(header, frame, numbers, merge), _FrameGroup(header))
            group.dtypes.add(header.dtype)
            group.slices.append(frame)
    common: list[Finding] = []
    for name, values in zip(_GroupKey._fields, zip(*groups, strict=True), strict=True):
        if len(set(values)) > 1 and name in _EXPLANATIONS:
            common.append(Finding(name, f"the series has {_EXPLANATIONS[name]}; each is a separate volume"))
    if repeated_uids:
        uids = "1 SOP Instance UID is" if len(repeated_uids) == 1 else f"{len(repeated_uids)} SOP Instance UIDs are"
        common.append(Finding("repeated_uid", f"{uids} used by different images, for example {repeated_uids[0]}"))
    plans = [
        _make_plan(group, stack, common, duplicates)
        for key, group in groups.items()
        for stack in _arrange_group(key, group, merge)
    ]
    plans.sort(key=lambda plan: (-math.prod(plan.shape), label_order(plan.part), plan.slices[0].sop_instance_uid))
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


class _Numbers:
    """Numbers of orientations and pixel spacings that are equal but for rounding."""

    def __init__(self) -> None:
        self._orientations = number_orientations()
        self._spacings = ToleranceNumbers(_SPACING_TOLERANCE)

    def orientation(self, frame: Slice) -> int:
        return -1 if frame.orientation is None else self._orientations.number(frame.orientation)

    def pixel_spacing(self, frame: Slice) -> int:
        # Differences of logarithms are ratios.
        spacing = frame.pixel_spacing
        return -1 if spacing is None else self._spacings.number((math.log(spacing[0]), math.log(spacing[1])))


def _group_key(header: Header, frame: Slice, numbers: _Numbers, merge: frozenset[str]) -> _GroupKey:
    # Integers of different types share one that holds both; this is impossible with 64 bits, and avoided for floats.
    is_separate_dtype = header.dtype[1] == "f" or header.dtype[2:] == "8"
    has_geometry = frame.position is not None and frame.orientation is not None
    interpretation = header.photometric_interpretation
    is_separate_object = frame.file.is_segmentation or (not has_geometry and frame.file.frame_count > 1)
    return _GroupKey(
        header.shape,
        0 if frame.tile is None else frame.tile.slice_count,
        (
            header.dtype if is_separate_dtype else "",
            interpretation if interpretation in _SEPARATE_INTERPRETATIONS else "",
        ),
        not has_geometry,
        header.frame_of_reference_uid if has_geometry and "FrameOfReferenceUID" not in merge else "",
        frame.stack if has_geometry and "StackID" not in merge else "",
        numbers.pixel_spacing(frame) if has_geometry and "PixelSpacing" not in merge else -1,
        numbers.orientation(frame) if has_geometry and "ImageOrientationPatient" not in merge else -1,
        header.path if is_separate_object and "SOPInstanceUID" not in merge else "",
        frame.labels,
    )


def _arrange_group(key: _GroupKey, group: _FrameGroup, merge: frozenset[str]) -> list[Stack]:
    """Sort the frames of a group into volumes."""
    if key.mixed_mosaics:
        stacks = arrange_mosaics(group.slices, merge)
    elif key.missing_geometry:
        text = "no position or orientation; slices are sorted by instance number"
        stacks = [_by_instance_number(group.slices, Finding("no_geometry", text))]
    else:
        numbers = _Numbers()
        if len({numbers.orientation(frame) for frame in group.slices}) > 1:
            text = "slices have different orientations, and are sorted by instance number, without an affine"
            stacks = [_by_instance_number(group.slices, Finding("merged_orientations", text))]
        else:
            if group.slices[0].file.is_segmentation:
                group.slices = fill_omitted_frames(group.slices)
            stacks = arrange_frames(group.slices, merge)
            if len({numbers.pixel_spacing(frame) for frame in group.slices}) > 1:
                finding = Finding(
                    "merged_pixel_spacings", "slices have different pixel spacings, so no affine is right"
                )
                stacks = [stack._replace(geometry=None, findings=(finding, *stack.findings)) for stack in stacks]
    # Of several frames with these labels, all have the same.
    return [stack._replace(layout=stack.layout._replace(part=(*key.labels, *stack.layout.part))) for stack in stacks]


def _by_instance_number(slices: Sequence[Slice], finding: Finding) -> Stack:
    order = sorted(range(len(slices)), key=lambda index: (_number_or_last(slices[index].instance_number), index))
    return Stack(StackLayout(np.array(order), (), None, (), ()), None, (finding,))


def _make_plan(
    group: _FrameGroup, stack: Stack, common: Sequence[Finding], duplicates: Mapping[str, Sequence[str]]
) -> VolumePlan:
    header, layout = group.header, stack.layout
    known = (*common, *stack.findings)
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
        geometry=stack.geometry,
        axis=layout.axis,
        axis_values=layout.axis_values,
        findings=(*known, *_value_findings(slices, known, group.dtypes, duplicates, layout.grid.shape[-1])),
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
    if omitted := [index for index, frame in enumerate(slices) if frame.is_omitted]:
        count = "1 empty frame" if len(omitted) == 1 else f"{len(omitted)} empty frames"
        text = f"{count} that the segmentation omits are filled with zeros"
        findings.append(Finding("omitted_frames", text, tuple(sorted({index % depth for index in omitted}))))
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
