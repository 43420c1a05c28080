"""Plans of the volumes in folders and files, from headers alone."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from dicoxide._arguments import Rescale
from dicoxide._decode import open as open_image
from dicoxide._sources import Attributes
from dicoxide.bulk._on_error import OnError, check_on_error
from dicoxide.bulk.series._discover import FileFinder, Paths, SkippedFile, UnreadableFile
from dicoxide.bulk.series._grouping import plan_headers
from dicoxide.bulk.series._headers import Header, read_headers
from dicoxide.bulk.series._plan import SeriesResult, VolumePlan
from dicoxide.bulk.series._slices import real_world_units
from dicoxide.bulk.series._split_options import Keywords, parse_split_options
from dicoxide.errors import CorruptFrameError

__all__ = ["plan_series", "read_attributes", "read_units"]

# Left out of a volume's attributes: large, and not valid for the whole volume.
_PER_FRAME_KEYWORDS = frozenset({"PerFrameFunctionalGroupsSequence"})


def plan_series(
    paths: Paths,
    *,
    split_by: Keywords = (),
    merge: Keywords = (),
    threads: int | None = None,
    on_error: OnError = "raise",
) -> SeriesResult[VolumePlan]:
    """Plan the volumes of folders or files by reading headers only.

    Parameters
    ----------
    paths : path, or iterable of paths
        As for :func:`dicoxide.read_series`.
    split_by, merge : str or iterable of str
        Keywords of attributes, as for :func:`dicoxide.read_series`.
    threads : int, optional
        Maximum number of threads that read headers; all cores by default.
    on_error : {"raise", "return", "skip"}
        Handling of files that cannot be read: raise the first error, or list the files in ``errors`` of the result and
        name them in a finding ``unreadable_file`` of the volumes that they may belong to.

    Returns
    -------
    SeriesResult of VolumePlan
        Plans for :func:`decode_volume` and :func:`decode_slices`.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: the error of the first file, in order, that has one.

    References
    ----------
    PS3.3 C.7.6.2 and C.7.6.16.
    """
    check_on_error(on_error)
    options = parse_split_options(split_by, merge)
    entries: list[Header | UnreadableFile] = []
    skipped: dict[str, list[str]] = {}
    errors: list[tuple[str, Exception]] = []
    for entry in read_headers(FileFinder(paths), threads, options.split_by):
        if isinstance(entry, SkippedFile):
            skipped.setdefault(entry.reason, []).append(entry.path)
            continue
        if isinstance(entry, UnreadableFile):
            if on_error == "raise":
                entry.error.add_note(f"file: {entry.path}")
                raise entry.error
            errors.append((entry.path, entry.error))
        entries.append(entry)
    return SeriesResult(plan_headers(entries, options), skipped, errors)


def read_attributes(plan: VolumePlan) -> dict[str, Any]:
    """Read the attributes of the file with the first slice, as dicts and lists that can be pickled."""
    with open_image(plan.first_slice.path) as image:
        return _plain_attributes(image.attributes)


def _plain_attributes(attributes: Attributes) -> dict[str, Any]:
    """Return attributes as a dict, without functional groups of single frames and without values that are corrupt."""
    plain = {}
    for keyword in attributes:
        if keyword not in _PER_FRAME_KEYWORDS:
            with suppress(CorruptFrameError):
                plain[keyword] = _plain_value(attributes[keyword])
    return plain


def _plain_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_value(item) for item in value]
    return _plain_attributes(value) if isinstance(value, Attributes) else value


def read_units(plan: VolumePlan, rescale: Rescale, quantity: str | None, *, keep_errors: bool = False) -> str | None:
    """Return the units of real-world values; None if `rescale` requests other values, or the volume is colour."""
    if plan.applied_rescale(rescale) != "real_world":
        return None
    return real_world_units(plan.slice_sources, quantity, keep_errors=keep_errors)
