"""Compares the files that dicoxide and another converter wrote for the series of a folder."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import volume_agreement
from volume_agreement import Volume
from volume_files import Conversion, NiftiFile
from volume_sidecars import sidecar_notes

EQUAL, SPLIT, DIFFERENT = "equal", "equal, split differently", "different"


@dataclass
class Outcome:
    """Result for one series and one other converter."""

    series_uids: list[str]
    description: str
    # EQUAL, SPLIT, DIFFERENT, or "refused by" and the name of the converter without a file.
    status: str
    # Differences of values, geometry and division into volumes; for refused series, the reason.
    details: list[str]
    # Differences of gradients, keys of JSON files and repetition times.
    notes: list[str] = field(default_factory=list)
    # Findings of dicoxide, which may explain differences.
    findings: list[str] = field(default_factory=list)


def compare(ours: Conversion, other: Conversion, other_name: str) -> Iterator[Outcome]:
    """Yield an outcome for each series of which a converter wrote a file or refused it."""
    for our_files, other_files in _groups(_by_series(ours.files), _by_series(other.files)):
        if our_files and other_files:
            outcome = _compare_series(our_files, other_files)
            outcome.findings = list(dict.fromkeys(text for item in our_files for text in item.findings))
            yield outcome
        else:
            refused_by = other_name if our_files else "dicoxide"
            refusals = (other if our_files else ours).refusals
            items = our_files or other_files
            uid = items[0].series_uid
            details = [refusals.get(uid, "no file"), _shapes(items)]
            yield Outcome([uid], _description(items), f"refused by {refused_by}", details)
    uids_with_files = {item.series_uid for item in (*ours.files, *other.files)}
    for uid in sorted(ours.refusals.keys() & other.refusals.keys() - uids_with_files):
        yield Outcome([uid], "", "refused by both", [ours.refusals[uid], other.refusals[uid]])


def _by_series(items: Sequence[NiftiFile]) -> dict[str, list[NiftiFile]]:
    """Return the files by Series Instance UID, without those that are derived from others of the series."""
    groups: dict[str, list[NiftiFile]] = {}
    for item in items:
        groups.setdefault(item.series_uid, []).append(item)
    return {uid: [item for item in group if not item.is_derived] or group for uid, group in groups.items()}


def _groups(
    ours: dict[str, list[NiftiFile]], others: dict[str, list[NiftiFile]]
) -> Iterator[tuple[list[NiftiFile], list[NiftiFile]]]:
    """Yield the files of one series, or of several series that the other converter joined.

    dcm2niix replaces the UID of some series. Their files belong to the series of dicoxide with the same values.
    """
    for uid in sorted(ours.keys() & others.keys()):
        yield ours[uid], others[uid]
    remaining = {uid: items for uid, items in sorted(ours.items()) if uid not in others}
    groups: list[tuple[set[str], list[NiftiFile]]] = []
    for item in itertools.chain(*(items for uid, items in sorted(others.items()) if uid not in ours)):
        uids = _series_with_values_of(item, remaining)
        overlapping = [group for group in groups if uids & group[0]]
        groups = [group for group in groups if not uids & group[0]]
        files = [*itertools.chain(*(group[1] for group in overlapping)), item]
        groups.append((uids.union(*(group[0] for group in overlapping)), files))
    for uids, other_files in groups:
        yield [item for uid in sorted(uids) for item in remaining.pop(uid)], other_files
    for items in remaining.values():
        yield items, []


def _series_with_values_of(other: NiftiFile, ours: dict[str, list[NiftiFile]]) -> set[str]:
    """Return the series that have all volumes of a file; those of the same Series Number are tried first."""
    volumes = volume_agreement.load(other.path)
    same_study = {uid: items for uid, items in ours.items() if _has_same(other, items[0], "StudyInstanceUID")}
    same_number = {uid: items for uid, items in same_study.items() if _has_same(other, items[0], "SeriesNumber")}
    for candidates in (same_number, same_study):
        files = [(uid, item) for uid, items in candidates.items() for item in items]
        our_volumes = [
            volume for index, (_, item) in enumerate(files) for volume in volume_agreement.load(item.path, index)
        ]
        pairs = volume_agreement.match(our_volumes, volumes, volume_agreement.have_equal_values)
        if pairs and len(pairs) == len(volumes):
            return {files[volume.file_index][0] for volume, _ in pairs}
    return set()


def _has_same(ours: NiftiFile, other: NiftiFile, key: str) -> bool:
    values = [item.attributes.get(key) for item in (ours, other)]
    return None in values or values[0] == values[1]


def _compare_series(ours: list[NiftiFile], others: list[NiftiFile]) -> Outcome:
    uids = sorted({item.series_uid for item in ours})
    description = _description([*ours, *others])
    our_files = [volume_agreement.load(item.path, index) for index, item in enumerate(ours)]
    other_files = [volume_agreement.load(item.path, index) for index, item in enumerate(others)]
    pairs, details = _pair_files(our_files, other_files)
    notes = list(dict.fromkeys(note for a, b in pairs for note in sidecar_notes(ours[a], others[b])))
    if not details and len(ours) == len(others):
        return Outcome(uids, description, EQUAL, [], notes)
    our_volumes, other_volumes = (list(itertools.chain(*files)) for files in (our_files, other_files))
    shapes = f"{_shapes(ours)} = {_shapes(others)}"
    units = our_volumes, other_volumes
    matched = volume_agreement.match(*units)
    if len(matched) == len(our_volumes) == len(other_volumes):
        if len(ours) == len(others) and _has_same_grouping(matched):
            return Outcome(uids, description, DIFFERENT, ["order of the fourth axis"], notes)
        return Outcome(uids, description, SPLIT, [shapes], notes)
    our_slices, other_slices = (
        [piece for volume in group for piece in volume_agreement.slices(volume)] for group in units
    )
    if len(our_slices) == len(other_slices):
        pairs_of_slices = volume_agreement.match(our_slices, other_slices)
        if len(pairs_of_slices) == len(our_slices) and len(ours) != len(others):
            return Outcome(uids, description, SPLIT, [f"{shapes}, slice by slice"], notes)
    if len(ours) != len(others) or len(our_volumes) != len(other_volumes):
        counts = f"{len(matched)} of {len(our_volumes)} and {len(other_volumes)} volumes are equal"
        details.insert(0, f"{_shapes(ours)} and {_shapes(others)}, {counts}")
    return Outcome(uids, description, DIFFERENT, list(dict.fromkeys(details)), notes)


def _pair_files(ours: list[list[Volume]], others: list[list[Volume]]) -> tuple[list[tuple[int, int]], list[str]]:
    """Return pairs of indices of files, the most similar ones first, and what differs in all pairs."""
    free = dict(enumerate(ours))
    pairs, details = [], []
    for other_index, other in enumerate(others):
        if not free:
            break
        found = {index: _file_differences(volumes, other) for index, volumes in free.items()}
        best = min(
            found,
            key=lambda index: (any("shapes" in text or "volumes" in text for text in found[index]), len(found[index])),
        )
        pairs.append((best, other_index))
        details += found[best]
        del free[best]
    return pairs, details


def _file_differences(ours: list[Volume], other: list[Volume]) -> list[str]:
    if len(ours) != len(other):
        return [f"{len(ours)} and {len(other)} volumes"]
    texts: Counter[str] = Counter()
    for pair in zip(ours, other, strict=True):
        texts.update(volume_agreement.differences(*pair))
    return list(texts)[:3]


def _has_same_grouping(pairs: Sequence[tuple[Volume, Volume]]) -> bool:
    """Return True if volumes of one file are in one file of the other converter too."""
    files = {(ours.file_index, other.file_index) for ours, other in pairs}
    return len(files) == len({ours for ours, _ in files}) == len({other for _, other in files})


def _shapes(items: Sequence[NiftiFile]) -> str:
    counts = Counter(volume_agreement.shape(item.path) for item in items)
    return " + ".join(f"{count} × {shape}" if count > 1 else f"{shape}" for shape, count in counts.items())


def _description(items: Sequence[NiftiFile]) -> str:
    for item in items:
        number, text, manufacturer = (
            item.attributes.get(key) or "" for key in ("SeriesNumber", "SeriesDescription", "Manufacturer")
        )
        if number or text:
            return f"{manufacturer} {number} {text}".strip()
    return ""
