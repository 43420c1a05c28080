"""What sorting needs of each file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date as calendar
from itertools import islice
from typing import Any, NamedTuple

from dicoxide._arguments import thread_count
from dicoxide._image import Image
from dicoxide._sources.attributes import Attributes
from dicoxide._sources.base import Source
from dicoxide._sources.open import open_many, open_source
from dicoxide.bulk.series._discover import (
    HEAD_BYTES,
    File,
    Other,
    Unreadable,
    has_preamble,
    is_dicomdir,
    looks_like_dicom,
)
from dicoxide.bulk.series._geometry import Orientation, Vector, along_normal, is_orientation
from dicoxide.errors import CorruptFrameError

# Files that are open at once: programs may have few.
_BATCH = 64

# In mm: what is said to lie farther away has no place.
_FAR = 1e9
_SAME = 1e-3

_NATIVE = frozenset(f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".1.99", ".2"))


class Axis(NamedTuple):
    """An attribute that tells frames at the same position apart."""

    name: str
    unit: str
    # Whether every position has the same values; of the others only their order is compared.
    is_crossed: bool


# In the order of preference. What the scanner was told to vary comes before clocks, which differ between any two
# images.
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


class Origin(NamedTuple):
    """What was known of a file when its header was read."""

    frame_count: int = 1
    transfer_syntax: str = ""
    # They tell whether it has changed since.
    size: int = 0
    mtime_ns: int = 0


class Slice(NamedTuple):
    """One frame of one file, as its header describes it."""

    path: str
    frame: int
    sop_instance_uid: str
    instance_number: int | None
    position: Vector | None
    orientation: Orientation | None
    # Between rows, between columns, in mm.
    pixel_spacing: tuple[float, float] | None
    # What the header says of the distance to the next slice, or else of the thickness, in mm.
    slice_spacing: float | None
    image_type: tuple[str, ...]
    stack: str
    segment: int | None
    # In the order of `AXES`.
    keys: tuple[float | None, ...]
    gradient: tuple[float, ...]
    dimensions: tuple[float, ...]
    rescale: tuple[float, float] | None
    # Center, width and function of the first VOI window (PS3.3 C.11.2.1.2).
    window: tuple[float, float, str] | None = None
    origin: Origin = Origin()

    @property
    def frame_index(self) -> int | None:
        """Index of the frame; None where it is the file's only one."""
        return self.frame if self.origin.frame_count > 1 else None


class Header(NamedTuple):
    """What sorting needs of one file."""

    path: str
    study_instance_uid: str
    series_instance_uid: str
    series_number: int | None
    modality: str
    description: str
    frame_of_reference_uid: str
    photometric_interpretation: str
    # Of one frame: (rows, columns[, samples]).
    shape: tuple[int, ...]
    dtype: str
    slices: tuple[Slice, ...]


def read_headers(
    found: Iterable[File | Other | Unreadable], threads: int | None
) -> Iterator[Header | Other | Unreadable]:
    """Read the headers of what a finder finds, on several threads, in its order and in bounded memory."""
    count = thread_count(threads)
    rest = iter(found)
    while batch := list(islice(rest, _BATCH)):
        # Not on a thread of its own: waiting for the interpreter lock would take longer than reading.
        opened = iter(open_many([one.path for one in batch if isinstance(one, File)], count))
        for one in batch:
            yield _header_of(one, next(opened)) if isinstance(one, File) else one


def _header_of(file: File, opened: Source | Exception) -> Header | Other | Unreadable:
    """The header, or why the file is left out, or the error."""
    try:
        if isinstance(opened, Exception):
            raise opened
        with closing(opened):
            return _header(file.path, opened, file.size, file.mtime_ns)
    except OSError as error:
        return Unreadable(file.path, error)
    except Exception as error:
        return _other(file, error)


def _other(file: File, error: Exception) -> Other | Unreadable:
    """What a file is that is no image."""
    path, is_named = file.path, file.is_named
    try:
        with open(path, "rb") as opened:
            head = opened.read(HEAD_BYTES)
    except OSError as unreadable:
        return Unreadable(path, unreadable)
    if not looks_like_dicom(head, file.size):
        return Other(path, "not DICOM", is_named, None if head else CorruptFrameError("an empty file"))
    if not isinstance(error, CorruptFrameError):
        return Unreadable(path, error)
    if is_dicomdir(path, head):
        return Other(path, "DICOMDIR", is_named, error)
    if error.kind == "NoImage":
        return Other(path, "no image", is_named, error)
    return Unreadable(path, error) if has_preamble(head) else Other(path, "not DICOM", is_named, error)


def read_header(path: str) -> Header:
    """What sorting needs of the file at `path`."""
    status = os.stat(path)
    with closing(open_source(path)) as opened:
        return _header(path, opened, status.st_size, status.st_mtime_ns)


