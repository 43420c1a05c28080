"""Where pixel data come from: a path, bytes, a binary file or a pydicom Dataset, all read into one `Source`.

pydicom reads the header; its public interface alone is used.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from dicoxide._frame import FrameSpec
from dicoxide.errors import CorruptFrameError, UnsupportedError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Readable: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Dataset"

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
_EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_PIXEL_TAGS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
_EXTENDED_OFFSET_TABLE = 0x7FE00001
_EXTENDED_OFFSET_TABLE_LENGTHS = 0x7FE00002

# Values above this many bytes stay in the file until they are asked for, so that a mapped view never reads them.
_DEFER_BYTES = 1 << 16


@dataclass(slots=True)
class Source:
    """One object with pixel data: what its frames are, and the element value that holds them."""

    dataset: Dataset
    spec: FrameSpec
    number_of_frames: int | None
    pixel_tag: Any
    value_representation: str | None

    @property
    def value(self) -> bytes:
        """The pixel data element's value; a copy where it could change while it is decoded."""
        value = self.dataset[self.pixel_tag].value
        if type(value) is bytes:
            return value
        if value is None:
            return b""
        if isinstance(value, io.BufferedIOBase):
            position = value.tell()
            try:
                return value.read()
            finally:
                value.seek(position)
        return bytes(value)

    @property
    def value_offset(self) -> int | None:
        """Where the value lies in the file it was read from, if it has been left there."""
        element = self.dataset.get_item(self.pixel_tag, keep_deferred=True)
        left = getattr(element, "value", b"") is None and self.spec.transfer_syntax != DEFLATED
        return getattr(element, "value_tell", None) if left else None

    @property
    def value_bytes(self) -> int:
        """Length of the value."""
        if self.value_offset is None:
            return len(self.value)
        return int(self.dataset.get_item(self.pixel_tag, keep_deferred=True).length)  # type: ignore[union-attr]

    @property
    def word_swapped(self) -> bool:
        """Whether samples of a byte or a bit lie in 16-bit big-endian words (OW: PS3.5 7.3 and 8.1.1)."""
        return (
            self.spec.transfer_syntax == _EXPLICIT_BIG_ENDIAN
            and self.spec.bits_allocated <= 8
            and self.value_representation == "OW"
        )

    @property
    def extended_offsets(self) -> tuple[bytes, bytes] | None:
        """The Extended Offset Table and its Lengths (PS3.3 C.7.6.3.1.8), if both are there."""
        offsets = self.dataset.get(_EXTENDED_OFFSET_TABLE)
        lengths = self.dataset.get(_EXTENDED_OFFSET_TABLE_LENGTHS)
        if offsets is None or lengths is None:
            return None
        return bytes(offsets.value or b""), bytes(lengths.value or b"")

    @property
    def has_modality_lut(self) -> bool:
        """Whether a Modality LUT Sequence stands in place of a rescale."""
        return bool(self.dataset.get("ModalityLUTSequence"))

    def rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]:
        """(slope, intercept) of each frame of `indices`, or one for all; an empty list where there is none.

        Pixel Value Transformation of the frame's functional groups comes first, then that of the shared ones,
        then the data set's own attributes (PS3.3 C.7.6.16.2.9 and C.11.1).
        """
        per_frame = self.dataset.get("PerFrameFunctionalGroupsSequence")
        shared = self.dataset.get("SharedFunctionalGroupsSequence")
        fallback = _transformation(shared[0] if shared else None) or _pair(self.dataset)
        if not per_frame:
            return [] if fallback is None else [fallback]
        pairs = []
        for index in indices:
            group = per_frame[index] if index < len(per_frame) else None
            pairs.append(_transformation(group) or fallback)
        if all(pair is None for pair in pairs):
            return []
        first = pairs[0]
        if first is not None and all(pair == first for pair in pairs):
            return [first]
        return [pair or (1.0, 0.0) for pair in pairs]


def open_source(src: Readable) -> Source:
    """Read the header of `src`.

    Raises
    ------
    CorruptFrameError
        If attributes that decoding needs are missing or no numbers.
    TypeError
        If `src` is nothing that can be read.
    """
    return _describe(_dataset(src))


def _dataset(src: Any) -> Dataset:
    if hasattr(src, "file_meta") or (hasattr(src, "get_item") and hasattr(src, "group_dataset")):
        return src  # type: ignore[no-any-return]

    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        if isinstance(src, (bytes, bytearray, memoryview)):
            return dcmread(io.BytesIO(src), force=True)
        if isinstance(src, (str, os.PathLike)):
            return dcmread(src, force=True, defer_size=_DEFER_BYTES)
        if hasattr(src, "read"):
            return dcmread(src, force=True)
    except (InvalidDicomError, EOFError) as error:
        raise CorruptFrameError(f"not a DICOM file: {error}", clause="PS3.10 7") from error
    raise TypeError(f"src must be a path, bytes, a binary file or a pydicom Dataset, not {type(src).__name__}")


