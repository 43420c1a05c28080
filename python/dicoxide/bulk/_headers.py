"""What sorting needs of each file."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date as calendar
from typing import Any, NamedTuple

from dicoxide._attributes import Attributes
from dicoxide._decode import open as open_image
from dicoxide._request import thread_count
from dicoxide.bulk._folders import Paths, begins_with_element, find_files
from dicoxide.bulk._geometry import Orientation, Vector, along_normal, is_orientation
from dicoxide.errors import CorruptFrameError, DecodeError

# Files that one thread reads at a time: asking for the next ones takes longer than a small header.
_BATCH = 16

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


class Survey(NamedTuple):
    """What lies in the folders: images, what is none and why, and what cannot be read."""

    headers: list[Header]
    skipped: dict[str, list[str]]
    errors: list[tuple[str, Exception]]


def survey(paths: Paths, threads: int | None) -> Survey:
    """Read the headers of all files, on several threads; they come in the order of their paths."""
    found = Survey([], {}, [])
    files = list(find_files(paths, lambda path, error: found.errors.append((path, error))))
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    executor = ThreadPoolExecutor(max(1, min(thread_count(threads), len(batches))), thread_name_prefix="dicoxide")
    try:
        for batch, results in zip(batches, executor.map(_read_batch, batches), strict=True):
            for path, result in zip(batch, results, strict=True):
                if isinstance(result, Header):
                    found.headers.append(result)
                elif isinstance(result, str):
                    found.skipped.setdefault(result, []).append(path)
                else:
                    found.errors.append((path, result))
    finally:
        executor.shutdown(cancel_futures=True)
    return found


def _read_batch(paths: list[str]) -> list[Header | str | Exception]:
    return [_read(path) for path in paths]


def _read(path: str) -> Header | str | Exception:
    """The header, or why the file is left out, or the error."""
    if os.path.basename(path).upper() == "DICOMDIR":
        return "DICOMDIR"
    try:
        with open(path, "rb", buffering=0) as file:
            start = file.read(132)
        has_preamble = start[128:] == b"DICM"
        if not (has_preamble or begins_with_element(start)):
            return "not DICOM"
        return read_header(path)
    except (DecodeError, OSError) as error:
        if isinstance(error, CorruptFrameError):
            if not has_preamble:
                return "not DICOM"
            if error.kind == "NoImage":
                return "no image"
        return error


def read_header(path: str) -> Header:
    """What sorting needs of the file at `path`."""
    with open_image(path) as image:
        attributes = image.attributes
        values = {keyword: value for keyword, value in attributes.some(_OF_FILE).items() if value not in (None, "")}
        get = values.get
        count = _integer(get("NumberOfFrames")) or 1
        if count > 1:
            if image.transfer_syntax not in _NATIVE and count * 8 > os.path.getsize(path):
                # An item takes eight bytes; nothing else bounds what another decoder will be asked for.
                raise CorruptFrameError(
                    f"number of frames {count} found, more than the file has room for (PS3.5 A.4)",
                    kind="Mismatch",
                    clause="PS3.5 A.4",
                    transfer_syntax=image.transfer_syntax,
                )
            count = image.number_of_frames
        rows, columns = _integer(get("Rows")) or 0, _integer(get("Columns")) or 0
        samples = _integer(get("SamplesPerPixel")) or 1
        return Header(
            path=path,
            study_instance_uid=_text(get("StudyInstanceUID")),
            series_instance_uid=_text(get("SeriesInstanceUID")),
            series_number=_integer(get("SeriesNumber")),
            modality=_text(get("Modality")),
            description=_text(get("SeriesDescription")),
            frame_of_reference_uid=_text(get("FrameOfReferenceUID")),
            photometric_interpretation=_text(get("PhotometricInterpretation")),
            shape=(rows, columns) if samples == 1 else (rows, columns, samples),
            dtype=image.dtype.str,
            slices=_slices(path, values, count),
        )


# What a frame's functional groups may say (PS3.3 C.7.6.16.2), by the names that single-frame objects have for it.
_GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameContentSequence": ("StackID", "TemporalPositionIndex", "DimensionIndexValues", "FrameAcquisitionDateTime"),
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
)


# All that is read of a file; sequences are looked into only where they are.
_OF_FILE = (
    *_TOP,
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription"),
    *("FrameOfReferenceUID", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "GridFrameOffsetVector"),
    *("DetectorInformationSequence", "SliceVector", "TimeSlotVector", "TimeSliceVector"),
)


def _slices(path: str, attributes: dict[str, Any], count: int) -> tuple[Slice, ...]:
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
    for sequence, items in item.some(_GROUPS).items():
        if items:
            found = items[0].some(_GROUPS[sequence])
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