def _header(path: str, opened: Source, size: int, mtime_ns: int) -> Header:
    values = {key: value for key, value in opened.attributes.get_many(_OF_FILE).items() if value not in (None, "")}
    get = values.get
    spec = opened.spec
    syntax = spec.transfer_syntax
    count = opened.number_of_frames or 1
    if count > 1:
        if syntax not in _NATIVE and count * 8 > size:
            # An item takes eight bytes; nothing else bounds what another decoder will be asked for.
            raise CorruptFrameError(
                f"number of frames {count} found, more than the file has room for (PS3.5 A.4)",
                kind="Mismatch",
                clause="PS3.5 A.4",
                transfer_syntax=syntax,
            )
        count = Image(opened).number_of_frames
    origin = Origin(count, syntax, size, mtime_ns)
    return Header(
        path=path,
        study_instance_uid=_text(get("StudyInstanceUID")),
        series_instance_uid=_text(get("SeriesInstanceUID")),
        series_number=_integer(get("SeriesNumber")),
        modality=_text(get("Modality")),
        description=_text(get("SeriesDescription")),
        frame_of_reference_uid=_text(get("FrameOfReferenceUID")),
        photometric_interpretation=spec.photometric_interpretation,
        shape=spec.shape,
        dtype=spec.dtype.str,
        slices=tuple(one._replace(origin=origin) for one in _slices(path, values, count)),
    )


# What a frame's functional groups may say (PS3.3 C.7.6.16.2), by the names that single-frame objects have for it.
_GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameContentSequence": ("StackID", "TemporalPositionIndex", "DimensionIndexValues", "FrameAcquisitionDateTime"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction"),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRDiffusionSequence": ("DiffusionBValue", "DiffusionGradientDirectionSequence"),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "CTImageFrameTypeSequence": ("FrameType",),
    "SegmentIdentificationSequence": ("ReferencedSegmentNumber",),
}

_TOP = (
    "SOPInstanceUID",
    "InstanceNumber",
    "ImageType",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "TemporalPositionIdentifier",
    "EchoTime",
    "EchoNumbers",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "TriggerTime",
    "FrameReferenceTime",
    "AcquisitionDate",
    "AcquisitionDateTime",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "RescaleSlope",
    "RescaleIntercept",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
)


# Where one of these is, a frame is not simply what the data set says.
_PLACING = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "GridFrameOffsetVector")

# All that is read of a file; sequences are looked into only where they are.
_OF_FILE = (
    *_TOP,
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription"),
    *("FrameOfReferenceUID", *_PLACING),
    *("DetectorInformationSequence", "SliceVector", "TimeSlotVector", "TimeSliceVector"),
)


def _slices(path: str, attributes: dict[str, Any], count: int) -> tuple[Slice, ...]:
    if count == 1 and attributes.keys().isdisjoint(_PLACING):
        return (_slice(path, 0, attributes),)
    values = {keyword: attributes[keyword] for keyword in _TOP if keyword in attributes}
    shared = attributes.get("SharedFunctionalGroupsSequence")
    if shared:
        values |= _group_values(shared[0])
    per_frame = attributes.get("PerFrameFunctionalGroupsSequence") or []
    if per_frame:
        groups = (
            values | (_group_values(per_frame[index]) if index < len(per_frame) else {}) for index in range(count)
        )
        return tuple(_slice(path, index, group) for index, group in enumerate(groups))
    if count == 1 and "GridFrameOffsetVector" not in attributes:
        return (_slice(path, 0, values),)
    placed = _grid_positions(attributes, values, count) or _detector_positions(attributes, values, count)
    if placed:
        return tuple(_slice(path, index, values | more) for index, more in enumerate(placed))
    if count > 1:
        # One position for all frames is that of the first, or of none.
        values.pop("ImagePositionPatient", None)
    first = _slice(path, 0, values)
    return tuple(first._replace(frame=index) for index in range(count))


def _group_values(item: Attributes) -> dict[str, Any]:
    """What the functional groups of one frame, or those that all frames share, say."""
    values: dict[str, Any] = {}
    for sequence, items in item.get_many(_GROUPS).items():
        if items:
            found = items[0].get_many(_GROUPS[sequence])
            values |= {keyword: value for keyword, value in found.items() if value not in (None, "")}
    direction = values.pop("DiffusionGradientDirectionSequence", None)
    if direction:
        values["DiffusionGradientOrientation"] = _get(direction[0], "DiffusionGradientOrientation")
    return values


