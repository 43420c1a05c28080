"""Keys of the metadata whose names and units are those of BIDS, as dcm2niix writes them; times are in seconds.

They describe the acquisition of the first slice. Directions ``i``, ``j`` and ``k`` are columns, rows and slices of the
array, that is, the axes of the NIfTI file.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dicoxide.bulk.runs._tasks import ArrayTask
from dicoxide.bulk.series import Acquisition, read_acquisition
from dicoxide.errors import DecodeError

__all__ = ["acquisition_of", "bids_metadata", "repetition_step"]

# Key, keyword, and the factor between their units; None for text.
_KEYS: tuple[tuple[str, str, float | None], ...] = (
    ("Modality", "Modality", None),
    ("MagneticFieldStrength", "MagneticFieldStrength", 1.0),
    ("ImagingFrequency", "ImagingFrequency", 1.0),
    ("ManufacturersModelName", "ManufacturerModelName", None),
    ("InstitutionName", "InstitutionName", None),
    ("StationName", "StationName", None),
    ("DeviceSerialNumber", "DeviceSerialNumber", None),
    ("SoftwareVersions", "SoftwareVersions", None),
    ("BodyPart", "BodyPartExamined", None),
    ("PatientPosition", "PatientPosition", None),
    ("MRAcquisitionType", "MRAcquisitionType", None),
    ("SeriesDescription", "SeriesDescription", None),
    ("ProtocolName", "ProtocolName", None),
    ("ScanningSequence", "ScanningSequence", None),
    ("SequenceVariant", "SequenceVariant", None),
    ("ScanOptions", "ScanOptions", None),
    ("SequenceName", "SequenceName", None),
    ("PulseSequenceName", "PulseSequenceName", None),
    ("SeriesNumber", "SeriesNumber", 1.0),
    ("AcquisitionNumber", "AcquisitionNumber", 1.0),
    ("SliceThickness", "SliceThickness", 1.0),
    ("SpacingBetweenSlices", "SpacingBetweenSlices", 1.0),
    ("NumberOfAverages", "NumberOfAverages", 1.0),
    ("RepetitionTime", "RepetitionTime", 1e-3),
    ("EchoTime", "EchoTime", 1e-3),
    ("InversionTime", "InversionTime", 1e-3),
    ("FlipAngle", "FlipAngle", 1.0),
    ("EchoTrainLength", "EchoTrainLength", 1.0),
    ("PercentPhaseFOV", "PercentPhaseFieldOfView", 1.0),
    ("PercentSampling", "PercentSampling", 1.0),
    ("PhaseEncodingSteps", "NumberOfPhaseEncodingSteps", 1.0),
    ("PixelBandwidth", "PixelBandwidth", 1.0),
    ("SAR", "SAR", 1.0),
    ("XRayTubeCurrent", "XRayTubeCurrent", 1.0),
    ("ConvolutionKernel", "ConvolutionKernel", None),
)
# Digits of numbers, so that a product of units does not add digits: 0.03, not 0.030000000000000002.
_DIGITS = 12
# Relative difference of Repetition Time and the measured period of volumes above which, in 3-D acquisitions, Repetition
# Time is not that of volumes but of excitations.
_PERIOD_TOLERANCE = 0.1
# Axes whose values are times of volumes.
_TIME_AXES = frozenset({"TriggerTime", "FrameReferenceTime", "AcquisitionTime", "ContentTime"})


def acquisition_of(task: ArrayTask) -> Acquisition:
    """Return the parameters of the acquisition; without values if the file cannot be read, which decoding reports."""
    try:
        return read_acquisition(task.plan)
    except (DecodeError, OSError):
        return Acquisition({})


def bids_metadata(task: ArrayTask, acquisition: Acquisition) -> dict[str, Any]:
    """Return the keys that the headers of a task define."""
    values = acquisition.values
    metadata: dict[str, Any] = {}
    for key, keyword, factor in _KEYS:
        found = values.get(keyword)
        value = _text(found) if factor is None else _number(found, factor)
        # An Echo Time of 0 is that of images that are computed from several echoes.
        if value not in (None, "") and (key != "EchoTime" or value):
            metadata[key] = value
    if acquisition.manufacturer:
        metadata["Manufacturer"] = acquisition.manufacturer
    image_type = list(task.plan.first_slice.image_type)
    if any(image_type):
        metadata["ImageType"] = image_type
    if task.plan.axis == "EchoTime":
        metadata["EchoTime"] = [_number(value, 1e-3) for value in task.plan.axis_values]
    elif (number := _number(values.get("EchoNumbers"), 1.0)) is not None and number > 1:
        metadata["EchoNumber"] = number
    step, repetition_time = repetition_step(task, acquisition), acquisition.repetition_time
    if acquisition.is_3d and step and repetition_time and step > repetition_time:
        metadata["RepetitionTime"] = round(step, 6)
        metadata["RepetitionTimeExcitation"] = _number(values.get("RepetitionTime"), 1e-3)
    if acquisition.phase_encoding:
        if acquisition.is_phase_positive is None:
            metadata["PhaseEncodingAxis"] = acquisition.phase_encoding
        else:
            sign = "" if acquisition.is_phase_positive else "-"
            metadata["PhaseEncodingDirection"] = acquisition.phase_encoding + sign
    if acquisition.slice_times:
        metadata["SliceTiming"] = list(acquisition.slice_times)
    return metadata


def repetition_step(task: ArrayTask, acquisition: Acquisition) -> float | None:
    """Return the time between two volumes along the fourth axis in seconds; None if it is unknown.

    This is the step of the axis for times of cardiac phases and frames (Trigger Time, Frame Reference Time), otherwise
    Repetition Time. Volumes of 3-D acquisitions have many excitations: if volumes are measured to be further apart than
    Repetition Time, it is the measured period.
    """
    plan = task.plan
    if plan.axis is None or len(plan.axis_values) < 2:
        return None
    period = None
    if plan.axis in _TIME_AXES:
        unit = 1e-3 if plan.axis_unit == "ms" else 1.0
        period = unit * (plan.axis_values[-1] - plan.axis_values[0]) / (len(plan.axis_values) - 1)
    repetition_time = acquisition.repetition_time
    if repetition_time is None or (period and plan.axis in ("TriggerTime", "FrameReferenceTime")):
        return period or None
    if acquisition.is_3d and period and period > (1 + _PERIOD_TOLERANCE) * repetition_time:
        return period
    return repetition_time


def _number(value: Any, factor: float) -> float | int | None:
    """Return a value in the unit of its key, the first of several; None if it is no finite number."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value if factor == 1.0 else float(np.format_float_positional(value * factor, _DIGITS, fractional=False))


def _text(value: Any) -> str | None:
    """Return text; several values are joined by ``\\``, as DICOM does."""
    if isinstance(value, list):
        value = "\\".join(map(str, value))
    return value if isinstance(value, str) else None
