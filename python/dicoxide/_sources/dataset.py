"""Source for a pydicom Dataset; also for files and bytes if the extension is not available.

Only pydicom's public interface is used.
"""

from __future__ import annotations

import io
import math
import os
import threading
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dicoxide._arguments import owned_bytes
from dicoxide._backend import core
from dicoxide._deviations import Deviation
from dicoxide._frame import IMAGE_PIXEL, FrameSpec
from dicoxide._sources.attributes import Attributes
from dicoxide._sources.base import Source
from dicoxide._sources.dataset_elements import attributes_of
from dicoxide._sources.encapsulation import begins_with_item, check_encapsulation, has_undefined_length
from dicoxide._sources.pydicom_reader import convert_errors, unreadable_error
from dicoxide._transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    NATIVE,
    NATIVE_FRAMES,
)
from dicoxide.errors import CorruptFrameError, UnsupportedError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

    from dicoxide._core import Frames, LookupTable
    from dicoxide._deviations import Deviation


# SOP Class of RT Dose (PS3.4 B.5).
_RT_DOSE_STORAGE = "1.2.840.10008.5.1.4.1.1.481.2"


class DatasetSource(Source):
    """A pydicom Dataset with pixel data."""

    __slots__ = ("_dataset", "_element", "_frame_spec", "_pixel_tag", "_value_representation")

    def __init__(
        self, dataset: Dataset, spec: FrameSpec, number_of_frames: int | None, pixel_tag: BaseTag, element: Any
    ) -> None:
        super().__init__(spec, number_of_frames)
        self._dataset = dataset
        self._pixel_tag = pixel_tag
        self._value_representation: str | None = element.VR
        self._element = element
        self._frame_spec = spec
        if spec.transfer_syntax not in NATIVE:
            self._frame_spec, self.deviations = check_encapsulation(element, spec, number_of_frames)

    @property
    def dataset(self) -> Dataset:
        return self._dataset

    def close(self) -> None:
        # There is no open file: pydicom closes files after reading them.
        pass

    def frames(self, *, find_only: bool = False) -> Frames:
        return core.Frames(
            self._frame_spec,
            self.value,
            self.number_of_frames,
            self._extended_offsets,
            word_swapped=self._word_swapped,
            find_only=find_only,
        )

    @property
    def value(self) -> bytes:
        element = self._element
        if element.is_raw:
            with convert_errors("the pixel data"):
                value = self.dataset[self._pixel_tag].value
        else:
            value = element.value
        if type(value) is bytes:
            return value
        if value is None:
            return b""
        if isinstance(value, io.BufferedIOBase):
            return _read_remaining(value)
        return self._bytes_of(value)

    @property
    def value_offset(self) -> int | None:
        # pydicom drops the offset when it converts the element.
        element = self._element
        is_deflated = self.spec.transfer_syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
        return element.value_tell if element.is_raw and not is_deflated else None

    @property
    def value_bytes(self) -> int:
        element = self._element
        return int(element.length) if element.is_raw and element.value is None else len(self.value)

    @property
    def _word_swapped(self) -> bool:
        """True if samples of 1 or 8 bits are stored in big-endian words of 16 bits (VR OW: PS3.5 7.3 and 8.1.1)."""
        return (
            self.spec.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN
            and self.spec.bits_allocated <= 8
            and self._value_representation == "OW"
        )

    @property
    def _extended_offsets(self) -> tuple[bytes, bytes] | None:
        """Values of Extended Offset Table and its Lengths (PS3.3 C.7.6.3.1.8), if both are present."""
        if self.spec.transfer_syntax in NATIVE:
            return None
        offsets, lengths = _values(self.dataset, _tags().extended).values()
        if offsets is None or lengths is None:
            return None
        return self._bytes_of(offsets), self._bytes_of(lengths)

    @property
    def attributes(self) -> Attributes:
        return attributes_of(self.dataset)

    @property
    def has_modality_lut(self) -> bool:
        with convert_errors("the Modality LUT Sequence", also=(OSError,)):
            return bool(self.dataset.get("ModalityLUTSequence"))

    def modality_lut(self) -> tuple[LookupTable, list[Deviation]] | None:
        from dicoxide._sources.modality_lut import read_modality_lut

        with convert_errors("the Modality LUT Sequence", also=(OSError,)):
            return read_modality_lut(
                self.dataset,
                is_signed=self.spec.pixel_representation == 1,
                is_big_endian=self.spec.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN,
            )

    def rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]:
        with convert_errors("the rescale attributes", also=(OSError,)):
            return self._rescales(indices)

    def _rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]:
        """Implement :meth:`rescales`; a frame without coefficients of its own has those that are common to all."""
        per_frame = self.dataset.get("PerFrameFunctionalGroupsSequence")
        shared = self.dataset.get("SharedFunctionalGroupsSequence")
        common = _group_rescale(shared[0] if shared else None) or _rescale(self.dataset)
        if (scaling := _dose_grid_scaling(self.dataset)) is not None:
            if common not in (None, (1.0, 0.0)):
                raise _dose_error("Dose Grid Scaling and another rescale found, one of them expected")
            common = scaling
        if not per_frame:
            return [] if common is None else [common]
        rescales = []
        for index in indices:
            group = per_frame[index] if index < len(per_frame) else None
            rescales.append(_group_rescale(group) or common)
        if all(rescale is None for rescale in rescales):
            return []
        first = rescales[0]
        if first is not None and all(rescale == first for rescale in rescales):
            return [first]
        return [rescale or (1.0, 0.0) for rescale in rescales]

    def _bytes_of(self, value: Any) -> bytes:
        """Return the bytes of a bytes-like `value`; any other type is an error."""
        try:
            return owned_bytes(value)
        except TypeError:
            problem = f"{self.spec.pixel_keyword} has type {type(value).__name__}, bytes expected"
            raise _attribute_error([problem], self.spec.transfer_syntax) from None