def _grid_positions(attributes: dict[str, Any], values: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Positions of the frames of a dose grid: offsets along the normal, or z of the patient (PS3.3 C.8.8.3.2)."""
    offsets = _numbers(attributes.get("GridFrameOffsetVector"), count)
    position = _position(values.get("ImagePositionPatient"))
    orientation = _orientation(values.get("ImageOrientationPatient"))
    if offsets is None or position is None or orientation is None:
        return []
    start = offsets[0]
    if start and abs(start - position[2]) < _SAME:
        x, y, _ = position
        return [{"ImagePositionPatient": (x, y, z)} for z in offsets]
    return [{"ImagePositionPatient": along_normal(position, orientation, offset - start)} for offset in offsets]


def _detector_positions(attributes: dict[str, Any], values: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Positions of the frames of reconstructed nuclear medicine (PS3.3 C.8.4.8 and C.8.4.15)."""
    detectors = attributes.get("DetectorInformationSequence")
    numbers = _numbers(attributes.get("SliceVector"), count)
    step = _number(values.get("SpacingBetweenSlices")) or _number(values.get("SliceThickness"))
    if not detectors or len(detectors) != 1 or numbers is None or not step:
        return []
    position = _position(_get(detectors[0], "ImagePositionPatient"))
    orientation = _orientation(_get(detectors[0], "ImageOrientationPatient"))
    if position is None or orientation is None:
        return []
    slots = _numbers(attributes.get("TimeSlotVector"), count) or _numbers(attributes.get("TimeSliceVector"), count)
    return [
        {
            "ImagePositionPatient": along_normal(position, orientation, (number - 1) * step),
            "ImageOrientationPatient": orientation,
            **({} if slots is None else {"TemporalPositionIndex": slots[index]}),
        }
        for index, number in enumerate(numbers)
    ]


def _slice(path: str, index: int, values: dict[str, Any]) -> Slice:
    get = values.get
    spacing = _numbers(get("PixelSpacing"), 2)
    between = _number(get("SpacingBetweenSlices")) or _number(get("SliceThickness"))
    slope, intercept = _number(get("RescaleSlope")), _number(get("RescaleIntercept"))
    center, width = _number(get("WindowCenter")), _number(get("WindowWidth"))
    image_type = get("FrameType") or get("ImageType") or ()
    return Slice(
        path=path,
        frame=index,
        sop_instance_uid=_text(get("SOPInstanceUID")),
        instance_number=_integer(get("InstanceNumber")),
        position=_position(get("ImagePositionPatient")),
        orientation=_orientation(get("ImageOrientationPatient")),
        pixel_spacing=(spacing[0], spacing[1]) if spacing and 0 < min(spacing) <= max(spacing) < _FAR else None,
        slice_spacing=abs(between) if between and abs(between) < _FAR else None,
        image_type=tuple(map(str, image_type)) if isinstance(image_type, (list, tuple)) else (str(image_type),),
        stack=_text(get("StackID")),
        segment=_integer(get("ReferencedSegmentNumber")),
        keys=(
            _number(get("TemporalPositionIdentifier", get("TemporalPositionIndex"))),
            _number(get("EffectiveEchoTime", get("EchoTime"))),
            _number(get("EchoNumbers")),
            _number(get("DiffusionBValue")),
            _number(get("NominalCardiacTriggerDelayTime", get("TriggerTime"))),
            _number(get("FrameReferenceTime")),
            _seconds("", get("FrameAcquisitionDateTime", get("AcquisitionDateTime")))
            or _seconds(get("AcquisitionDate"), get("AcquisitionTime")),
            _seconds(get("ContentDate"), get("ContentTime")),
        ),
        gradient=_numbers(get("DiffusionGradientOrientation"), 3) or (),
        dimensions=_numbers(get("DimensionIndexValues"), None) or (),
        rescale=None if slope is None or intercept is None else (slope, intercept),
        window=None if center is None or width is None else (center, width, _text(get("VOILUTFunction", "LINEAR"))),
    )


def _get(attributes: Mapping[str, Any], keyword: str) -> Any:
    """The value, or None; one that is broken says as little as one that is not there."""
    try:
        return attributes[keyword]
    except (KeyError, CorruptFrameError):
        return None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    """A finite number, the first one of several."""
    if value is None:
        return None
    if type(value) is float and value - value == 0.0:
        return value
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _integer(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _numbers(value: Any, count: int | None) -> Any:
    """A tuple of `count` finite numbers, or None."""
    if not isinstance(value, (list, tuple)):
        value = [value]
    numbers = tuple(map(_number, value))
    return None if None in numbers or (count is not None and len(numbers) != count) else numbers


def _position(value: Any) -> Vector | None:
    position: Vector | None = _numbers(value, 3)
    return position if position is not None and max(map(abs, position)) < _FAR else None


def _orientation(value: Any) -> Orientation | None:
    orientation: Orientation | None = _numbers(value, 6)
    return orientation if orientation is not None and is_orientation(orientation) else None


def _seconds(date: Any, time: Any) -> float | None:
    """Seconds on one scale for dates and times (DA, TM and DT: PS3.5 6.2); of the day, where there is no date."""
    if time is None:
        return None
    text = f"{_text(date)}{_text(time)}".replace(":", "").strip()
    for sign in "+-":
        text = text.partition(sign)[0]
    days, clock = (text[:8], text[8:]) if len(text.partition(".")[0]) > 8 else ("", text)
    try:
        day = calendar(int(days[:4]), int(days[4:6]), int(days[6:])).toordinal() if days else 0
        whole, _, fraction = clock.partition(".")
        if len(whole) not in (2, 4, 6):
            return None
        hours, minutes, seconds = int(whole[:2]), int(whole[2:4] or 0), int(whole[4:6] or 0)
        return day * 86400 + hours * 3600 + minutes * 60 + seconds + (float(f"0.{fraction}") if fraction else 0.0)
    except ValueError:
        return None
