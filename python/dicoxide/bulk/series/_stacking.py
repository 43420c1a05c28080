"""Which frames of a stack lie where: along the normal, and along a fourth axis where positions repeat."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dicoxide.bulk.series._geometry import Finding, Floats
from dicoxide.bulk.series._headers import AXES, Slice

Indices: TypeAlias = npt.NDArray[np.intp]
Part: TypeAlias = tuple[tuple[str, Any], ...]

# Tags whose values make volumes of their own where they are not all that is told apart, the most telling first.
_SPLITTING = ("EchoTime", "EchoNumbers", "TemporalPositionIdentifier", "DiffusionBValue")
_NAMES = [axis.name for axis in AXES]
_CLOCKS = ("AcquisitionTime", "ContentTime")


class Arrangement(NamedTuple):
    """Frames of a stack as a grid of indices: (slices,), or (values of `axis`, slices)."""

    grid: Indices
    part: Part
    axis: str | None
    axis_values: tuple[float, ...]
    findings: tuple[Finding, ...]


def arrange(slices: Sequence[Slice], place: Indices) -> list[Arrangement]:
    """Tell frames at the same place apart.

    `place` numbers the places in ascending order along the normal. What differs in kind (image type, segment) becomes
    volumes of its own; then the first of `AXES` that tells all frames of each place apart is the fourth axis.
    """
    if not _repeats(place):
        return [Arrangement(np.argsort(place, kind="stable"), (), None, (), ())]
    first: dict[Hashable, int] = {}
    for index, (one, where) in enumerate(zip(slices, place.tolist(), strict=True)):
        first.setdefault(
            (where, one.keys, one.gradient, one.dimensions, one.segment, one.image_type, _order(one)), index
        )
    kept = np.array(list(first.values()))
    arranged = _Stack(slices, place).resolve(kept, ())
    if len(kept) == len(slices):
        return arranged
    dropped = np.setdiff1d(np.arange(len(slices)), kept)
    return [_with_dropped(one, slices, place, dropped) for one in arranged]


def _with_dropped(one: Arrangement, slices: Sequence[Slice], place: Indices, dropped: Indices) -> Arrangement:
    """Name the frames that are left out of a stack in the arrangement that has their places."""
    levels = place[one.grid.reshape(-1, one.grid.shape[-1])[0]]
    where = np.flatnonzero(np.isin(levels, place[dropped]))
    if not len(where):
        return one
    frames = [slices[index] for index in dropped.tolist()]
    return one._replace(findings=(*one.findings, _repeating(frames, tuple(where.tolist()))))


def _repeats(place: Indices) -> bool:
    return bool(np.bincount(place).max() > 1)


class _Stack:
    """Frames, some at the same place."""

    def __init__(self, slices: Sequence[Slice], place: Indices) -> None:
        self._slices = slices
        self._place = place
        # NaN where the attribute is not there.
        self._keys: Floats = np.array([one.keys for one in slices], np.float64)

    def resolve(self, chosen: Indices, part: Part) -> list[Arrangement]:
        """Arrange the frames `chosen`, which `part` tells from the others."""
        place = self._place[chosen]
        if not _repeats(place):
            return [Arrangement(chosen[np.argsort(place, kind="stable")], part, None, (), ())]
        for name, label in (("ImageType", _image_type), ("ReferencedSegmentNumber", _segment)):
            labels = [label(self._slices[index]) for index in chosen.tolist()]
            if _differ_in_place(place, labels):
                return self._split(chosen, labels, name, part)
        arranged: list[Arrangement] = []
        if _is_full(place):
            arranged = (
                self._by_axis(chosen, part, is_crossed=True)
                or self._by_gradient(chosen, part)
                or self._full_parts(chosen, part)
                or self._by_axis(chosen, part, is_crossed=False)
                or self._by_order(chosen, part)
            )
        return (
            arranged
            or self._incomplete_parts(chosen, part)
            or self._incomplete_times(chosen, part)
            or [self._first_of_each(chosen, part)]
        )

    def _split(
        self, chosen: Indices, labels: Sequence[Hashable], name: str, part: Part, *findings: Finding
    ) -> list[Arrangement]:
        arranged = []
        for label in sorted(set(labels), key=lambda label: (label is None, label)):
            subset = chosen[[one == label for one in labels]]
            below = self.resolve(subset, (*part, (name, label)))
            arranged += [one._replace(findings=(*findings, *one.findings)) for one in below]
        return arranged

    def _by_axis(self, chosen: Indices, part: Part, *, is_crossed: bool) -> list[Arrangement]:
        """A fourth axis by the first attribute that tells all frames of each place apart."""
        for column, axis in enumerate(AXES):
            keys = self._keys[chosen, column]
            if axis.is_crossed == is_crossed and not np.isnan(keys).any():
                grid = self._grid(chosen, keys)
                values = self._keys[grid, column]
                is_told = bool((np.diff(values, axis=0) > 0).all())
                if is_told and (not is_crossed or _is_crossed(values)):
                    return [self._with_axis(grid, part, axis.name, values[:, 0])]
        return []

    def _by_gradient(self, chosen: Indices, part: Part) -> list[Arrangement]:
        """Diffusion: several directions, or repetitions, of one b-value."""
        weights = self._keys[chosen, _NAMES.index("DiffusionBValue")]
        if np.isnan(weights).any():
            return []
        slices = [self._slices[index] for index in chosen.tolist()]
        gradients = [one.gradient for one in slices]
        told = {*zip(self._place[chosen].tolist(), weights.tolist(), gradients, map(_order, slices), strict=True)}
        if len({*zip(weights.tolist(), gradients, strict=True)}) < 2 or len(told) < len(slices):
            return []
        number = {gradient: rank for rank, gradient in enumerate(sorted(set(gradients)))}
        order = np.array([number[gradient] for gradient in gradients])
        grid = self._grid(chosen, weights, order, self._instances(chosen))
        values = self._keys[grid, _NAMES.index("DiffusionBValue")]
        directions = [[self._slices[index].gradient for index in row] for row in grid.tolist()]
        if not _is_crossed(values) or any(len(set(row)) > 1 for row in directions):
            return []
        return [self._with_axis(grid, part, "DiffusionBValue", values[:, 0])]

    def _full_parts(self, chosen: Indices, part: Part) -> list[Arrangement]:
        """Volumes of their own for each echo (position, b-value) where another attribute tells the rest apart."""
        place = self._place[chosen]
        for name in _SPLITTING:
            keys = self._keys[chosen, _NAMES.index(name)]
            labels = keys.tolist()
            if np.isnan(keys).any() or not _differ_in_place(place, labels):
                continue
            if all(_is_full(place[keys == value]) for value in set(labels)):
                return self._split(chosen, labels, name, part)
        return []

    def _by_order(self, chosen: Indices, part: Part) -> list[Arrangement]:
        """A fourth axis that the attributes do not name: by dimension indices, or by instance number."""
        slices = [self._slices[index] for index in chosen.tolist()]
        for name, keys in (
            ("DimensionIndexValues", [one.dimensions or None for one in slices]),
            ("InstanceNumber", [_order(one) for one in slices]),
        ):
            if None in keys or len({*zip(self._place[chosen].tolist(), keys, strict=True)}) < len(keys):
                continue
            number = {key: rank for rank, key in enumerate(sorted({key for key in keys if key is not None}))}
            grid = self._grid(chosen, np.array([number[key] for key in keys if key is not None]))
            finding = Finding("unnamed_axis", f"positions repeat {len(grid)} times; {name} alone tells them apart")
            return [Arrangement(grid, part, name, tuple(map(float, range(len(grid)))), (finding,))]
        return []

    def _incomplete_parts(self, chosen: Indices, part: Part) -> list[Arrangement]:
        """Where frames are missing from a fourth axis: a volume for each of its values."""
        place = self._place[chosen]
        for name in _SPLITTING:
            keys = self._keys[chosen, _NAMES.index(name)]
            labels = keys.tolist()
            if not np.isnan(keys).any() and _differ_in_place(place, labels):
                text = f"{name} has {len(set(labels))} values, but not all of them at each position"
                return self._split(chosen, labels, name, part, Finding("incomplete_axis", text))
        return []

    def _incomplete_times(self, chosen: Indices, part: Part) -> list[Arrangement]:
        """The same for what is compared by order alone: a frame belongs where its time is nearest to the others'."""
        place = self._place[chosen]
        counts = np.bincount(place)
        most = int(counts.max())
        # A few positions twice are duplicates.
        if np.count_nonzero(counts > 1) * 2 <= np.count_nonzero(counts):
            return []
        for column, axis in enumerate(AXES):
            keys = self._keys[chosen, column]
            if axis.is_crossed or np.isnan(keys).any() or len({*zip(place, keys, strict=True)}) < len(keys):
                continue
            complete = np.isin(place, np.flatnonzero(counts == most))
            usual = self._keys[self._grid(chosen[complete], keys[complete]), column].mean(axis=1)
            ranks = np.empty(len(chosen), np.intp)
            for one in range(len(counts)):
                here = np.flatnonzero(place == one)
                here = here[np.argsort(keys[here])]
                nearest = np.abs(keys[here][:, None] - usual).argmin(axis=1)
                is_clear = (np.diff(nearest) > 0).all()
                ranks[here] = nearest if is_clear and len(here) < most else np.arange(len(here))
            text = f"{axis.name} has {most} values at most positions, but not at all"
            labels = usual[ranks] - (usual[0] if axis.name in _CLOCKS else 0.0)
            return self._split(chosen, labels.tolist(), axis.name, part, Finding("incomplete_axis", text))
        return []

    def _first_of_each(self, chosen: Indices, part: Part) -> Arrangement:
        """One frame of each place: the lowest instance number, then the first path."""
        order = np.lexsort((self._instances(chosen), self._place[chosen]))
        ordered = chosen[order]
        place = self._place[ordered]
        is_first = np.concatenate([[True], np.diff(place) > 0])
        kept = ordered[is_first]
        dropped = [self._slices[index] for index in ordered[~is_first].tolist()]
        repeated = np.unique(place[~is_first])
        where = tuple(np.searchsorted(self._place[kept], repeated).tolist())
        return Arrangement(kept, part, None, (), (_repeating(dropped, where),))

    def _instances(self, chosen: Indices) -> Indices:
        """Ranks by instance number, then as they were found."""
        slices = [self._slices[index] for index in chosen.tolist()]
        order = sorted(range(len(slices)), key=lambda at: (_order(slices[at]), at))
        ranks = np.empty(len(slices), np.intp)
        ranks[order] = np.arange(len(slices))
        return ranks

    def _grid(self, chosen: Indices, *keys: npt.NDArray[Any]) -> Indices:
        """(repetitions, places) of frames, by place, and in each place by `keys`; every place has as many."""
        order = np.lexsort((*reversed(keys), self._place[chosen]))
        return chosen[order].reshape(len(np.unique(self._place[chosen])), -1).T

    def _with_axis(self, grid: Indices, part: Part, name: str, values: Floats) -> Arrangement:
        start = values[0] if name in _CLOCKS else 0.0
        return Arrangement(grid, part, name, tuple((values - start).tolist()), ())


