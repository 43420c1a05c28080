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


def compare(ours: Conversion, other: Conversion, other_name: str) -> Iterator[Outcome]:
    """Yield an outcome for each series of which a converter wrote a file or refused it."""
    unmatched: tuple[list[NiftiFile], list[NiftiFile]] = ([], [])
    files = _by_series(ours.files), _by_series(other.files)
    for uid in sorted(files[0].keys() | files[1].keys()):
        pair = files[0].get(uid, []), files[1].get(uid, [])
        if all(pair):
            yield _compare_series(*pair)
        else:
            for items, rest in zip(pair, unmatched, strict=True):
                rest.extend(items)
    yield from _join_series(*unmatched, ours, other, other_name)
    for uid in sorted(ours.refusals.keys() & other.refusals.keys() - files[0].keys() - files[1].keys()):
        yield Outcome([uid], "", "refused by both", [ours.refusals[uid], other.refusals[uid]])


def _by_series(items: Sequence[NiftiFile]) -> dict[str, list[NiftiFile]]:
    """Return the files by Series Instance UID, without those that are derived from others of the series."""
    groups: dict[str, list[NiftiFile]] = {}
    for item in items:
        groups.setdefault(item.series_uid, []).append(item)
    return {uid: [item for item in group if not item.is_derived] or group for uid, group in groups.items()}


def _join_series(
    ours: list[NiftiFile], others: list[NiftiFile], our_result: Conversion, other_result: Conversion, other_name: str
) -> Iterator[Outcome]:
    """Find several series that the other converter joined; all remaining series were refused by one converter."""
    loaded = [(item, volume_agreement.load(item.path)) for item in ours]
    for item in others:
        candidates = [(file, volume) for file, volumes in loaded for volume in volumes if _same_study(file, item)]
        other_volumes = volume_agreement.load(item.path)
        pairs = volume_agreement.match([volume for _, volume in candidates], other_volumes)
        if pairs and len(pairs) == len(other_volumes):
            used = {id(volume) for volume, _ in pairs}
            joined = [file for file, volumes in loaded if used & {id(volume) for volume in volumes}]
            loaded = [(file, volumes) for file, volumes in loaded if not used & {id(volume) for volume in volumes}]
            uids = [file.series_uid for file in joined]
            text = f"{len(uids)} series of dicoxide are one of {other_name}"
            yield Outcome(uids, _description([*joined, item]), SPLIT, [text])
        else:
            reason = our_result.refusals.get(item.series_uid, "no file")
            yield Outcome([item.series_uid], _description([item]), "refused by dicoxide", [reason, _shapes([item])])
    for uid, group in itertools.groupby((file for file, _ in loaded), lambda file: file.series_uid):
        items = list(group)
        reason = other_result.refusals.get(uid, "no file")
        yield Outcome([uid], _description(items), f"refused by {other_name}", [reason, _shapes(items)])


def _same_study(ours: NiftiFile, other: NiftiFile) -> bool:
    uids = [item.attributes.get("StudyInstanceUID") for item in (ours, other)]
    return None in uids or uids[0] == uids[1]


def _compare_series(ours: list[NiftiFile], others: list[NiftiFile]) -> Outcome:
    uids = [ours[0].series_uid]
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
