"""Tiles of a contact sheet: one for each series, and one for each file that is not a readable image."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dicoxide.bulk.runs import ArrayTask, Failure
from dicoxide.bulk.series import Slice, VolumePlan

__all__ = ["Tile", "plan_tiles"]

# Values of Image Type of the images of a slide that show all of it (PS3.3 C.8.12.4.1.1).
_WHOLE_SLIDE_TYPES = frozenset({"THUMBNAIL", "OVERVIEW"})


@dataclass(frozen=True, slots=True)
class Tile:
    """A thumbnail that is not rendered yet, and what its caption has.

    Attributes
    ----------
    name : str
        Name of the series' array in ``dicoxide decode``, or the path of a failure.
    study : str
        Key of the study; tiles of a study follow each other. Empty for failures.
    source : Slice or None
        The frame to render: the middle slice of the first repetition of the largest volume; None for failures.
    rows, columns : int
        Size of a slice in pixels.
    frame_count : int
        Number of slices of the series.
    volume_count : int
        Number of volumes of the series.
    failure : Failure or None
        Why there is no image.
    """

    name: str
    study: str = ""
    source: Slice | None = None
    modality: str = ""
    description: str = ""
    series_number: int | None = None
    rows: int = 0
    columns: int = 0
    frame_count: int = 0
    volume_count: int = 0
    failure: Failure | None = None


def plan_tiles(tasks: Iterable[ArrayTask], failures: Iterable[Failure] = ()) -> list[Tile]:
    """Return the tiles of the series in `tasks`, and after them those of `failures`.

    Studies are in the order of their first file by path, their series in the order of Series Number.
    """
    members: dict[tuple[str, str], list[ArrayTask]] = {}
    first_path: dict[str, str] = {}
    for task in tasks:
        study = _study_key(task.plan)
        members.setdefault((study, task.plan.series_instance_uid or task.name), []).append(task)
        path = min(frame.path for frame in task.slices if not frame.is_omitted)
        first_path[study] = min(path, first_path.get(study, path))
    tiles = [_series_tile(study, group) for (study, _), group in members.items()]
    tiles.sort(key=lambda tile: (first_path[tile.study], tile.study, _number_or_last(tile.series_number), tile.name))
    return tiles + [Tile(failure.path, failure=failure) for failure in failures]


def _study_key(plan: VolumePlan) -> str:
    """Return the Study Instance UID; images without one are a study for each folder."""
    return plan.study_instance_uid or os.path.dirname(plan.first_slice.path)


def _series_tile(study: str, tasks: Sequence[ArrayTask]) -> Tile:
    task = min(tasks, key=_preference)
    plan = task.plan
    rows, columns = task.slice_shape[:2]
    return Tile(
        task.name,
        study,
        _middle_slice(plan),
        plan.modality,
        plan.description,
        plan.series_number,
        rows,
        columns,
        sum(len(member.slices) for member in tasks),
        len(tasks),
    )


def _preference(task: ArrayTask) -> tuple[bool, int, str]:
    """Sort key of a series' volumes, the best for a thumbnail first.

    It is the largest, but of a slide the overview, or else the smallest: the largest has tiles of some micrometres.
    """
    size = math.prod(task.shape)
    if task.plan.modality == "SM":
        types = set(task.plan.first_slice.image_type)
        return _WHOLE_SLIDE_TYPES.isdisjoint(types), size if "LABEL" not in types else 1 << 63, task.name
    return False, -size, task.name


def _middle_slice(plan: VolumePlan) -> Slice:
    """Return the slice in the middle of the first repetition; empty frames of segmentations are not counted."""
    slices = [frame for frame in plan.slices[: plan.depth] if not frame.is_omitted]
    return slices[len(slices) // 2] if slices else plan.first_slice


def _number_or_last(number: int | None) -> tuple[bool, int]:
    return number is None, number or 0
