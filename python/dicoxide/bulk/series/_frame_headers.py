"""Describes each frame of a file, and each slice of a mosaic, by its position and the attributes that order frames."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from dicoxide._sources import Attributes
from dicoxide.bulk.series._attribute_values import (
    is_spacing,
    parse_integer,
    parse_number,
    parse_numbers,
    parse_orientation,
    parse_position,
    parse_seconds,
    parse_text,
)
from dicoxide.bulk.series._diffusion import read_diffusion, unit_vector
from dicoxide.bulk.series._geometry import Orientation, Vector, along_normal
from dicoxide.bulk.series._keywords import GROUP_KEYWORDS, MULTI_FRAME_KEYWORDS, TOP_KEYWORDS
from dicoxide.bulk.series._mosaic import MosaicError, Tile, read_mosaic
from dicoxide.errors import CorruptFrameError

__all__ = [
    "AXES",
    "Axis",
    "Slice",
    "SourceFile",
    "describe_frames",
    "describe_mr_image",
    "is_segmentation",
    "unfold_mosaics",
]

# Grid frame offsets that differ from a coordinate by less, in mm, are equal to it.
_OFFSET_TOLERANCE_MM = 1e-3

# Values of Image Type of Siemens mosaics and of UIH grids.
_MOSAIC_TYPES = frozenset({"MOSAIC", "VFRAME"})
# Maximum number of slices of all mosaics of a file: a slice may be a single pixel, and its description takes 500 bytes.
_MAX_SLICES = 1 << 16


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
    # Last: a repetition that has a number usually has a time, too.
    Axis("AcquisitionNumber", "", True),
)

_SEGMENTATION_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})


class SourceFile(NamedTuple):
    """Properties of a file when its header was read.

    Attributes
    ----------
    size, mtime_ns : int
        Size in bytes and modification time, which detect later changes.
    mosaic_problem : str
        Why the frames, which are mosaics, could not be divided into slices; empty otherwise.
    is_segmentation : bool
        True for segmentations and label maps, which may omit empty frames (PS3.3 C.8.20.2).
    """

    frame_count: int = 1
    transfer_syntax: str = ""
    size: int = 0
    mtime_ns: int = 0
    mosaic_problem: str = ""
    is_segmentation: bool = False


class Slice(NamedTuple):
    """One frame of one file, or one slice of a mosaic, as the header describes it; or an empty frame in no file.

    Attributes
    ----------
    path : str
        The file; empty for an empty frame that a segmentation omits.
    frame : int
        Zero-based index of the frame; -1 for an omitted frame.
    position, orientation : tuple of float or None
        Image Position (Patient) in mm, and Image Orientation (Patient).
    pixel_spacing : (float, float) or None
        Distance between rows and between columns, in mm.
    slice_spacing : float or None
        Spacing Between Slices, or else Slice Thickness, in mm.
    keys : tuple of (float or None)
        Values of the attributes of `AXES`, in that order; times in seconds.
    gradient : tuple of float
        Diffusion gradient direction, a unit vector in LPS; empty without one.
    rescale : (float, float) or None
        Rescale Slope and Rescale Intercept; Dose Grid Scaling and 0 for RT Dose. None if there is a Modality LUT.
    window : (float, float, str) or None
        Center, width and VOI LUT Function of the first window (PS3.3 C.11.2.1.2).
    file : SourceFile
        Properties of the file.
    has_modality_lut : bool
        True if a Modality LUT Sequence replaces the rescale (PS3.3 C.11.1).
    tile : Tile or None
        Location of the slice in the frame, if the frame is a mosaic.
    time : float or None
        Time of the slice in seconds, relative to the other slices of its mosaic.
    asl_context : str
        ASL Context: ``"CONTROL"``, ``"LABEL"`` or ``"M_ZERO_SCAN"``.
    labels : tuple of (str, value)
        Keywords and values of the attributes by which the caller divides volumes.
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
    tile: Tile | None = None
    time: float | None = None
    asl_context: str = ""
    labels: tuple[tuple[str, Hashable], ...] = ()

    @property
    def is_omitted(self) -> bool:
        """True for an empty frame that a segmentation omits: its samples are 0."""
        return not self.path

    @property
    def frame_index(self) -> int | None:
        """Zero-based index of the frame; None for the only frame of a file, and for an omitted frame."""
        return self.frame if self.file.frame_count > 1 and not self.is_omitted else None


def is_segmentation(attributes: Mapping[str, Any]) -> bool:
    """True for the attributes of a segmentation or a label map."""
    return parse_text(attributes.get("SOPClassUID")) in _SEGMENTATION_CLASSES


def describe_frames(path: str, attributes: dict[str, Any], count: int) -> tuple[Slice, ...]:
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


def describe_mr_image(path: str, values: dict[str, Any], attributes: Attributes) -> Slice:
    """Return the frame of an MR image with one frame, which may have diffusion attributes of its vendor."""
    diffusion = read_diffusion(attributes, values)
    values["DiffusionBValue"] = diffusion.b_value
    values["DiffusionGradientOrientation"] = diffusion.gradient
    return _slice(path, 0, values)


def unfold_mosaics(
    frames: tuple[Slice, ...], attributes: Attributes, frame_shape: tuple[int, ...]
) -> tuple[tuple[Slice, ...], tuple[int, ...], str]:
    """Replace frames that are mosaics by their slices.

    Returns the slices, the shape of each, and why mosaics could not be divided, in which case they are returned whole.
    """
    image_type = frames[0].image_type
    if not _MOSAIC_TYPES.intersection(image_type):
        return frames, frame_shape, ""
    slices = []
    try:
        mosaic = read_mosaic(attributes, image_type, (frame_shape[0], frame_shape[1]))
        if len(frames) * len(mosaic.tiles) > _MAX_SLICES:
            raise MosaicError(f"{len(frames)} frames have {len(mosaic.tiles)} slices each, which is not plausible")
        for frame in frames:
            positions = mosaic.positions(frame.position, frame.orientation, frame.pixel_spacing, frame.slice_spacing)
            for index, (tile, position) in enumerate(zip(mosaic.tiles, positions, strict=True)):
                time = mosaic.times[index] if mosaic.times else None
                slices.append(frame._replace(position=position, tile=tile, time=time))
    except MosaicError as error:
        return frames, frame_shape, str(error)
    return tuple(slices), (mosaic.rows, mosaic.columns, *frame_shape[2:]), ""


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
        pixel_spacing=(spacing[0], spacing[1]) if spacing and all(map(is_spacing, spacing)) else None,
        slice_spacing=abs(slice_spacing) if slice_spacing and is_spacing(abs(slice_spacing)) else None,
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
            parse_number(get("FrameAcquisitionNumber", get("AcquisitionNumber"))),
        ),
        gradient=unit_vector(get("DiffusionGradientOrientation")),
        dimensions=parse_numbers(get("DimensionIndexValues"), None) or (),
        rescale=None if slope is None or intercept is None or has_modality_lut else (slope, intercept),
        window=None
        if center is None or width is None
        else (center, width, parse_text(get("VOILUTFunction", "LINEAR"))),
        has_modality_lut=has_modality_lut,
        asl_context=parse_text(get("ASLContext")),
    )


def _get(attributes: Mapping[str, Any], keyword: str) -> Any:
    """Return the value of an attribute, or None if it is absent or cannot be parsed."""
    try:
        return attributes[keyword]
    except (KeyError, CorruptFrameError):
        return None