def _describe(dataset: Dataset) -> Source:
    from pydicom.tag import Tag

    tags = [tag for tag in _PIXEL_TAGS if tag in dataset]
    if len(tags) != 1:
        found = " and ".join(_PIXEL_TAGS[tag] for tag in tags) or "none"
        raise CorruptFrameError(
            f"one of Pixel Data, Float Pixel Data and Double Float Pixel Data expected, found {found}",
            kind="Mismatch",
            clause="PS3.3 C.7.6.3",
        )
    keyword = _PIXEL_TAGS[tags[0]]
    uid = _transfer_syntax(dataset)
    pixel_tag = Tag(tags[0])
    read = _Attributes(dataset, uid)
    samples_per_pixel = read.number("SamplesPerPixel", 0x00280002)
    is_float = keyword != "PixelData"
    bits_allocated = read.number("BitsAllocated", 0x00280100)
    bits_stored = None if is_float else read.number("BitsStored", 0x00280101)
    spec = FrameSpec(
        transfer_syntax=uid,
        rows=read.number("Rows", 0x00280010),
        columns=read.number("Columns", 0x00280011),
        samples_per_pixel=samples_per_pixel,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=None if is_float else read.number("HighBit", 0x00280102, optional=True),
        pixel_representation=0 if is_float else read.number("PixelRepresentation", 0x00280103),
        planar_configuration=read.number("PlanarConfiguration", 0x00280006) if samples_per_pixel > 1 else 0,
        photometric_interpretation=read.text("PhotometricInterpretation", 0x00280004),
        pixel_keyword=keyword,
    )
    number_of_frames = read.number("NumberOfFrames", 0x00280008, optional=True)
    element = dataset.get_item(pixel_tag)
    return Source(dataset, spec, number_of_frames, pixel_tag, None if element is None else element.VR)


class _Attributes:
    """Reads attributes that decoding depends on, naming the one that is missing or no number."""

    def __init__(self, dataset: Dataset, transfer_syntax: str) -> None:
        self._dataset = dataset
        self._transfer_syntax = transfer_syntax

    def number(self, keyword: str, tag: int, *, optional: bool = False) -> Any:
        value = self._value(tag)
        if value is None or value == "":
            if optional:
                return None
            raise self._error(f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X}) is missing")
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = -1
        if number < 0:
            raise self._error(f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X}) is {value!r}, a number expected")
        return number

    def text(self, keyword: str, tag: int) -> str:
        value = self._value(tag)
        if not value:
            raise self._error(f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X}) is missing")
        return str(value)

    def _value(self, tag: int) -> Any:
        element = self._dataset.get(tag)
        return None if element is None else element.value

    def _error(self, message: str) -> CorruptFrameError:
        clause = "PS3.3 C.7.6.3"
        return CorruptFrameError(
            f"{message} ({clause})", kind="Mismatch", clause=clause, transfer_syntax=self._transfer_syntax
        )


def _transfer_syntax(dataset: Dataset) -> str:
    """UID of the transfer syntax; where the file meta lack it, that of the encoding that was read."""
    meta = getattr(dataset, "file_meta", None)
    uid = None if meta is None else meta.get("TransferSyntaxUID")
    if uid:
        return str(uid)
    is_implicit, is_little = getattr(dataset, "original_encoding", (None, None))
    element = dataset.get_item("PixelData")
    if getattr(element, "is_undefined_length", False):
        raise UnsupportedError(
            "encapsulated pixel data without a transfer syntax UID (PS3.10 7.1)", kind="Unsupported", clause="PS3.10 7.1"
        )
    if is_little is False:
        return _EXPLICIT_BIG_ENDIAN
    return EXPLICIT if is_implicit is False else IMPLICIT


def _transformation(group: Any) -> tuple[float, float] | None:
    """Rescale of one item of a functional groups sequence."""
    items = None if group is None else group.get("PixelValueTransformationSequence")
    return _pair(items[0]) if items else None


def _pair(dataset: Dataset) -> tuple[float, float] | None:
    """(slope, intercept) where both are there, as pydicom has it."""
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope in (None, "") or intercept in (None, ""):
        return None
    try:
        return float(slope), float(intercept)
    except (TypeError, ValueError):
        raise CorruptFrameError(
            f"Rescale Slope {slope!r} and Rescale Intercept {intercept!r} found, numbers expected (PS3.3 C.11.1)",
            kind="Mismatch",
            clause="PS3.3 C.11.1",
        ) from None
