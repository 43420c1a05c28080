"""What grouping, sorting and showing need of one file, read once from its header."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dicoxide._decode import open as open_image
from dicoxide.bulk._failure import Failure, failure_of
from dicoxide.bulk._find import File

__all__ = ["Frame", "Header", "read_header"]

# What is told of a series: all of it is the same in every object of a series, as far as the standard has its way.
_OF_SERIES = (
    "SOPClassUID",
    "StudyDate",
    "StudyTime",
    "SeriesDate",
    "SeriesTime",
    "AccessionNumber",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "StudyDescription",
    "SeriesDescription",
    "PatientID",
    "PatientPosition",
    "BodyPartExamined",
    "ProtocolName",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RepetitionTime",
    "EchoTime",
    "FlipAngle",
    "KVP",
    "Units",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "FrameOfReferenceUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "RescaleType",
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a file: where it lies in space, and how its values are meant.

    Attributes
    ----------
    position : tuple of 3 floats or None
        Image Position (Patient) in mm, LPS (PS3.3 C.7.6.2.1.1).
    orientation : tuple of 6 floats or None
        Image Orientation (Patient): direction of a row, then of a column.
    spacing : tuple of 2 floats or None
        Pixel Spacing in mm: between rows, then between columns.
    rescale : (slope, intercept) or None
        PS3.3 C.11.1.
    window : (center, width, function) or None
        The first VOI window (PS3.3 C.11.2.1.2).
    """

    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    rescale: tuple[float, float] | None
    window: tuple[float, float, str] | None


@dataclass(frozen=True, slots=True)
class Header:
    """One file with an image."""

    file: File
    sop_instance_uid: str | None
    transfer_syntax: str
    instance_number: int | None
    slice_shape: tuple[int, ...]
    dtype: str
    frames: tuple[Frame, ...]
    attributes: dict[str, Any]

    @property
    def is_multi_frame(self) -> bool:
        """Whether there are several frames in the file."""
        return len(self.frames) > 1


def read_header(file: File) -> Header | Failure:
    """Read the header of `file`; what goes wrong is returned."""
    uid = syntax = None
    try:
        with open_image(file.path) as image:
            attributes = image.attributes
            syntax = image.transfer_syntax
            uid = _text(attributes.get("SOPInstanceUID"))
            samples = int(attributes.get("SamplesPerPixel") or 1)
            shape = (int(attributes["Rows"]), int(attributes["Columns"]))
            told = attributes.get("NumberOfFrames") or 1
            # A number that is not one is believed only as far as there are frames.
            count = image.number_of_frames if told != 1 else 1
            return Header(
                file=file,
                sop_instance_uid=uid,
                transfer_syntax=syntax,
                instance_number=_number(attributes.get("InstanceNumber")),
                slice_shape=(*shape, samples) if samples > 1 else shape,
                dtype=image.dtype.str,
                frames=_frames(attributes, count),
                attributes={key: value for key in _OF_SERIES if (value := _plain(attributes, key)) is not None},
            )
    except Exception as error:
        return failure_of(error, file.path, sop_instance_uid=uid, transfer_syntax=syntax)


def _frames(attributes: Mapping[str, Any], count: int) -> tuple[Frame, ...]:
    shared = _first(attributes, "SharedFunctionalGroupsSequence")
    per_frame = attributes.get("PerFrameFunctionalGroupsSequence") or ()
    if count == 1 or not per_frame:
        groups = [shared, per_frame[0] if per_frame else {}, attributes]
        return (_frame(groups),) * count
    own = [per_frame[index] if index < len(per_frame) else {} for index in range(count)]
    return tuple(_frame([group, shared, attributes]) for group in own)


def _frame(groups: list[Mapping[str, Any]]) -> Frame:
    """A frame whose attributes are those of the first group that has them (PS3.3 C.7.6.16.1)."""

    def found(sequence: str, keyword: str) -> Any:
        for group in groups:
            inner = _first(group, sequence)
            if (value := inner.get(keyword)) not in (None, ""):
                return value
        return groups[-1].get(keyword)

    voi, modality = "FrameVOILUTSequence", "PixelValueTransformationSequence"
    slope, intercept = (_one(found(modality, key)) for key in ("RescaleSlope", "RescaleIntercept"))
    center, width = (_one(found(voi, key)) for key in ("WindowCenter", "WindowWidth"))
    function = found(voi, "VOILUTFunction") or "LINEAR"
    return Frame(
        position=_numbers(found("PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_numbers(found("PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        spacing=_numbers(found("PixelMeasuresSequence", "PixelSpacing"), 2),
        rescale=None if slope is None or intercept is None else (slope, intercept),
        window=None if center is None or width is None else (center, width, str(function)),
    )


def _first(group: Mapping[str, Any], sequence: str) -> Mapping[str, Any]:
    items = group.get(sequence)
    return items[0] if items else {}


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, (list, tuple)) or len(value) != count:
        return None
    try:
        numbers = tuple(float(one) for one in value)
    except (TypeError, ValueError):
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _one(value: Any) -> float | None:
    """The first of several numbers: of windows, the first is the default."""
    if isinstance(value, list):
        value = value[0] if value else None
    try:
        number = None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _number(value: Any) -> int | None:
    found = _one(value)
    return None if found is None else int(found)


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _plain(attributes: Mapping[str, Any], keyword: str) -> Any:
    """An attribute as JSON can hold it; None where it is not there, empty or broken: decoding does not need it."""
    try:
        value = attributes.get(keyword)
    except ValueError:
        return None
    is_number = not isinstance(value, float) or math.isfinite(value)
    return None if value in (None, "") or isinstance(value, bytes) or not is_number else value