def _repeating(dropped: Sequence[Slice], where: tuple[int, ...]) -> Finding:
    text = f"{len(dropped)} frames repeat a position and nothing tells them apart; left out: {name_frames(dropped)}"
    return Finding("duplicate_position", text, where)


def name_frames(frames: Sequence[Slice], most: int = 8) -> str:
    """The files, and the frames of those that have several, for a message."""
    named = [one.path + (f" frame {one.frame}" if one.frame else "") for one in frames[:most]]
    return ", ".join(named) + (f" and {len(frames) - most} more" if len(frames) > most else "")


def _instance_number(one: Slice) -> float:
    return float("inf") if one.instance_number is None else one.instance_number


def _order(one: Slice) -> tuple[float, ...]:
    return (_instance_number(one), one.frame)


def _image_type(one: Slice) -> Hashable:
    return "\\".join(one.image_type)


def _segment(one: Slice) -> Hashable:
    return one.segment


def _differ_in_place(place: Indices, labels: Sequence[Hashable]) -> bool:
    """Whether frames at one place differ in what labels them."""
    if len(set(labels)) < 2:
        return False
    return len({*zip(place.tolist(), labels, strict=True)}) > len(np.unique(place))


def _is_full(place: Indices) -> bool:
    """Whether all places have as many frames."""
    counts = np.bincount(place)
    counts = counts[counts > 0]
    return bool((counts == counts[0]).all())


def _is_crossed(values: Floats) -> bool:
    """Whether each row has one value, up to rounding."""
    return bool((np.ptp(values, axis=1) <= 1e-6 * np.abs(values).max(axis=1)).all())