# All threads share the position of a file.
_position_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_position_lock.acquire, after_in_parent=_position_lock.release, after_in_child=_position_lock.release
    )


def _read_remaining(file: io.BufferedIOBase) -> bytes:
    """Read a file from its position to its end, and restore the position."""
    with _position_lock:
        position = file.tell()
        try:
            return file.read()
        finally:
            file.seek(position)


def dataset_source(dataset: Dataset) -> DatasetSource:
    """Read the Image Pixel attributes of `dataset`.

    Raises
    ------
    CorruptFrameError
        If an attribute that decoding needs is missing or not a number.
    UnsupportedError
        If the pixel data are encapsulated and the data set has no transfer syntax, or are on a JPIP server.
    """
    tags = _tags()
    present = [tag for tag in tags.pixels if tag in dataset]
    if not present and "PixelDataProviderURL" in dataset:
        text = "pixel data is on a JPIP server (Pixel Data Provider URL), which is not supported (PS3.5 A.6)"
        raise UnsupportedError(text, kind="Unsupported", clause="PS3.5 A.6")
    if len(present) != 1:
        names = " and ".join(tags.pixels[tag] for tag in present) or "none"
        raise CorruptFrameError(
            f"{names} found, one of Pixel Data, Float Pixel Data and Double Float Pixel Data expected (PS3.3 C.7.6.3)",
            kind="Mismatch" if present else "NoImage",
            clause="PS3.3 C.7.6.3",
        )
    pixel_tag = present[0]
    pixel_keyword = tags.pixels[pixel_tag]
    uid = _transfer_syntax(dataset)
    values = _values(dataset, tags.attributes)
    problems: list[str] = []
    deviations: list[Deviation] = []

    def number(keyword: str, default: int | None = -1) -> Any:
        """Return the value of a US or IS attribute; an absent one without a default is a problem."""
        value = values[keyword]
        if type(value) is int and 0 <= value < 1 << 32:
            return value
        if value is None or value == "":
            if default == -1:
                problems.append(f"{keyword} is missing")
                return 0
            return default
        try:
            integer = int(value)
            is_uint32 = 0 <= integer < 1 << 32 and (isinstance(value, str) or integer == value)
        except (TypeError, ValueError, OverflowError):
            is_uint32 = False
        if not is_uint32:
            problems.append(f"{keyword} is {value!r}, a number expected")
            return 0
        return integer

    if not values["PhotometricInterpretation"]:
        problems.append("PhotometricInterpretation is missing")
    samples_per_pixel = number("SamplesPerPixel")
    is_float = pixel_keyword != "PixelData"
    spec = FrameSpec(
        transfer_syntax=uid,
        rows=number("Rows"),
        columns=number("Columns"),
        samples_per_pixel=samples_per_pixel,
        bits_allocated=number("BitsAllocated"),
        bits_stored=None if is_float else number("BitsStored"),
        high_bit=None if is_float else number("HighBit", None),
        pixel_representation=0 if is_float else number("PixelRepresentation"),
        photometric_interpretation=_text(values["PhotometricInterpretation"]),
        pixel_keyword=pixel_keyword,
    )
    if samples_per_pixel > 1:
        planar_configuration = number("PlanarConfiguration", None)
        if planar_configuration is None and (uid in NATIVE or uid in NATIVE_FRAMES):
            text = "planar configuration is missing, taken as 0"
            deviations.append(Deviation(None, text, "PS3.3 C.7.6.3.1.3", None))
        spec = spec._replace(planar_configuration=planar_configuration or 0)
    number_of_frames = number("NumberOfFrames", None)
    if problems:
        raise _attribute_error(problems, uid)
    element: Any = dataset.get_item(pixel_tag, keep_deferred=True)
    if uid in NATIVE and has_undefined_length(element) and begins_with_item(element.value):
        raise CorruptFrameError(
            "encapsulated pixel data found, native ones expected of the transfer syntax (PS3.5 A.4)",
            kind="Mismatch",
            clause="PS3.5 A.4",
            transfer_syntax=uid,
        )
    source = DatasetSource(dataset, spec, number_of_frames, pixel_tag, element)
    source.deviations[:0] = deviations
    return source


