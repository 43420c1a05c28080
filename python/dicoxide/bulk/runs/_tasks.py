"""Tasks of a run: one output array each, which is a volume plan with a name. Tasks can be pickled."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain, count
from typing import Any

import numpy as np

from dicoxide.bulk.runs._failure import Failure
from dicoxide.bulk.runs._frame_selection import FrameSelection
from dicoxide.bulk.series import (
    NO_SPLIT_OPTIONS,
    Finding,
    Header,
    Slice,
    SplitOptions,
    UnreadableFile,
    VolumePlan,
    plan_headers,
    subset_plan,
)

__all__ = ["ArrayTask", "count_left_out", "finding_json", "plan_tasks", "valid_text"]

_MAX_NAME_LENGTH = 96


@dataclass(frozen=True, slots=True)
class ArrayTask:
    """One array to write.

    Attributes
    ----------
    name : str
        Name of the array: letters, digits, ``.``, ``-`` and ``_``; unique in a run.
    plan : VolumePlan
        Slices and geometry of the array.
    pixel_scale : (float, float)
        Height and width of a pixel of the array in pixels of the frame; 1 unless the size is reduced.
    """

    name: str
    plan: VolumePlan
    pixel_scale: tuple[float, float] = (1.0, 1.0)

    @property
    def slices(self) -> tuple[Slice, ...]:
        """Slices in the order of the array, the fourth axis slowest."""
        return self.plan.slices

    @property
    def shape(self) -> tuple[int, ...]:
        """([repetitions,] slices, rows, columns[, samples])."""
        return self.plan.shape

    @property
    def slice_shape(self) -> tuple[int, ...]:
        """(rows, columns[, samples])."""
        return self.plan.frame_shape

    @property
    def file_count(self) -> int:
        """Number of files that hold the slices."""
        return len({frame.path for frame in self.slices} - {""})

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Findings as JSON values."""
        return list(map(finding_json, self.plan.findings))

    @property
    def affine_lps(self) -> list[list[float]] | None:
        """4×4 matrix from (column, row, slice) indices to mm in LPS (PS3.3 C.7.6.2.1.1); None without a geometry."""
        geometry = self.plan.geometry
        if geometry is None:
            return None
        row_scale, column_scale = self.pixel_scale
        # The centre of the first pixel of a reduced slice is that of the pixels that it covers.
        pixels = np.diag([column_scale, row_scale, 1.0, 1.0])
        pixels[:2, 3] = (column_scale - 1) / 2, (row_scale - 1) / 2
        affine: list[list[float]] = (geometry.affine @ pixels).tolist()
        return affine

    @property
    def spacing(self) -> list[float | None]:
        """Distance in mm between slices, rows and columns; None if unknown."""
        first, scales = self.slices[0], (1.0, *self.pixel_scale)
        known: Sequence[float | None] = (first.slice_spacing, *(first.pixel_spacing or (None, None)))
        if self.plan.geometry is not None:
            known = self.plan.geometry.spacing[::-1]
        return [None if value is None else value * scale for value, scale in zip(known, scales, strict=True)]

    def rendered(self, slice_shape: tuple[int, ...], dtype: np.dtype[Any]) -> ArrayTask:
        """Return the task with the shape and type of its rendered slices."""
        leading = self.shape[: len(self.shape) - len(self.slice_shape)]
        rows, columns = self.slice_shape[:2]
        scale = (rows / max(1, slice_shape[0]), columns / max(1, slice_shape[1]))
        return replace(self, plan=replace(self.plan, shape=(*leading, *slice_shape), dtype=dtype), pixel_scale=scale)

    def with_slices(self, indices: Sequence[int]) -> ArrayTask:
        """Return the task with only the slices `indices`; with a fourth axis, these are whole repetitions."""
        slice_count, depth = len(self.slices), self.plan.depth
        if len(indices) == slice_count:
            return self
        if self.plan.axis is None:
            text = f"{slice_count - len(indices)} of {slice_count} slices are missing"
        else:
            incomplete = sorted(set(range(slice_count // depth)) - {index // depth for index in indices})
            values = ", ".join(f"{self.plan.axis_values[repetition]:g}" for repetition in incomplete)
            text = f"{len(incomplete)} of {slice_count // depth} repetitions have missing slices and are left out"
            text += f": {self.plan.axis} {values}"
        retained = set(indices)
        left_out = dict.fromkeys(
            (frame.path, frame.frame) for index, frame in enumerate(self.slices) if index not in retained
        )
        return replace(self, plan=subset_plan(self.plan, indices, Finding("missing", text, left_out=tuple(left_out))))


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON values; ``left_out`` has (path, frame index) of frames that are in no array."""
    return {
        "kind": finding.kind,
        "message": finding.message,
        "slices": list(finding.slices),
        "left_out": [[valid_text(path), frame] for path, frame in finding.left_out],
    }


def count_left_out(tasks: Iterable[ArrayTask]) -> int:
    """Return the number of frames of readable files that are in no array, by the findings of `tasks`."""
    return len({frame for task in tasks for finding in task.plan.findings for frame in finding.left_out})


def valid_text(path: str) -> str:
    """Return a path as valid Unicode; bytes that are not text become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def plan_tasks(
    entries: Iterable[Header | UnreadableFile], selection: FrameSelection, split: SplitOptions = NO_SPLIT_OPTIONS
) -> tuple[list[ArrayTask], list[Failure], int]:
    """Group files into tasks, as :func:`dicoxide.bulk.plan_series` groups them into volumes.

    Parameters
    ----------
    entries : iterable of Header or UnreadableFile
        In any order. A finding names the unreadable files that may belong to an array.
    selection : FrameSelection
        Frames of each file to use.
    split : SplitOptions
        Attributes that decide what is a separate volume; the headers were read with the same.

    Returns
    -------
    tasks : list of ArrayTask
        Sorted by name.
    failures : list of Failure
        Files that lack a frame selected by index.
    left_out : int
        Number of files without any of the selected frames.
    """
    selected: list[Header | UnreadableFile] = []
    failures: list[Failure] = []
    left_out = 0
    for entry in entries:
        if isinstance(entry, UnreadableFile) or not selection.parts:
            selected.append(entry)
            continue
        indices, missing = selection.indices(entry.slices[0].file.frame_count)
        if missing is not None:
            failures.append(_missing_frame(entry, missing))
        elif not indices:
            left_out += 1
        else:
            # A frame has several slices if it is a mosaic.
            per_frame = len(entry.slices) // entry.slices[0].file.frame_count
            slices = (entry.slices[index * per_frame : (index + 1) * per_frame] for index in indices)
            selected.append(entry._replace(slices=tuple(chain.from_iterable(slices))))
    tasks = [ArrayTask(name, plan) for name, plan in _with_names(plan_headers(selected, split))]
    return sorted(tasks, key=lambda task: task.name), failures, left_out


def _missing_frame(header: Header, index: int) -> Failure:
    first = header.slices[0]
    count = first.file.frame_count
    frames = "1 frame" if count == 1 else f"{count} frames"
    return Failure(
        header.path,
        first.sop_instance_uid or None,
        first.file.transfer_syntax,
        "Request",
        frame_index=index,
        message=f"frame index {index} is out of range for {frames}",
    )


def _with_names(plans: Sequence[VolumePlan]) -> list[tuple[str, VolumePlan]]:
    """Pair each plan with a name: the Series Instance UID, with a number if the series has several plans."""
    plans_by_stem: dict[str, list[VolumePlan]] = {}
    for plan in plans:
        series, path = plan.series_instance_uid, plan.first_slice.path
        stem = re.sub(r"[^0-9A-Za-z._-]", "_", series or os.path.basename(path)).strip(".")
        stem = stem[:_MAX_NAME_LENGTH] or "unnamed"
        if not series:
            # Files in different folders may have the same name.
            stem += "-" + sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plans_by_stem.setdefault(stem, []).append(plan)
    named: list[tuple[str, VolumePlan]] = []
    used = {stem for stem, members in plans_by_stem.items() if len(members) == 1}
    for stem, members in plans_by_stem.items():
        if len(members) == 1:
            named.append((stem, members[0]))
            continue
        unused = (name for number in count(1) if (name := f"{stem}_{number}") not in used)
        names = [next(unused) for _ in members]
        used.update(names)
        named += zip(names, members, strict=True)
    return named
