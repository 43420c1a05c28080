"""Keywords by which callers decide what is a separate volume."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from dicoxide._sources import KEYWORDS, Attributes
from dicoxide.errors import CorruptFrameError

__all__ = ["NO_SPLIT_OPTIONS", "Keywords", "SplitOptions", "frame_labels", "parse_split_options"]

Keywords: TypeAlias = "str | Iterable[str]"

# Attributes of arrays: images that differ in one of them do not fit into one volume.
_NOT_MERGED = frozenset(
    {
        *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated"),
        *("BitsStored", "HighBit", "PixelRepresentation", "NumberOfFrames", "ImagePositionPatient"),
    }
)


class SplitOptions(NamedTuple):
    """How to divide series into volumes, besides the rules that hold without options.

    Attributes
    ----------
    split_by : tuple of str
        Keywords of attributes whose values always are separate volumes.
    merge : tuple of str
        Keywords of attributes whose differences never divide a volume.
    """

    split_by: tuple[str, ...] = ()
    merge: tuple[str, ...] = ()


NO_SPLIT_OPTIONS = SplitOptions()


def parse_split_options(split_by: Keywords = (), merge: Keywords = ()) -> SplitOptions:
    """Check keywords, and return them as options.

    Raises
    ------
    ValueError
        If a keyword is unknown, is in both, or cannot be merged.
    """
    splitting, merged = _keywords(split_by, "split_by"), _keywords(merge, "merge")
    for keyword in merged:
        if keyword in _NOT_MERGED:
            raise ValueError(f"merge: images that differ in {keyword} cannot be one volume")
        if keyword in splitting:
            raise ValueError(f"{keyword} is in both split_by and merge")
    return SplitOptions(splitting, merged)


def _keywords(keywords: Keywords, name: str) -> tuple[str, ...]:
    """Return distinct keywords; commas separate those of a single text."""
    given = keywords.split(",") if isinstance(keywords, str) else keywords
    distinct = tuple(dict.fromkeys(str(keyword).strip() for keyword in given))
    distinct = tuple(keyword for keyword in distinct if keyword)
    for keyword in distinct:
        if keyword not in KEYWORDS:
            raise ValueError(f"{name}: {keyword!r} is not the keyword of an attribute that dicoxide reads (PS3.6 6)")
    return distinct


def frame_labels(attributes: Attributes, keywords: Sequence[str], count: int) -> list[tuple[tuple[str, Hashable], ...]]:
    """Return (keyword, value) of each keyword for each of the `count` frames of a file.

    An attribute of a frame's functional groups precedes a shared one, which precedes one at the top level; None if it
    is in none of them.
    """
    shared = tuple((keyword, _find(attributes, "SharedFunctionalGroupsSequence", keyword)) for keyword in keywords)
    items = _get(attributes, "PerFrameFunctionalGroupsSequence") or []
    labels = []
    for index in range(count):
        found = dict(shared)
        if index < len(items):
            for keyword in keywords:
                value = _find_in_item(items[index], keyword)
                found[keyword] = found[keyword] if value is None else value
        labels.append(tuple(found.items()))
    return labels


def _find(attributes: Attributes, sequence: str, keyword: str) -> Hashable:
    """Return a value of the first item of `sequence`, or else of `attributes`."""
    items = _get(attributes, sequence) or []
    value = _find_in_item(items[0], keyword) if items else None
    return _hashable(_get(attributes, keyword)) if value is None else value


def _find_in_item(item: Attributes, keyword: str, depth: int = 2) -> Hashable:
    """Return a value in one of the functional groups of `item`, down to `depth` levels, or None."""
    for name in item:
        group = _get(item, name)
        if isinstance(group, list) and group and isinstance(group[0], Attributes):
            value = _hashable(_get(group[0], keyword))
            if value is None and depth > 1:
                value = _find_in_item(group[0], keyword, depth - 1)
            if value is not None:
                return value
    return None


def _hashable(value: Any) -> Hashable:
    """Return a value that can be compared: numbers and text; empty values are None, several values a tuple."""
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    is_number = isinstance(value, (int, float)) and not math.isnan(value)
    return value if is_number else str(value) if value not in (None, "") else None


def _get(attributes: Attributes, keyword: str) -> Any:
    """Return the value of an attribute, or None if it is absent or cannot be parsed."""
    try:
        return attributes[keyword]
    except (KeyError, CorruptFrameError):
        return None
