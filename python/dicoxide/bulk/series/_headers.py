"""Reads from each file the attributes that grouping and sorting need."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

from dicoxide._arguments import thread_count
from dicoxide._image import Image
from dicoxide._sources import HEAD_BYTES, Attributes, Source, has_preamble, open_many, open_source
from dicoxide._transfer_syntaxes import NATIVE
from dicoxide.bulk.series._attribute_values import (
    MAX_MM,
    parse_integer,
    parse_number,
    parse_numbers,
    parse_orientation,
    parse_position,
    parse_seconds,
    parse_text,
)
from dicoxide.bulk.series._discover import CandidateFile, SkippedFile, UnreadableFile, is_dicomdir
from dicoxide.bulk.series._geometry import Orientation, Vector, along_normal
from dicoxide.bulk.series._keywords import GROUP_KEYWORDS, HEADER_KEYWORDS, MULTI_FRAME_KEYWORDS, TOP_KEYWORDS
from dicoxide.errors import CorruptFrameError

# Files open at the same time; processes have a limit on open files.
_BATCH_FILES = 64

# Grid frame offsets that differ from a coordinate by less, in mm, are equal to it.
_OFFSET_TOLERANCE_MM = 1e-3

# Bytes of an item's tag and length in encapsulated Pixel Data.
_ITEM_BYTES = 8


class Axis(NamedTuple):
    """An attribute that distinguishes frames at the same position.

    Attributes
    ----------
    name : str
        Keyword.
    unit : str
        Unit of its values, or ``""``.
    is_shared : bool
        True if all positions have the same values. False for times, which differ from position to position: only
        their order is compared.
    """

    name: str
    unit: str
    is_shared: bool


# In order of preference: attributes that the acquisition protocol varies come before clocks, which always differ.
AXES = (
    Axis("TemporalPositionIdentifier", "", True),
    Axis("EchoTime", "ms", True),
    Axis("EchoNumbers", "", True),
    Axis("DiffusionBValue", "s/mm²", True),
    Axis("TriggerTime", "ms", False),
    Axis("FrameReferenceTime", "ms", False),
    Axis("AcquisitionTime", "s", False),
    Axis("ContentTime", "s", False),
)


class SourceFile(NamedTuple):
    """Properties of a file when its header was read; `size` (bytes) and `mtime_ns` detect later changes."""

    frame_count: int = 1
    transfer_syntax: str = ""
    size: int = 0
    mtime_ns: int = 0


class Slice(NamedTuple):
    """One frame of one file, as its header describes it.

    Attributes
    ----------
    path : str
        The file.
    frame : int
        Zero-based index of the frame.
    position, orientation : tuple of float or None
        Image Position (Patient) in mm, and Image Orientation (Patient).
    pixel_spacing : (float, float) or None
        Distance between rows and between columns, in mm.
    slice_spacing : float or None
        Spacing Between Slices, or else Slice Thickness, in mm.
    keys : tuple of (float or None)
        Values of the attributes of `AXES`, in that order; times in seconds.
    rescale : (float, float) or None
        Rescale Slope and Rescale Intercept; Dose Grid Scaling and 0 for RT Dose. None if there is a Modality LUT.
    window : (float, float, str) or None
        Center, width and VOI LUT Function of the first window (PS3.3 C.11.2.1.2).
    file : SourceFile
        Properties of the file.
    has_modality_lut : bool
        True if a Modality LUT Sequence replaces the rescale (PS3.3 C.11.1).
    """

    path: str
    frame: int
    sop_instance_uid: str
    instance_number: int | None
    position: Vector | None
    orientation: Orientation | None
    pixel_spacing: tuple[float, float] | None
    slice_spacing: float | None
    image_type: tuple[str, ...]
    stack: str
    segment: int | None
    keys: tuple[float | None, ...]
    gradient: tuple[float, ...]
    dimensions: tuple[float, ...]
    rescale: tuple[float, float] | None
    window: tuple[float, float, str] | None = None
    file: SourceFile = SourceFile()
    has_modality_lut: bool = False

    @property
    def frame_index(self) -> int | None:
        """Zero-based index of the frame; None for the only frame of a file."""
        return self.frame if self.file.frame_count > 1 else None


class Header(NamedTuple):
    """The attributes of one file that grouping and sorting need.

    Attributes
    ----------
    shape : tuple of int
        Of one frame: (rows, columns[, samples]).
    dtype : str
        Type of the stored values, such as ``"<u2"``.
    slices : tuple of Slice
        The frames.
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
    dtype: str
    slices: tuple[Slice, ...]


