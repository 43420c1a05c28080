"""Jobs: what a bulk run makes, one array of slices each.

`plan` alone knows how files become stacks; all else takes a `Job` as it is. Jobs and what they hold can be pickled.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count, pairwise
from typing import Any

from dicoxide.bulk._failure import Failure
from dicoxide.bulk._frames import FrameSelection
from dicoxide.bulk._header import Frame, Header

__all__ = ["Job", "Slice", "plan"]

# Slices as far apart as this, in mm, are as far apart as the others.
_TOLERANCE_MM = 0.01


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: a frame of a file, and what was known of the file when the job was made.

    Attributes
    ----------
    path : str
        The file.
    frame_index : int or None
        Index of the frame; None where it is the file's only one.
    transfer_syntax, sop_instance_uid
        Of the file.
    size, mtime_ns : int
        Of the file; they tell whether it has changed since.
    frame : Frame
        Position, rescale and window.
    """

    path: str
    frame_index: int | None
    sop_instance_uid: str | None
    transfer_syntax: str
    size: int
    mtime_ns: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Job:
    """One array to make.

    Attributes
    ----------
    name : str
        Name of the array: letters, digits, ``.``, ``-`` and ``_``; no two jobs of a run share it.
    slices : tuple of Slice
        In the order of the array's first axis.
    slice_shape : tuple of int
        (rows, columns[, samples]).
    dtype : str
        Of the stored values, as ``numpy.dtype.str``.
    geometry : dict
        ``affine_lps``: 4×4, (column, row, slice) indices to mm in LPS (PS3.3 C.7.6.2.1.1), or None where slices do not
        lie so; ``spacing``: mm between slices, rows, columns, each or None; ``orientation``: Image Orientation
        (Patient) or None.
    attributes : dict
        Of the series, by keyword.
    findings : tuple of str
        What is unusual, a line each.
    """

    name: str
    slices: tuple[Slice, ...]
    slice_shape: tuple[int, ...]
    dtype: str
    geometry: dict[str, Any]
    attributes: dict[str, Any]
    findings: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """(slices, rows, columns[, samples])."""
        return (len(self.slices), *self.slice_shape)

    def keeping(self, indices: Sequence[int]) -> Job:
        """The job without the slices that are not in `indices`."""
        if len(indices) == len(self.slices):
            return self
        slices = tuple(self.slices[index] for index in indices)
        geometry, findings = _geometry([one.frame for one in slices], self.attributes)
        missing = f"{len(self.slices) - len(slices)} of {len(self.slices)} slices are missing"
        return replace(self, slices=slices, geometry=geometry, findings=(missing, *findings))


def plan(headers: Iterable[Header], selection: FrameSelection) -> tuple[list[Job], list[Failure], int]:
    """Group files into jobs.

    Files of one series whose slices have one shape, type and orientation are a stack, sorted along the normal, by
    Instance Number where they have no position; a file with several frames is a stack of its own.

    Parameters
    ----------
    headers : iterable of Header
        In any order; they are not kept.
    selection : FrameSelection
        Which frames of each file are wanted.

    Returns
    -------
    (jobs, failures, left_out)
        The jobs by name; failures of files without a frame that was asked for by number; how many files have none of
        the frames wanted.
    """
    stacks: dict[tuple[Any, ...], list[tuple[Any, Slice]]] = {}
    attributes: dict[tuple[Any, ...], dict[str, Any]] = {}
    failures: list[Failure] = []
    left_out = 0
    for header in headers:
        indices, missing = selection.of(len(header.frames))
        if missing is not None:
            failures.append(_no_frame(header, missing))
            continue
        if not indices:
            left_out += 1
            continue
        series = header.attributes.get("SeriesInstanceUID")
        own = header.file.path if header.is_multi_frame or not series else ""
        orientation = header.frames[0].orientation
        direction = None if orientation is None else tuple(round(one, 3) + 0.0 for one in orientation)
        kind = (header.slice_shape, header.dtype, header.attributes.get("PhotometricInterpretation"))
        key = (str(series or ""), own, direction, *kind)
        attributes.setdefault(key, header.attributes)
        stack = stacks.setdefault(key, [])
        file = header.file
        number = header.instance_number
        for index in indices:
            place = (number is None, number or 0, file.path, index)
            # A dictionary's order is that of the files: a file's frames stay as the selection has them.
            at = index if header.is_multi_frame else None
            uid, syntax = header.sop_instance_uid, header.transfer_syntax
            stack.append((place, Slice(file.path, at, uid, syntax, file.size, file.mtime_ns, header.frames[index])))
    jobs = []
    for key, (name, stack) in _named(stacks).items():
        _, own, _, shape, dtype, _ = key
        slices = [one for _, one in stack] if own else _sorted(stack)
        geometry, findings = _geometry([one.frame for one in slices], attributes[key])
        jobs.append(Job(name, tuple(slices), shape, dtype, geometry, attributes[key], findings))
    return sorted(jobs, key=lambda job: job.name), failures, left_out


