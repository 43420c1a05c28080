"""Parameters of the acquisition of a volume: attributes of the first slice, phase encoding, times of the slices.

Polarity of the phase encoding and times of slices are private elements of each vendor:

    Siemens   PhaseEncodingDirectionPositive in (0029,xx10) or (0021,xx1C); (0019,xx29), (0021,xx04), Acquisition Time
    GE        Rectilinear Phase Encode Reordering or (0043,xx2A); order and delay of slices in (0025,xx1B)
    UIH       (0065,xx58); Acquisition Time of each slice
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, NamedTuple

from dicoxide._decode import open as open_image
from dicoxide._sources import Attributes
from dicoxide.bulk.series._attribute_values import parse_integer, parse_number, parse_text
from dicoxide.bulk.series._csa import parse_csa
from dicoxide.bulk.series._frame_headers import AXES, Slice
from dicoxide.bulk.series._plan import VolumePlan
from dicoxide.errors import DecodeError

__all__ = ["Acquisition", "read_acquisition"]

# Attributes read from the top level.
_TOP_KEYWORDS = (
    *("Modality", "Manufacturer", "ManufacturerModelName", "InstitutionName", "StationName", "DeviceSerialNumber"),
    *("SoftwareVersions", "BodyPartExamined", "PatientPosition", "SeriesDescription", "ProtocolName", "SeriesNumber"),
    *("ScanningSequence", "SequenceVariant", "ScanOptions", "SequenceName", "PulseSequenceName", "MRAcquisitionType"),
    *("ImageType", "AcquisitionNumber", "SliceThickness", "SpacingBetweenSlices", "NumberOfAverages", "EchoNumbers"),
    *("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "EchoTrainLength", "MagneticFieldStrength"),
    *("ImagingFrequency", "PercentPhaseFieldOfView", "PercentSampling", "NumberOfPhaseEncodingSteps"),
    *("PixelBandwidth", "SAR", "InPlanePhaseEncodingDirection", "RectilinearPhaseEncodeReordering"),
    *("XRayTubeCurrent", "ConvolutionKernel"),
)
# Attributes read from functional groups.
_GROUP_KEYWORDS = {
    "MRTimingAndRelatedParametersSequence": ("RepetitionTime", "FlipAngle", "EchoTrainLength"),
    "MRModifierSequence": ("InversionTimes",),
    "MRImagingModifierSequence": ("PixelBandwidth", "TransmitterFrequency"),
    "MRAveragesSequence": ("NumberOfAverages",),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRFOVGeometrySequence": ("InPlanePhaseEncodingDirection", "PercentSampling", "PercentPhaseFieldOfView"),
    "PixelMeasuresSequence": ("SliceThickness", "SpacingBetweenSlices"),
    "MRImageFrameTypeSequence": ("FrameType",),
}
# Keyword in functional groups: keyword of the same value in images with one frame.
_SYNONYMS = {
    "EffectiveEchoTime": "EchoTime",
    "InversionTimes": "InversionTime",
    "TransmitterFrequency": "ImagingFrequency",
}
_ACQUISITION_TIME = [axis.name for axis in AXES].index("AcquisitionTime")
_DAY_S = 86400.0
# Larger differences between the durations of two volumes are errors of one of them.
_TIME_TOLERANCE_S = 1e-3
# Siemens writes times of frames into this item of the functional groups.
_SIEMENS_FRAME = ("SIEMENS MR SDI 02", 0x002100FE)
# Longest plausible pause between volumes.
_MAX_DELAY_S = 3600
# GE's user data: offset of the record's start, its least size, plausible versions, first version of the later layout.
_GE_RECORD_START = 24
_GE_RECORD_BYTES = 0x42C
_GE_VERSIONS = (5.0, 40.0)
_GE_LATER_VERSION = 25.002
# GE's protocol has about 10 kB of text.
_MAX_PROTOCOL_BYTES = 1 << 20


class Acquisition(NamedTuple):
    """Parameters of the acquisition of a volume.

    Attributes
    ----------
    values : dict
        Attributes of the first slice by keyword, of the top level or the functional groups.
    manufacturer : str
        Short name: ``"Siemens"``, ``"GE"``, ``"Philips"``, ``"UIH"``, … or else the attribute.
    is_3d : bool
        True if all slices are excited together.
    phase_encoding : str
        Axis of phase encoding, ``"i"`` (along rows, so that the column index grows) or ``"j"``; ``""`` if unknown.
    is_phase_positive : bool or None
        True if the index grows in the direction of phase encoding; None if unknown.
    slice_times : tuple of float
        Time of each slice in seconds after the first one, in the order of the array; empty if unknown.
    """

    values: dict[str, Any]
    manufacturer: str = ""
    is_3d: bool = False
    phase_encoding: str = ""
    is_phase_positive: bool | None = None
    slice_times: tuple[float, ...] = ()

    @property
    def repetition_time(self) -> float | None:
        """Repetition Time in seconds; None if it is unknown or 0."""
        milliseconds = parse_number(self.values.get("RepetitionTime"))
        return milliseconds / 1000 if milliseconds and milliseconds > 0 else None


# Short names of manufacturers, by the first letters of Manufacturer in upper case.
_MANUFACTURERS = {
    "SIEMENS": "Siemens",
    "GE ": "GE",
    "PHILIPS": "Philips",
    "TOSHIBA": "Toshiba",
    "CANON": "Canon",
    "UIH": "UIH",
    "HITACHI": "Hitachi",
    "MEDISO": "Mediso",
    "BRUKER": "Bruker",
}


def read_acquisition(plan: VolumePlan) -> Acquisition:
    """Read the parameters of the acquisition from the file of the first slice, and of others for slice times.

    Raises
    ------
    DecodeError, OSError
        If the file cannot be read.
    """
    first = plan.first_slice
    with open_image(first.path) as image:
        attributes = image.attributes
        values = {key: value for key, value in attributes.get_many(_TOP_KEYWORDS).items() if value not in (None, "")}
        frame_items = _functional_groups(attributes, first.frame)
        for item in frame_items:
            values |= _group_values(item)
        text = parse_text(values.get("Manufacturer")).strip()
        names = (name for prefix, name in _MANUFACTURERS.items() if text.upper().startswith(prefix))
        found = Acquisition(
            values,
            manufacturer=next(names, text),
            is_3d=values.get("MRAcquisitionType") == "3D",
            phase_encoding={"COL": "j", "COLUMN": "j", "ROW": "i"}.get(
                parse_text(values.get("InPlanePhaseEncodingDirection")), ""
            ),
        )
        if values.get("Modality") != "MR":
            return found
        if found.manufacturer == "GE" and (delay := _ge_group_delay(attributes)) and found.repetition_time:
            # Repetition Time of GE's echo-planar series does not include the pause between volumes.
            values["RepetitionTime"] = 1000 * (found.repetition_time + delay)
        found = found._replace(is_phase_positive=_is_phase_positive(found, attributes, frame_items))
        return found if found.is_3d else found._replace(slice_times=_slice_times(plan, found, attributes))


def _functional_groups(attributes: Attributes, frame: int) -> list[Attributes]:
    """Return the items of the shared functional groups and of those of a frame."""
    sequences = attributes.get_many(("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"))
    shared = sequences.get("SharedFunctionalGroupsSequence") or []
    per_frame = sequences.get("PerFrameFunctionalGroupsSequence") or []
    return [*shared[:1], *per_frame[frame : frame + 1]]


def _group_values(item: Attributes) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for sequence, items in item.get_many(_GROUP_KEYWORDS).items():
        if items:
            found = items[0].get_many(_GROUP_KEYWORDS[sequence])
            values |= {_SYNONYMS.get(key, key): value for key, value in found.items() if value not in (None, "")}
    return values


def _is_phase_positive(found: Acquisition, attributes: Attributes, frame_items: Sequence[Attributes]) -> bool | None:
    """Return whether the index grows in the direction of phase encoding; None if unknown."""
    if found.manufacturer == "Siemens":
        header = attributes.private("SIEMENS CSA HEADER", 0x00290010, "OB")
        csa = parse_csa(header, ("PhaseEncodingDirectionPositive",))
        stored = csa.get("PhaseEncodingDirectionPositive") or _siemens_frame_value(
            [attributes, *frame_items], 0x0021001C, "IS"
        )
        return _as_bool(parse_integer(stored))
    if found.manufacturer == "UIH":
        stored = parse_integer(attributes.private("Image Private Header", 0x00650058, "IS"))
        return None if stored not in (0, 1) else stored == 0
    if found.manufacturer == "GE":
        order = parse_text(found.values.get("RectilinearPhaseEncodeReordering"))
        if order in ("LINEAR", "REVERSE_LINEAR"):
            return order == "REVERSE_LINEAR"
        return _ge_phase_polarity(attributes.private("GEMS_PARM_01", 0x0043002A, "OB"))
    return None


def _as_bool(number: int | None) -> bool | None:
    return None if number not in (0, 1) else number == 1


def _siemens_frame_value(items: Sequence[Attributes], tag: int, vr: str) -> Any:
    """Return a private element of XA software, in the data set or in an item of the functional groups."""
    creator, sequence = _SIEMENS_FRAME
    for item in items:
        for holder in (item, *(item.private(creator, sequence, "SQ") or [])[:1]):
            if (value := holder.private(creator, tag, vr)) is not None:
                return value
    return None


def _ge_phase_polarity(data: Any) -> bool | None:
    """Return the polarity of echo-planar images in GE's user data, (0043,xx2A); None if it is unknown.

    The layout is taken from public software; it is little endian, with offsets from the start of the record:

        24 of the element   u16   start of the record
        0x000               f32   version of the record
        0x030               i16   flags; bit 2: polarity is reversed
        0x03A               i16   flags; bit 11: echo-planar image
        0x394               i16   order in k-space; 2: bottom-up, which reverses the polarity again

    Records of later versions have 0x4C more bytes before the flags, and 0x8C fewer between the flags and the order.
    """
    if not isinstance(data, bytes) or len(data) < _GE_RECORD_START + 2:
        return None
    start = struct.unpack_from("<H", data, _GE_RECORD_START)[0]
    if len(data) < start + _GE_RECORD_BYTES:
        return None
    version = struct.unpack_from("<f", data, start)[0]
    if not _GE_VERSIONS[0] <= version <= _GE_VERSIONS[1]:
        return None
    before_flags, before_order = (0x4C, 0x4C - 0x8C) if version >= _GE_LATER_VERSION else (0, 0)
    polarity, image_kind, order = (
        struct.unpack_from("<h", data, start + offset)[0]
        for offset in (0x30 + before_flags, 0x3A + before_flags, 0x394 + before_order)
    )
    if not image_kind & 0x800:
        return None
    is_reversed = bool(polarity & 4) != (order == 2)
    return not is_reversed


def _slice_times(plan: VolumePlan, found: Acquisition, attributes: Attributes) -> tuple[float, ...]:
    """Return the time of each slice of a volume in seconds after the earliest, if the headers have plausible times."""
    depth = plan.depth
    first, second = plan.slices[:depth], plan.slices[depth : 2 * depth]
    if depth < 2:
        return ()
    if first[0].time is not None:
        # Some Siemens sequences write wrong times into the first mosaic.
        times = _from_earliest([frame.time for frame in first], found)
        other = _from_earliest([frame.time for frame in second], found)
        return other if other and (not times or abs(max(other) - max(times)) > _TIME_TOLERANCE_S) else times
    if found.manufacturer == "Siemens":
        # Time After Start of the first volume is wrong in some series. Decoding reports files that cannot be read.
        after_start: tuple[float, ...] = ()
        with suppress(DecodeError, OSError):
            after_start = _from_earliest(_siemens_times(second or first), found)
        return after_start or _from_earliest([frame.keys[_ACQUISITION_TIME] for frame in first], found)
    if found.manufacturer == "UIH" and second:
        return _from_earliest([frame.keys[_ACQUISITION_TIME] for frame in first], found)
    if found.manufacturer == "GE" and second:
        return _from_earliest(_ge_times(first, found, attributes), found)
    return ()


def _from_earliest(times: Sequence[float | None], found: Acquisition) -> tuple[float, ...]:
    """Return times relative to the earliest; empty if some are unknown, all equal, or further apart than volumes."""
    known = [time for time in times if time is not None]
    if not known or len(known) < len(times):
        return ()
    if max(known) - min(known) > _DAY_S / 2:
        # Times of the day around midnight.
        known = [time - _DAY_S if time > _DAY_S / 2 else time for time in known]
    start, end = min(known), max(known)
    limit = found.repetition_time
    if start == end or (limit is not None and end - start > limit):
        return ()
    return tuple(round(time - start, 6) for time in known)


def _siemens_times(slices: Sequence[Slice]) -> list[float | None]:
    """Return Time After Start, in seconds, of frames of enhanced images and of images of XA software."""
    times: list[float | None] = []
    for path, group in groupby(slices, key=lambda frame: frame.path):
        with open_image(path) as image:
            sequences = image.attributes.get_many(("PerFrameFunctionalGroupsSequence",))
            per_frame = sequences.get("PerFrameFunctionalGroupsSequence") or []
            for frame in group:
                items = per_frame[frame.frame : frame.frame + 1] or [image.attributes]
                times.append(parse_number(_siemens_frame_value(items, 0x00210004, "DS")))
        if times[-1] is None:
            # Other software does not write it; the remaining files need not be read.
            return [None]
    return times


def _ge_times(slices: Sequence[Slice], found: Acquisition, attributes: Attributes) -> tuple[float, ...]:
    """Return times of echo-planar images by the order of slices in GE's protocol; without simultaneous slices."""
    protocol = _ge_protocol(attributes.private("GEMS_SERS_01", 0x0025001B, "OB"))
    period = found.repetition_time
    if not protocol or period is None or (parse_integer(protocol.get("MBACCEL")) or 1) > 1:
        return ()
    options = protocol.get("IOPT", "")
    if "FMRI" in options:
        delay = _ge_group_delay(attributes)
        is_interleaved = protocol.get("SLICEORDER") != "0"
    elif "MPh" in options and "MPhVar" not in options and not parse_number(protocol.get("DELACQNOAV")):
        delay, is_interleaved = 0.0, True
    else:
        return ()
    count = len(slices)
    step = (period - delay) / count
    odd_start = (count - 1) // 2
    order = [(n + 1) // 2 + odd_start if n % 2 else n // 2 for n in range(count)] if is_interleaved else range(count)
    times = tuple(position * step for position in order)
    first, last = slices[0].instance_number, slices[-1].instance_number
    if first is None or last is None:
        return ()
    return times if first < last else times[::-1]


def _ge_group_delay(attributes: Attributes) -> float:
    """Return the pause of GE's echo-planar series after the slices of each volume, in seconds."""
    delay = parse_number(attributes.private("GEMS_PARM_01", 0x0043007C, "FL")) or 0.0
    # The element has the precision of float32.
    return round(delay, 6) if 0 < delay < _MAX_DELAY_S else 0.0


def _ge_protocol(data: Any) -> Mapping[str, str]:
    """Return the values of GE's protocol: a 32-bit length, then compressed lines ``set NAME "value"``."""
    if not isinstance(data, bytes) or (start := data.find(b"\x1f\x8b")) not in range(64):
        return {}
    text = b""
    with suppress(zlib.error):
        text = zlib.decompressobj(wbits=31).decompress(data[start:], _MAX_PROTOCOL_BYTES)
    return dict(re.findall(r'^(?:set )?(\w+) "([^"\n]*)"', text.decode("latin_1"), re.MULTILINE))