def read_headers(
    candidates: Iterable[CandidateFile | SkippedFile | UnreadableFile], threads: int | None
) -> Iterator[Header | SkippedFile | UnreadableFile]:
    """Read the headers of candidate files on several threads; the order is that of `candidates`, memory is bounded."""
    count = thread_count(threads)
    remaining = iter(candidates)
    while batch := list(islice(remaining, _BATCH_FILES)):
        # Runs on the calling thread: with a Python thread per reader, waiting for the interpreter lock would take
        # longer than reading.
        sources = iter(open_many([entry.path for entry in batch if isinstance(entry, CandidateFile)], count))
        for entry in batch:
            yield _header_or_reason(entry, next(sources)) if isinstance(entry, CandidateFile) else entry


def _header_or_reason(file: CandidateFile, source: Source | Exception) -> Header | SkippedFile | UnreadableFile:
    """Return the header of an opened file, or why the file is not an image."""
    try:
        if isinstance(source, Exception):
            raise source
        with closing(source):
            return _header(file.path, source, file.size, file.mtime_ns)
    except OSError as error:
        return UnreadableFile(file.path, error)
    except Exception as error:
        return _classify_failure(file, error)


def _classify_failure(file: CandidateFile, error: Exception) -> SkippedFile | UnreadableFile:
    """Return whether a file that cannot be opened as an image is damaged, or no image."""
    path, is_named = file.path, file.is_named
    if not isinstance(error, CorruptFrameError):
        return UnreadableFile(path, error)
    if error.kind == "NotDicom":
        return SkippedFile(path, "not DICOM", is_named, error)
    try:
        with open(path, "rb") as opened:
            head = opened.read(HEAD_BYTES)
    except OSError as read_error:
        return UnreadableFile(path, read_error)
    if is_dicomdir(path, head):
        return SkippedFile(path, "DICOMDIR", is_named, error)
    if error.kind == "NoImage":
        return SkippedFile(path, "no image", is_named, error)
    return UnreadableFile(path, error) if has_preamble(head) else SkippedFile(path, "not DICOM", is_named, error)


def read_header(path: str) -> Header:
    """Read the header of the file at `path`."""
    status = os.stat(path)
    with closing(open_source(path)) as source:
        return _header(path, source, status.st_size, status.st_mtime_ns)


def _header(path: str, source: Source, size: int, mtime_ns: int) -> Header:
    attributes = source.attributes.get_many(HEADER_KEYWORDS)
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
        count = Image(source).number_of_frames
    file = SourceFile(count, syntax, size, mtime_ns)
    return Header(
        path=path,
        study_instance_uid=parse_text(get("StudyInstanceUID")),
        series_instance_uid=parse_text(get("SeriesInstanceUID")),
        series_number=parse_integer(get("SeriesNumber")),
        modality=parse_text(get("Modality")),
        description=parse_text(get("SeriesDescription")),
        frame_of_reference_uid=parse_text(get("FrameOfReferenceUID")),
        photometric_interpretation=spec.photometric_interpretation,
        shape=spec.shape,
        dtype=spec.dtype.str,
        slices=tuple(frame._replace(file=file) for frame in _slices(path, values, count)),
    )


def _slices(path: str, attributes: dict[str, Any], count: int) -> tuple[Slice, ...]:
    """Return the `count` frames of a file."""
    if count == 1 and attributes.keys().isdisjoint(MULTI_FRAME_KEYWORDS):
        return (_slice(path, 0, attributes),)
    values = {keyword: attributes[keyword] for keyword in TOP_KEYWORDS if keyword in attributes}
    shared = attributes.get("SharedFunctionalGroupsSequence")
    if shared:
        values |= _group_values(shared[0])
    per_frame = attributes.get("PerFrameFunctionalGroupsSequence") or []
    if per_frame:
        return tuple(
            _slice(path, index, values | (_group_values(per_frame[index]) if index < len(per_frame) else {}))
            for index in range(count)
        )
    if count == 1 and "GridFrameOffsetVector" not in attributes:
        return (_slice(path, 0, values),)
    frame_values = _grid_positions(attributes, values, count) or _detector_positions(attributes, values, count)
    if frame_values:
        return tuple(_slice(path, index, values | more) for index, more in enumerate(frame_values))
    if count > 1:
        # A position at the top level does not hold for all frames.
        values.pop("ImagePositionPatient", None)
    first = _slice(path, 0, values)
    return tuple(first._replace(frame=index) for index in range(count))


def _group_values(item: Attributes) -> dict[str, Any]:
    """Return attributes of an item of the shared or the per-frame functional groups, by keyword."""
    values: dict[str, Any] = {}
    for sequence, items in item.get_many(GROUP_KEYWORDS).items():
        if items:
            attributes = items[0].get_many(GROUP_KEYWORDS[sequence])
            values |= {keyword: value for keyword, value in attributes.items() if value not in (None, "")}
    direction = values.pop("DiffusionGradientDirectionSequence", None)
    if direction:
        values["DiffusionGradientOrientation"] = _get(direction[0], "DiffusionGradientOrientation")
    return values