def _no_frame(header: Header, index: int) -> Failure:
    return Failure(
        header.file.path,
        header.sop_instance_uid,
        header.transfer_syntax,
        "Request",
        frame_index=index,
        message=f"frame {index} asked for, there are {len(header.frames)}",
    )


def _named(stacks: dict[tuple[Any, ...], list[Any]]) -> dict[tuple[Any, ...], tuple[str, list[Any]]]:
    """Each stack with a name: the UID of its series, numbered where it has several."""
    by_stem: dict[str, list[tuple[Any, ...]]] = {}
    for key in sorted(stacks, key=repr):
        series, own = key[:2]
        stem = re.sub(r"[^0-9A-Za-z._-]", "_", series or os.path.basename(own)).strip(".")[:96] or "unnamed"
        if not series:
            stem += "-" + sha256(own.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        by_stem.setdefault(stem, []).append(key)
    named: dict[tuple[Any, ...], tuple[str, list[Any]]] = {}
    taken = {stem for stem, keys in by_stem.items() if len(keys) == 1}
    for stem, keys in by_stem.items():
        if len(keys) == 1:
            named[keys[0]] = (stem, stacks[keys[0]])
            continue
        numbered = (name for number in count(1) if (name := f"{stem}_{number}") not in taken)
        named.update({key: (name, stacks[key]) for key, name in zip(keys, numbered, strict=False)})
        taken.update(named[key][0] for key in keys)
    return named


def _sorted(stack: list[tuple[Any, Slice]]) -> list[Slice]:
    """Slices along the normal where all have a place in space, else by Instance Number."""
    frames = [one.frame for _, one in stack]
    distances = _distances(frames)
    order = range(len(stack))
    if distances is None:
        return [stack[index][1] for index in sorted(order, key=lambda index: stack[index][0])]
    return [stack[index][1] for index in sorted(order, key=lambda index: (round(distances[index], 3), stack[index][0]))]


def _distances(frames: Sequence[Frame]) -> list[float] | None:
    """Of each slice along the normal of the first, in mm."""
    orientation = frames[0].orientation
    if orientation is None:
        return None
    normal = _cross(orientation[:3], orientation[3:])
    distances = []
    for frame in frames:
        if frame.position is None:
            return None
        distances.append(sum(a * b for a, b in zip(frame.position, normal, strict=True)))
    return distances


def _geometry(frames: Sequence[Frame], attributes: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The geometry of slices in their order, and what is unusual about it."""
    first, last = frames[0], frames[-1]
    between = attributes.get("SpacingBetweenSlices") or attributes.get("SliceThickness")
    rows, columns = first.spacing or (None, None)
    thickness = abs(float(between)) if isinstance(between, (int, float)) and between else None
    geometry: dict[str, Any] = {
        "affine_lps": None,
        "spacing": [thickness, rows, columns],
        "orientation": None if first.orientation is None else list(first.orientation),
    }
    distances = _distances(frames)
    if distances is None or first.orientation is None:
        return geometry, ()
    if any(frame.orientation != first.orientation and _turned(frame, first) for frame in frames):
        return geometry, ("slices are not parallel",)
    steps = [after - before for before, after in pairwise(distances)]
    if any(abs(step) < _TOLERANCE_MM for step in steps):
        return geometry, ("several slices lie in one place",)
    if steps and max(steps) - min(steps) > max(_TOLERANCE_MM, 0.01 * abs(steps[0])):
        return geometry, ("slices are not evenly spaced",)
    if not steps:
        normal = _cross(first.orientation[:3], first.orientation[3:])
        step = tuple((thickness or 1.0) * one for one in normal)
    else:
        assert first.position is not None
        assert last.position is not None
        step = tuple((b - a) / len(steps) for a, b in zip(first.position, last.position, strict=True))
        geometry["spacing"][0] = math.hypot(*step)
    if rows is None or columns is None:
        return geometry, ("no pixel spacing",)
    assert first.position is not None
    along_row = [columns * one for one in first.orientation[:3]]
    along_column = [rows * one for one in first.orientation[3:]]
    affine = [list(line) for line in zip(along_row, along_column, step, first.position, strict=True)]
    geometry["affine_lps"] = [*affine, [0.0, 0.0, 0.0, 1.0]]
    return geometry, ()


def _turned(frame: Frame, first: Frame) -> bool:
    if frame.orientation is None or first.orientation is None:
        return True
    return any(abs(a - b) > 1e-3 for a, b in zip(frame.orientation, first.orientation, strict=True))


def _cross(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
