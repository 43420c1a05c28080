"""Order of the frames of a stack: along the normal, and along a fourth axis where positions repeat.

Frames at one position are distinguished in this order, until each volume has one frame per position and repetition:

1. Frames that differ in image type or segment are separate volumes.
2. If every position has the same number of frames, the first attribute of `AXES` that distinguishes the frames of each
   position is the fourth axis; for diffusion, b-value and gradient direction together, in the order of acquisition.
   Frames that share a temporal position are in the order of their acquisition.
3. Otherwise each value of the attribute (echo, b-value, …) is a volume of its own, with a finding.
4. As a last resort, one frame per position is retained, and a finding names the others.

Attributes that the caller merges divide nothing: they can only be the fourth axis.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dicoxide.bulk.series._frame_headers import AXES, Slice
from dicoxide.bulk.series._geometry import Finding, Floats
from dicoxide.bulk.series._spacing import ToleranceNumbers

Indices: TypeAlias = npt.NDArray[np.intp]
# (keyword, value) pairs that distinguish a volume from others of its series.
Part: TypeAlias = tuple[tuple[str, Any], ...]

# Attributes whose values may be separate volumes, in order of preference; if each has all positions, and if not.
_COMPLETE_PARTS = ("EchoTime", "EchoNumbers", "DiffusionBValue")
_INCOMPLETE_PARTS = ("EchoTime", "EchoNumbers", "TemporalPositionIdentifier", "DiffusionBValue", "AcquisitionNumber")
_AXIS_NAMES = [axis.name for axis in AXES]
_CLOCKS = ("AcquisitionTime", "ContentTime")
# Attributes that the acquisition protocol varies, and that precede all times as a fourth axis; b-values are arranged
# with their directions.
_PROTOCOL_AXES = ("TemporalPositionIdentifier", "EchoTime", "EchoNumbers")
_TIME_AXES = [axis.name for axis in AXES if not axis.is_shared]
# Attributes that distinguish the frames of one temporal position of a gated acquisition.
_PHASE_AXES = ("TriggerTime", "FrameReferenceTime")
# Larger values of attributes of AXES are not plausible, and differences of them might not be finite.
_MAX_KEY = 1e100
# Largest difference of the components of equal directions.
_GRADIENT_TOLERANCE = 1e-4
# Frames or files that a message lists.
_MAX_LISTED = 8
# Attributes whose values are images of different kinds: a function that returns the value of a frame.
_KIND_LABELS: dict[str, Callable[[Slice], Hashable]] = {
    "ImageType": lambda frame: "\\".join(frame.image_type),
    "ReferencedSegmentNumber": lambda frame: frame.segment,
}
# Attributes that can distinguish frames besides those of `AXES`.
LABELS = _KIND_LABELS | {"ASLContext": lambda frame: frame.asl_context or None}


class StackLayout(NamedTuple):
    """Frames of one volume in order.

    Attributes
    ----------
    grid : ndarray of int
        Indices of frames: (slices,), or (repetitions, slices) if there is a fourth axis.
    part : tuple of (str, value)
        Distinguishes the volume from others of the same stack.
    axis : str or None
        Keyword of the fourth axis.
    axis_values : tuple of float
        Value of `axis` for each repetition.
    findings : tuple of Finding
        Irregularities.
    """

    grid: Indices
    part: Part
    axis: str | None
    axis_values: tuple[float, ...]
    findings: tuple[Finding, ...]


def arrange_stack(
    slices: Sequence[Slice], positions: Indices, merge: frozenset[str] = frozenset()
) -> list[StackLayout]:
    """Arrange frames of a stack into one or more volumes.

    `positions` holds, for each frame, the number of its position; numbers ascend along the normal. `merge` holds
    keywords of attributes that do not divide volumes.
    """
    if not _has_repeats(positions):
        return [StackLayout(np.argsort(positions, kind="stable"), (), None, (), ())]
    first_index: dict[Hashable, int] = {}
    for index, (frame, position) in enumerate(zip(slices, positions.tolist(), strict=True)):
        # Frames that agree in all of these are indistinguishable.
        key = (
            position,
            frame.keys,
            frame.gradient,
            frame.dimensions,
            frame.segment,
            frame.image_type,
            frame.asl_context,
        )
        first_index.setdefault((*key, _instance_order(frame)), index)
    retained = np.array(list(first_index.values()))
    layouts = _StackResolver(slices, positions, merge).resolve(retained, ())
    if len(retained) == len(slices):
        return layouts
    dropped = np.setdiff1d(np.arange(len(slices)), retained)
    return [_with_dropped(layout, slices, positions, dropped) for layout in layouts]


def _with_dropped(layout: StackLayout, slices: Sequence[Slice], positions: Indices, dropped: Indices) -> StackLayout:
    """Add a finding about `dropped` frames to the layout of the volume that has their positions."""
    layout_positions = positions[layout.grid.reshape(-1, layout.grid.shape[-1])[0]]
    slice_indices = np.flatnonzero(np.isin(layout_positions, positions[dropped]))
    if not len(slice_indices):
        return layout
    at_layout = dropped[np.isin(positions[dropped], layout_positions)]
    frames = [slices[index] for index in at_layout.tolist()]
    return layout._replace(findings=(*layout.findings, _duplicate_finding(frames, tuple(slice_indices.tolist()))))


def _has_repeats(positions: Indices) -> bool:
    return len({*positions.tolist()}) < len(positions)


class _StackResolver:
    """Distinguishes frames at the same position."""

    def __init__(self, slices: Sequence[Slice], positions: Indices, merge: frozenset[str]) -> None:
        self._slices = slices
        self._positions = positions
        self._merge = merge
        # (frames, attributes of AXES); NaN if the attribute is absent.
        self._keys: Floats = np.array([frame.keys for frame in slices], np.float64)
        self._keys[np.abs(self._keys) > _MAX_KEY] = np.nan

    def resolve(self, chosen: Indices, part: Part) -> list[StackLayout]:
        """Arrange the frames with indices `chosen`, which `part` distinguishes from the other frames."""
        positions = self._positions[chosen]
        if not _has_repeats(positions):
            return [StackLayout(chosen[np.argsort(positions, kind="stable")], part, None, (), ())]
        for name, label_of in _KIND_LABELS.items():
            labels = [label_of(self._slices[index]) for index in chosen.tolist()]
            if name not in self._merge and _differ_at_a_position(positions, labels):
                return self._split(chosen, labels, name, part)
        layouts: list[StackLayout] = []
        if _has_equal_counts(positions):
            layouts = (
                self._by_axis(chosen, part, _PROTOCOL_AXES)
                or self._by_gradient(chosen, part)
                or self._complete_parts(chosen, part)
                or self._by_axis(chosen, part, _TIME_AXES)
                or self._by_temporal_position(chosen, part)
                or self._by_axis(chosen, part, ("AcquisitionNumber",))
                or self._by_order(chosen, part)
            )
        return (
            layouts
            or self._incomplete_parts(chosen, part)
            or self._incomplete_times(chosen, part)
            or [self._first_per_position(chosen, part)]
        )

    def _split(
        self, chosen: Indices, labels: Sequence[Hashable], name: str, part: Part, *findings: Finding
    ) -> list[StackLayout]:
        """Arrange the frames of each label as a volume of its own."""
        layouts = []
        for label, members in sorted(group_by(labels).items(), key=lambda item: label_order(item[0])):
            subset_layouts = self.resolve(chosen[members], (*part, (name, label)))
            layouts += [layout._replace(findings=(*findings, *layout.findings)) for layout in subset_layouts]
        return layouts

    def _by_axis(self, chosen: Indices, part: Part, names: Sequence[str]) -> list[StackLayout]:
        """Arrange along the first attribute of `names` that distinguishes all frames of each position."""
        for name in names:
            column = _AXIS_NAMES.index(name)
            keys = self._keys[chosen, column]
            if not np.isnan(keys).any():
                grid = self._grid(chosen, keys)
                values = self._keys[grid, column]
                is_distinct = bool((np.diff(values, axis=0) > 0).all())
                if is_distinct and (not AXES[column].is_shared or _rows_are_constant(values)):
                    return [self._with_axis(grid, part, name, values[:, 0])]
        return []

    def _by_gradient(self, chosen: Indices, part: Part) -> list[StackLayout]:
        """Arrange diffusion images: several b-values or directions, or repetitions of them, in acquisition order.

        An image without a b-value among others that have one counts as b = 0 (GE, Siemens).
        """
        column = _AXIS_NAMES.index("DiffusionBValue")
        indices = chosen.tolist()
        b_values = dict(zip(indices, np.nan_to_num(self._keys[chosen, column]).tolist(), strict=True))
        numbers = ToleranceNumbers(_GRADIENT_TOLERANCE)
        # Directions relative to the image differ by rounding of Image Orientation.
        gradients = {index: self._slices[index].gradient for index in indices}
        directions = {index: numbers.number(gradient) if gradient else -1 for index, gradient in gradients.items()}
        weightings = {index: (b_values[index], directions[index]) for index in indices}
        orders = [_instance_order(self._slices[index]) for index in indices]
        distinct = {*zip(self._positions[chosen].tolist(), weightings.values(), orders, strict=True)}
        if len(set(weightings.values())) < 2 or len(distinct) < len(indices):
            return []
        instances = self._instance_ranks(chosen)
        first_rank: dict[Hashable, int] = {}
        for rank, weighting in sorted(zip(instances.tolist(), weightings.values(), strict=True)):
            first_rank.setdefault(weighting, rank)
        ranks = np.array([first_rank[weighting] for weighting in weightings.values()])
        # Acquisition times, or else instance numbers, are in acquisition order if the slices of each volume then agree
        # in their weighting. Otherwise weightings are in the order in which they first occur.
        times = self._keys[chosen, _AXIS_NAMES.index("AcquisitionTime")]
        for keys in ((times, instances), (instances,), (ranks, instances)):
            grid = self._grid(chosen, *keys)
            if (
                keys[0] is times
                and not (np.diff(self._keys[grid, _AXIS_NAMES.index("AcquisitionTime")], axis=0) > 0).all()
            ):
                continue
            if all(len({weightings[index] for index in row}) == 1 for row in grid.tolist()):
                values = np.array([b_values[index] for index in grid[:, 0].tolist()])
                return [self._with_axis(grid, part, "DiffusionBValue", values)]
        return []

    def _complete_parts(self, chosen: Indices, part: Part) -> list[StackLayout]:
        """Split by an attribute (echo, b-value, …) each of whose values has the same frame count at every position."""
        positions = self._positions[chosen]
        names: tuple[str, ...] = _COMPLETE_PARTS
        if self._has_phases(chosen):
            names = (*names, "TemporalPositionIdentifier")
        for name in names:
            keys = self._keys[chosen, _AXIS_NAMES.index(name)]
            labels = keys.tolist()
            if name in self._merge or np.isnan(keys).any() or not _differ_at_a_position(positions, labels):
                continue
            if all(_has_equal_counts(positions[members]) for members in group_by(labels).values()):
                return self._split(chosen, labels, name, part)
        return []

    def _has_phases(self, chosen: Indices) -> bool:
        """True if an attribute of gated acquisitions distinguishes all frames of one position and temporal position."""
        times = self._keys[chosen, _AXIS_NAMES.index("TemporalPositionIdentifier")].tolist()
        places = [*zip(self._positions[chosen].tolist(), times, strict=True)]
        for name in _PHASE_AXES:
            keys = self._keys[chosen, _AXIS_NAMES.index(name)]
            if not np.isnan(keys).any() and len({*zip(places, keys.tolist(), strict=True)}) == len(places):
                return True
        return False

    def _by_temporal_position(self, chosen: Indices, part: Part) -> list[StackLayout]:
        """Arrange frames of which several share a temporal position, such as ASL control and label images.

        Those of one temporal position are in the order of their instance numbers.
        """
        column = _AXIS_NAMES.index("TemporalPositionIdentifier")
        keys = self._keys[chosen, column]
        if np.isnan(keys).any() or len({*keys.tolist()}) < 2:
            return []
        if any(self._slices[index].instance_number is None for index in chosen.tolist()):
            return []
        grid = self._grid(chosen, keys, self._instance_ranks(chosen))
        values = self._keys[grid, column]
        if not _rows_are_constant(values):
            return []
        text = "frames share temporal positions; those of each are in the order of their instance numbers"
        layout = self._with_axis(grid, part, "TemporalPositionIdentifier", values[:, 0])
        return [layout._replace(findings=(Finding("shared_temporal_position", text),))]

    def _by_order(self, chosen: Indices, part: Part) -> list[StackLayout]:
        """Arrange along an axis without a known attribute: by dimension indices, or by instance number."""
        slices = [self._slices[index] for index in chosen.tolist()]
        keys_by_name: dict[str, list[Hashable]] = {
            "DimensionIndexValues": [frame.dimensions or None for frame in slices],
            "InstanceNumber": [_instance_order(frame) for frame in slices],
        }
        keys_by_name |= {name: [label_of(frame) for frame in slices] for name, label_of in LABELS.items()}
        for name, keys in keys_by_name.items():
            if None in keys or len({*zip(self._positions[chosen].tolist(), keys, strict=True)}) < len(keys):
                continue
            rank_of = {key: rank for rank, key in enumerate(sorted(set(keys), key=label_order))}
            grid = self._grid(chosen, np.array([rank_of[key] for key in keys]))
            text = f"each position has {len(grid)} frames, which only {name} distinguishes"
            finding = Finding("unnamed_axis", text)
            return [StackLayout(grid, part, name, tuple(map(float, range(len(grid)))), (finding,))]
        return []

    def _incomplete_parts(self, chosen: Indices, part: Part) -> list[StackLayout]:
        """Split by an attribute that does not have all of its values at every position."""
        positions = self._positions[chosen]
        for name in _INCOMPLETE_PARTS:
            keys = self._keys[chosen, _AXIS_NAMES.index(name)]
            labels = keys.tolist()
            if name in self._merge or np.isnan(keys).any():
                continue
            if _differ_at_a_position(positions, labels):
                text = f"{name} has {len(set(labels))} values, and some positions lack some of them"
                return self._split_incomplete(chosen, labels, name, part, text)
        return []

    def _split_incomplete(
        self, chosen: Indices, labels: Sequence[Hashable], name: str, part: Part, text: str
    ) -> list[StackLayout]:
        """Arrange labels that have all positions as one volume with a fourth axis, and each other label as a volume."""
        finding = Finding("incomplete_axis", text)
        position_count = len({*self._positions[chosen].tolist()})
        complete: list[int] = []
        incomplete: list[int] = []
        groups = group_by(labels)
        for members in groups.values():
            is_complete = len({*self._positions[chosen[members]].tolist()}) == position_count
            (complete if is_complete else incomplete).extend(members)
        if len({labels[index] for index in complete}) < 2 or not incomplete:
            return self._split(chosen, labels, name, part, finding)
        layouts = self.resolve(chosen[sorted(complete)], part)
        layouts = [layout._replace(findings=(finding, *layout.findings)) for layout in layouts]
        return layouts + self._split(chosen[incomplete], [labels[index] for index in incomplete], name, part, finding)

    def _incomplete_times(self, chosen: Indices, part: Part) -> list[StackLayout]:
        """Split by a time attribute that has fewer values at some positions than at others.

        Times differ between positions, so frames are assigned to the repetition whose mean time is nearest.
        """
        positions, counts = np.unique(self._positions[chosen], return_inverse=True, return_counts=True)[1:]
        positions = positions.reshape(-1)
        repetitions = int(counts.max())
        # If only a few positions repeat, their frames are duplicates.
        if np.count_nonzero(counts > 1) * 2 <= len(counts):
            return []
        for column, axis in enumerate(AXES):
            keys = self._keys[chosen, column]
            if axis.is_shared or np.isnan(keys).any() or len({*zip(positions, keys, strict=True)}) < len(keys):
                continue
            complete = np.isin(positions, np.flatnonzero(counts == repetitions))
            mean_times = self._keys[self._grid(chosen[complete], keys[complete]), column].mean(axis=1)
            ranks = np.empty(len(chosen), np.intp)
            by_position = np.split(np.lexsort((keys, positions)), np.cumsum(counts)[:-1])
            for members in by_position:
                nearest = np.abs(keys[members][:, None] - mean_times).argmin(axis=1)
                is_unambiguous = (np.diff(nearest) > 0).all()
                use_nearest = is_unambiguous and len(members) < repetitions
                ranks[members] = nearest if use_nearest else np.arange(len(members))
            text = f"{axis.name} has {repetitions} values at most positions, and fewer at others"
            labels = mean_times[ranks] - (mean_times[0] if axis.name in _CLOCKS else 0.0)
            return self._split_incomplete(chosen, labels.tolist(), axis.name, part, text)
        return []

    def _first_per_position(self, chosen: Indices, part: Part) -> StackLayout:
        """Retain one frame per position: the lowest instance number, then the first path."""
        ordered = chosen[np.lexsort((self._instance_ranks(chosen), self._positions[chosen]))]
        positions = self._positions[ordered]
        is_first = np.concatenate([[True], np.diff(positions) > 0])
        retained = ordered[is_first]
        dropped = [self._slices[index] for index in ordered[~is_first].tolist()]
        repeated = np.unique(positions[~is_first])
        slice_indices = tuple(np.searchsorted(self._positions[retained], repeated).tolist())
        return StackLayout(retained, part, None, (), (_duplicate_finding(dropped, slice_indices),))

    def _instance_ranks(self, chosen: Indices) -> Indices:
        """Return the rank of each frame by instance number; equal numbers rank in the order of the files."""
        slices = [self._slices[index] for index in chosen.tolist()]
        order = sorted(range(len(slices)), key=lambda index: (_instance_order(slices[index]), index))
        ranks = np.empty(len(slices), np.intp)
        ranks[order] = np.arange(len(slices))
        return ranks

    def _grid(self, chosen: Indices, *keys: npt.NDArray[Any]) -> Indices:
        """Return (repetitions, positions) of frames sorted by `keys` at each position; all have the same count."""
        order = np.lexsort((*reversed(keys), self._positions[chosen]))
        return chosen[order].reshape(len({*self._positions[chosen].tolist()}), -1).T

    def _with_axis(self, grid: Indices, part: Part, name: str, values: Floats) -> StackLayout:
        start = values[0] if name in _CLOCKS else 0.0
        return StackLayout(grid, part, name, tuple((values - start).tolist()), ())


def _duplicate_finding(dropped: Sequence[Slice], slice_indices: tuple[int, ...]) -> Finding:
    # The slices of a mosaic are one frame.
    left_out = tuple(dict.fromkeys((frame.path, frame.frame) for frame in dropped))
    names = [path + (f" frame {frame}" if frame else "") for path, frame in left_out]
    count = "1 frame repeats" if len(names) == 1 else f"{len(names)} frames repeat"
    text = f"{count} a position without a distinguishing attribute; left out: {list_names(names)}"
    return Finding("duplicate_position", text, slice_indices, left_out=left_out)


def list_names(names: Sequence[str]) -> str:
    """List the first names, and the number of the others."""
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more


def _instance_order(frame: Slice) -> tuple[float, ...]:
    """Return a sort key: instance number (frames without one last), then frame index."""
    return (float("inf") if frame.instance_number is None else frame.instance_number, frame.frame)


def label_order(label: Any) -> tuple[Any, ...]:
    """Return a sort key for labels of one attribute: numbers by value, then text, then None."""
    if isinstance(label, tuple):
        return (0, tuple(map(label_order, label)))
    return (1, label) if isinstance(label, (int, float)) else (3,) if label is None else (2, str(label))


def group_by(labels: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    """Return the indices of each label."""
    members: dict[Hashable, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(label, []).append(index)
    return members


def _differ_at_a_position(positions: Indices, labels: Sequence[Hashable]) -> bool:
    """True if frames at the same position have different labels."""
    if len(set(labels)) < 2:
        return False
    return len({*zip(positions.tolist(), labels, strict=True)}) > len({*positions.tolist()})


def _has_equal_counts(positions: Indices) -> bool:
    """True if every position that occurs has the same number of frames."""
    counts = np.unique(positions, return_counts=True)[1]
    return bool((counts == counts[0]).all())


def _rows_are_constant(values: Floats) -> bool:
    """True if each row holds one value, up to rounding."""
    return bool((np.ptp(values, axis=1) <= 1e-6 * np.abs(values).max(axis=1)).all())