def _grid_positions(attributes: dict[str, Any], values: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return positions of the frames of a dose grid (PS3.3 C.8.8.3.2).

    Grid Frame Offset Vector holds offsets along the normal, or z coordinates if its first value is the position's z.
    """
    offsets = parse_numbers(attributes.get("GridFrameOffsetVector"), count)
    position = parse_position(values.get("ImagePositionPatient"))
    orientation = parse_orientation(values.get("ImageOrientationPatient"))
    if offsets is None or position is None or orientation is None:
        return []
    start = offsets[0]
    if start and abs(start - position[2]) < _OFFSET_TOLERANCE_MM:
        x, y, _ = position
        return [{"ImagePositionPatient": (x, y, z)} for z in offsets]
    return [{"ImagePositionPatient": along_normal(position, orientation, offset - start)} for offset in offsets]


def _detector_positions(attributes: dict[str, Any], values: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return positions of the frames of a reconstructed nuclear medicine image (PS3.3 C.8.4.8 and C.8.4.15)."""
    detectors = attributes.get("DetectorInformationSequence")
    numbers = parse_numbers(attributes.get("SliceVector"), count)
    step = parse_number(values.get("SpacingBetweenSlices")) or parse_number(values.get("SliceThickness"))
    if not detectors or len(detectors) != 1 or numbers is None or not step:
        return []
    position = parse_position(_get(detectors[0], "ImagePositionPatient"))
    orientation = parse_orientation(_get(detectors[0], "ImageOrientationPatient"))
    if position is None or orientation is None:
        return []
    slots = parse_numbers(attributes.get("TimeSlotVector"), count) or parse_numbers(
        attributes.get("TimeSliceVector"), count
    )
    return [
        {
            "ImagePositionPatient": along_normal(position, orientation, (number - 1) * step),
            "ImageOrientationPatient": orientation,
            **({} if slots is None else {"TemporalPositionIndex": slots[index]}),
        }
        for index, number in enumerate(numbers)
    ]


def _slice(path: str, index: int, values: dict[str, Any]) -> Slice:
    """Return frame `index`, which the attributes `values` describe."""
    get = values.get
    spacing = parse_numbers(get("PixelSpacing"), 2)
    slice_spacing = parse_number(get("SpacingBetweenSlices")) or parse_number(get("SliceThickness"))
    slope, intercept = parse_number(get("RescaleSlope")), parse_number(get("RescaleIntercept"))
    if (scaling := parse_number(get("DoseGridScaling"))) is not None:
        slope, intercept = scaling, 0.0
    has_modality_lut = bool(get("ModalityLUTSequence"))
    center, width = parse_number(get("WindowCenter")), parse_number(get("WindowWidth"))
    image_type = get("FrameType") or get("ImageType") or ()
    return Slice(
        path=path,
        frame=index,
        sop_instance_uid=parse_text(get("SOPInstanceUID")),
        instance_number=parse_integer(get("InstanceNumber")),
        position=parse_position(get("ImagePositionPatient")),
        orientation=parse_orientation(get("ImageOrientationPatient")),
        pixel_spacing=(spacing[0], spacing[1]) if spacing and 0 < min(spacing) <= max(spacing) < MAX_MM else None,
        slice_spacing=abs(slice_spacing) if slice_spacing and abs(slice_spacing) < MAX_MM else None,
        image_type=tuple(map(str, image_type)) if isinstance(image_type, (list, tuple)) else (str(image_type),),
        stack=parse_text(get("StackID")),
        segment=parse_integer(get("ReferencedSegmentNumber")),
        keys=(
            parse_number(get("TemporalPositionIdentifier", get("TemporalPositionIndex"))),
            parse_number(get("EffectiveEchoTime", get("EchoTime"))),
            parse_number(get("EchoNumbers")),
            parse_number(get("DiffusionBValue")),
            parse_number(get("NominalCardiacTriggerDelayTime", get("TriggerTime"))),
            parse_number(get("FrameReferenceTime")),
            parse_seconds("", get("FrameAcquisitionDateTime", get("AcquisitionDateTime")))
            or parse_seconds(get("AcquisitionDate"), get("AcquisitionTime")),
            parse_seconds(get("ContentDate"), get("ContentTime")),
        ),
        gradient=parse_numbers(get("DiffusionGradientOrientation"), 3) or (),
        dimensions=parse_numbers(get("DimensionIndexValues"), None) or (),
        rescale=None if slope is None or intercept is None or has_modality_lut else (slope, intercept),
        window=None
        if center is None or width is None
        else (center, width, parse_text(get("VOILUTFunction", "LINEAR"))),
        has_modality_lut=has_modality_lut,
    )


def _get(attributes: Mapping[str, Any], keyword: str) -> Any:
    """Return the value of an attribute, or None if it is absent or cannot be parsed."""
    try:
        return attributes[keyword]
    except (KeyError, CorruptFrameError):
        return None