class _Tags(NamedTuple):
    """Tags of the elements to read, made once because pydicom's look-up by tag is faster than by keyword."""

    pixels: dict[BaseTag, str]
    attributes: dict[str, BaseTag]
    transfer_syntax: dict[str, BaseTag]
    extended: dict[str, BaseTag]


@cache
def _tags() -> _Tags:
    from pydicom.tag import Tag

    def by_keyword(*keywords: str) -> dict[str, BaseTag]:
        return {keyword: Tag(keyword) for keyword in keywords}

    return _Tags(
        pixels={Tag(keyword): keyword for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")},
        attributes=by_keyword(*IMAGE_PIXEL),
        transfer_syntax=by_keyword("TransferSyntaxUID"),
        extended=by_keyword("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    )


def _values(dataset: Dataset, tags: dict[str, BaseTag]) -> dict[str, Any]:
    """Return the value of each element by keyword, None if absent; raw elements are converted by the data set."""
    get_item = dataset.get_item
    values: dict[str, Any] = {}
    tag = None
    try:
        for keyword, tag in tags.items():
            element: Any = get_item(tag)
            if element is None:
                values[keyword] = None
            elif element.is_raw:
                values[keyword] = dataset[tag].value
            else:
                values[keyword] = element.value
    except MemoryError:
        raise
    except Exception as error:
        raise unreadable_error(f"element {tag}", error) from error
    return values


def _attribute_error(problems: list[str], transfer_syntax: str) -> CorruptFrameError:
    """Return the error that names all problems of attributes."""
    clause = "PS3.3 C.7.6.3"
    return CorruptFrameError(
        f"{', '.join(problems)} ({clause})", kind="Mismatch", clause=clause, transfer_syntax=transfer_syntax or None
    )


def _transfer_syntax(dataset: Dataset) -> str:
    """Return the UID of the transfer syntax; without file meta information, that of the encoding that was read."""
    meta = getattr(dataset, "file_meta", None)
    uid = None if meta is None else _values(meta, _tags().transfer_syntax)["TransferSyntaxUID"]
    if uid:
        # pydicom strips the padding of UIDs that it reads, not of those that a program sets.
        return _text(uid).rstrip("\0 ")
    is_implicit, is_little = getattr(dataset, "original_encoding", (None, None))
    if has_undefined_length(dataset.get_item("PixelData", keep_deferred=True)):
        raise UnsupportedError(
            "encapsulated pixel data without a transfer syntax UID (PS3.10 7.1)",
            kind="Unsupported",
            clause="PS3.10 7.1",
        )
    if is_little is False:
        return EXPLICIT_VR_BIG_ENDIAN
    return EXPLICIT_VR_LITTLE_ENDIAN if is_implicit is False else IMPLICIT_VR_LITTLE_ENDIAN


def _text(value: Any) -> str:
    """Return `value` as text that UTF-8 can encode, with lone surrogates escaped. Defined terms and UIDs have none."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _group_rescale(group: Any) -> tuple[float, float] | None:
    """Return (slope, intercept) of one item of a functional groups sequence, or None."""
    items = None if group is None else group.get("PixelValueTransformationSequence")
    return _rescale(items[0]) if items else None


def _dose_grid_scaling(dataset: Dataset) -> tuple[float, float] | None:
    """Return (Dose Grid Scaling, 0), or None; an RT Dose object must have it (PS3.3 C.8.8.3)."""
    if "DoseGridScaling" not in dataset:
        if str(dataset.get("SOPClassUID", "")).rstrip("\0 ") == _RT_DOSE_STORAGE:
            raise _dose_error("Dose Grid Scaling is missing")
        return None
    value = dataset.get("DoseGridScaling")
    try:
        scaling = float(value)
    except (TypeError, ValueError):
        scaling = math.nan
    if not math.isfinite(scaling):
        raise _dose_error(f"Dose Grid Scaling {value!r} found, a number expected")
    return scaling, 0.0


def _dose_error(message: str) -> CorruptFrameError:
    clause = "PS3.3 C.8.8.3"
    return CorruptFrameError(f"{message} ({clause})", kind="Mismatch", clause=clause)


def _rescale(dataset: Dataset) -> tuple[float, float] | None:
    """Return (slope, intercept), or None if one is absent or both are empty; a single empty one is an error."""
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    is_absent = "RescaleSlope" not in dataset or "RescaleIntercept" not in dataset
    if is_absent or (slope in (None, "") and intercept in (None, "")):
        return None
    try:
        coefficients = float(slope), float(intercept)
    except (TypeError, ValueError):
        coefficients = math.nan, math.nan
    if not (math.isfinite(coefficients[0]) and math.isfinite(coefficients[1])):
        raise CorruptFrameError(
            f"Rescale Slope {slope!r} and Rescale Intercept {intercept!r} found, numbers expected (PS3.3 C.11.1)",
            kind="Mismatch",
            clause="PS3.3 C.11.1",
        )
    return coefficients
