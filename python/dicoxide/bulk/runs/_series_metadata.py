"""What is told of a series beside its array: attributes that are the same in each of its objects."""

from __future__ import annotations

import math
from typing import Any

from dicoxide._decode import open as open_image
from dicoxide.errors import DecodeError

__all__ = ["series_attributes"]

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


def series_attributes(path: str) -> dict[str, Any]:
    """Those of the file at `path`, as JSON can hold them; none where it cannot be read: decoding says so."""
    try:
        with open_image(path) as image:
            found = image.attributes.get_many(_OF_SERIES)
    except (DecodeError, OSError):
        return {}
    return {keyword: found[keyword] for keyword in _OF_SERIES if _is_plain(found.get(keyword))}


def _is_plain(value: Any) -> bool:
    is_number = not isinstance(value, float) or math.isfinite(value)
    return value not in (None, "") and not isinstance(value, bytes) and is_number
