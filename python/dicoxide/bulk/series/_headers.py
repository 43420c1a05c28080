"""Reads from each file the attributes that grouping and sorting need."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import NamedTuple

from dicoxide._arguments import thread_count
from dicoxide._image import make_image
from dicoxide._sources import Source, open_many, open_source
from dicoxide._transfer_syntaxes import NATIVE
from dicoxide.bulk.series._attribute_values import parse_integer, parse_text
from dicoxide.bulk.series._discover import CandidateFile, SkippedFile, UnreadableFile
from dicoxide.bulk.series._frame_headers import (
    Slice,
    SourceFile,
    describe_frames,
    describe_mr_image,
    is_segmentation,
    unfold_mosaics,
)
from dicoxide.bulk.series._keywords import HEADER_KEYWORDS, MULTI_FRAME_KEYWORDS
from dicoxide.bulk.series._split_options import frame_labels
from dicoxide.bulk.series._unreadable import classify_failure
from dicoxide.errors import CorruptFrameError

# Files open at the same time; processes have a limit on open files.
_BATCH_FILES = 64

# Bytes of an item's tag and length in encapsulated Pixel Data.
_ITEM_BYTES = 8


class Header(NamedTuple):
    """The attributes of one file that grouping and sorting need.

    Attributes
    ----------
    shape : tuple of int
        Of one slice: (rows, columns[, samples]); in a mosaic, a slice is a part of a frame.
    frame_shape : tuple of int
        Of one frame.
    dtype : str
        Type of the stored values, such as ``"<u2"``.
    slices : tuple of Slice
        The frames, or the slices of mosaics.
    """

    path: str
    study_instance_uid: str
    series_instance_uid: str
    series_number: int | None
    modality: str
    description: str
    frame_of_reference_uid: str
    photometric_interpretation: str
    shape: tuple[int, ...]
    frame_shape: tuple[int, ...]
    dtype: str
    slices: tuple[Slice, ...]


def read_headers(
    candidates: Iterable[CandidateFile | SkippedFile | UnreadableFile],
    threads: int | None,
    split_by: tuple[str, ...] = (),
) -> Iterator[Header | SkippedFile | UnreadableFile]:
    """Read the headers of candidate files on several threads; the order is that of `candidates`, memory is bounded.

    Slices have the values of the attributes `split_by` as their `labels`.
    """
    count = thread_count(threads)
    remaining = iter(candidates)
    while batch := list(islice(remaining, _BATCH_FILES)):
        # Runs on the calling thread: with a Python thread per reader, waiting for the interpreter lock would take
        # longer than reading.
        sources = iter(open_many([entry.path for entry in batch if isinstance(entry, CandidateFile)], count))
        for entry in batch:
            yield _header_or_reason(entry, next(sources), split_by) if isinstance(entry, CandidateFile) else entry


def _header_or_reason(
    file: CandidateFile, source: Source | Exception, split_by: tuple[str, ...]
) -> Header | SkippedFile | UnreadableFile:
    """Return the header of an opened file, or why the file is not an image."""
    try:
        if isinstance(source, Exception):
            raise source
        with closing(source):
            return _header(file.path, source, file.size, file.mtime_ns, split_by)
    except Exception as error:
        return classify_failure(file, error)


def read_header(path: str) -> Header:
    """Read the header of the file at `path`."""
    status = os.stat(path)
    with closing(open_source(path)) as source:
        return _header(path, source, status.st_size, status.st_mtime_ns)


def _header(path: str, source: Source, size: int, mtime_ns: int, split_by: tuple[str, ...] = ()) -> Header:
    data_set = source.attributes
    attributes = data_set.get_many(HEADER_KEYWORDS)
    values = {keyword: value for keyword, value in attributes.items() if value not in (None, "")}
    get = values.get
    spec = source.spec
    syntax = spec.transfer_syntax
    count = source.number_of_frames or 1
    if count > 1:
        if syntax not in NATIVE and count * _ITEM_BYTES > size:
            # Each frame needs at least one item. Without this check, Number of Frames alone would decide how many
            # frames are requested from a fallback decoder.
            raise CorruptFrameError(
                f"number of frames {count} found, at most {size // _ITEM_BYTES} fit into the file (PS3.5 A.4)",
                kind="Mismatch",
                clause="PS3.5 A.4",
                transfer_syntax=syntax,
            )
        count = make_image(source).number_of_frames
    if count == 1 and get("Modality") == "MR" and values.keys().isdisjoint(MULTI_FRAME_KEYWORDS):
        frames: tuple[Slice, ...] = (describe_mr_image(path, values, data_set),)
    else:
        frames = describe_frames(path, values, count)
    if split_by:
        labels = frame_labels(data_set, split_by, count)
        frames = tuple(frame._replace(labels=label) for frame, label in zip(frames, labels, strict=True))
    frames, slice_shape, mosaic_problem = unfold_mosaics(frames, data_set, spec.shape)
    file = SourceFile(count, syntax, size, mtime_ns, mosaic_problem, is_segmentation(values))
    return Header(
        path=path,
        study_instance_uid=parse_text(get("StudyInstanceUID")),
        series_instance_uid=parse_text(get("SeriesInstanceUID")),
        series_number=parse_integer(get("SeriesNumber")),
        modality=parse_text(get("Modality")),
        description=parse_text(get("SeriesDescription")),
        frame_of_reference_uid=parse_text(get("FrameOfReferenceUID")),
        photometric_interpretation=spec.photometric_interpretation,
        shape=slice_shape,
        frame_shape=spec.shape,
        dtype=spec.dtype.str,
        slices=tuple(frame._replace(file=file) for frame in frames),
    )
