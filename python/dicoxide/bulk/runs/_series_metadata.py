"""Metadata of an output array: geometry, source of each slice, and attributes of the series.

Zarr attributes and the JSON files of the other formats hold the same keys; docs/bulk.md describes them.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from itertools import groupby
from typing import Any

from dicoxide._decode import open as open_image
from dicoxide.bulk.runs._options import RunOptions
from dicoxide.bulk.runs._tasks import ArrayTask, valid_text
from dicoxide.errors import DecodeError

__all__ = ["axis_names", "series_attributes", "series_metadata"]

# Attributes that are the same in all objects of a series.
_SERIES_KEYWORDS = (
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


# Kind of the values of an array, by the rescale that is applied.
_VALUES = {False: "stored", True: "modality", "real_world": "real-world"}


def series_attributes(path: str) -> dict[str, Any]:
    """Return the series' attributes in the file at `path`, as JSON values; empty if the file cannot be read.

    An unreadable file is not an error here, because decoding reports it.
    """
    try:
        with open_image(path) as image:
            values = image.attributes.get_many(_SERIES_KEYWORDS)
    except (DecodeError, OSError):
        return {}
    return {keyword: values[keyword] for keyword in _SERIES_KEYWORDS if _is_json_value(values.get(keyword))}


def _is_json_value(value: Any) -> bool:
    is_finite = not isinstance(value, float) or math.isfinite(value)
    return value not in (None, "") and not isinstance(value, bytes) and is_finite


def series_metadata(
    task: ArrayTask, options: RunOptions, attributes: dict[str, Any], failures: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the metadata of the array of `task`, as JSON values.

    Lists have one entry per slice, in the order of the array, the fourth axis slowest. The transfer syntax is a list
    only if slices differ in it.
    """
    slices, plan = task.slices, task.plan
    syntaxes = [frame.file.transfer_syntax for frame in slices]
    orientation = slices[0].orientation
    return {
        "axes": axis_names(task),
        "axis": plan.axis,
        "axis_values": list(plan.axis_values),
        "axis_unit": plan.axis_unit,
        "part": [list(pair) for pair in plan.part],
        "b_values": None if plan.b_values is None else plan.b_values.tolist(),
        "gradients": None if plan.gradients is None else plan.gradients.tolist(),
        "affine_lps": task.affine_lps,
        "spacing": task.spacing,
        "orientation": None if orientation is None else list(orientation),
        "values": "rendered" if options.rendering is not None else _VALUES[options.applied_rescale(task)],
        **_rendering(task, options),
        "units": _units(task, options),
        "RescaleSlope": [None if frame.rescale is None else frame.rescale[0] for frame in slices],
        "RescaleIntercept": [None if frame.rescale is None else frame.rescale[1] for frame in slices],
        "attributes": attributes,
        "transfer_syntax": syntaxes[0] if len(set(syntaxes)) == 1 else syntaxes,
        "sop_instance_uids": [frame.sop_instance_uid or None for frame in slices],
        "positions": [frame.position for frame in slices],
        "frame_indices": [frame.frame_index for frame in slices],
        "sources": [None if frame.is_omitted else valid_text(frame.path) for frame in slices],
        "findings": task.findings,
        "missing": failures,
    }


def _rendering(task: ArrayTask, options: RunOptions) -> dict[str, Any]:
    """Return how slices were rendered, and the first window of each slice in the headers; empty if they were not."""
    if options.rendering is None:
        return {}
    windows = [None if frame.window is None else list(frame.window) for frame in task.slices]
    return {"rendering": asdict(options.rendering), "windows": windows}


def _units(task: ArrayTask, options: RunOptions) -> str | None:
    """Return the units of real-world values; None for other values.

    Raises
    ------
    ValueError
        If slices have different units.
    """
    if options.applied_rescale(task) != "real_world":
        return None
    units: dict[str, None] = {}
    for path, slices in groupby(task.slices, key=lambda frame: frame.path):
        if not path:
            continue
        with open_image(path) as image:
            for frame in slices:
                units[image.real_world_units(frame.frame_index or 0, options.quantity)] = None
    if len(units) > 1:
        found = ", ".join(map(repr, units))
        raise ValueError(f"real-world values of the slices have different units: {found} (PS3.3 C.7.6.16.2.11)")
    return next(iter(units), None)


def axis_names(task: ArrayTask) -> list[str]:
    """Return the names of the array's axes."""
    names = ["slice", "row", "column", "sample"][: 1 + len(task.slice_shape)]
    return names if task.plan.axis is None else ["repetition", *names]
