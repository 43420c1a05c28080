"""Source for files and bytes, which the extension reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._sources.attributes import Attributes, wrong_vr_error
from dicoxide._sources.base import Source
from dicoxide._sources.file_object import SeekableFile
from dicoxide._sources.value_file import ValueFile
from dicoxide._sources.values import is_text, value_of
from dicoxide.errors import CorruptFrameError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicoxide._core import Elements, Frames, LookupTable, Object
    from dicoxide._deviations import Deviation
    from dicoxide._sources.base import Transform

_SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_LUT_DESCRIPTOR = 0x00283002


class FileSource(Source):
    """An opened file, given as a path, bytes, or a file object that is read by position."""

    __slots__ = ("_dataset", "_modality_lut", "_object", "_src")

    def __init__(
        self,
        src: str | os.PathLike[str] | bytes | SeekableFile,
        max_bytes: int | None = None,
        *,
        opened: Object | None = None,
    ) -> None:
        self._src = src
        self._dataset: Dataset | None = None
        # Empty until it is read: a tuple of one.
        self._modality_lut: tuple[tuple[LookupTable, list[Deviation]] | None, ...] = ()
        self._object: Object | None = opened or core.Object(src, max_bytes)
        spec, number_of_frames = self._object.spec()
        super().__init__(FrameSpec(*spec), number_of_frames)

    @property
    def _opened(self) -> Object:
        if self._object is None:
            raise ValueError("the image is closed")
        return self._object

    def frames(self, *, find_only: bool = False) -> Frames:
        return self._opened.frames(find_only=find_only)

    @property
    def value(self) -> bytes:
        return self._opened.value()

    @property
    def value_offset(self) -> int | None:
        offset, _, is_in_source = self._opened.value_range()
        return offset if is_in_source else None

    @property
    def value_bytes(self) -> int:
        return self._opened.value_range()[1]

    def open_value(self) -> ValueFile:
        offset, size, is_in_source = self._opened.value_range()
        return ValueFile(self._src, offset, size) if is_in_source else super().open_value()

    @property
    def attributes(self) -> Attributes:
        return attributes_of(self._opened.elements())

    @property
    def has_modality_lut(self) -> bool:
        return self._opened.has_modality_lut()

    def modality_lut(self) -> tuple[LookupTable, list[Deviation]] | None:
        # Read once, because frames may be decoded one by one.
        if not self._modality_lut:
            self._modality_lut = (self._opened.modality_lut(),)
        return self._modality_lut[0]

    def modality_transforms(self, indices: Sequence[int]) -> tuple[list[Transform], list[Deviation]]:
        transforms, deviations = super().modality_transforms(indices)
        return transforms, [*deviations, *self.item_deviations()]

    def item_deviations(self) -> list[Deviation]:
        return self._opened.item_deviations()

    def rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]:
        return self._opened.rescales(indices)

    @property
    def dataset(self) -> Dataset:
        # Read once: fallback decoders need it for each frame.
        if self._dataset is None:
            from dicoxide._sources.pydicom_reader import read

            src = self._src
            self._dataset = read(src.read_all() if isinstance(src, SeekableFile) else src)
        return self._dataset

    def close(self) -> None:
        self._object = None


def attributes_of(elements: Elements) -> Attributes:
    """Return the attributes of a data set."""
    return Attributes(_FileElements(elements))


class _FileElements:
    """Elements of a data set or sequence item.

    The character set and the pixel representation of an item are those of the enclosing data set unless it has its own.
    """

    __slots__ = ("_elements", "_parent")

    def __init__(self, elements: Elements, parent: _FileElements | None = None) -> None:
        self._elements = elements
        self._parent = parent

    @property
    def _character_set(self) -> str | list[str]:
        value = self._local_value(_SPECIFIC_CHARACTER_SET, "CS")
        if value is not None:
            return value  # type: ignore[no-any-return]
        return "" if self._parent is None else self._parent._character_set

    @property
    def _is_signed(self) -> bool:
        value = self._local_value(_PIXEL_REPRESENTATION, "US")
        return value == 1 if value is not None or self._parent is None else self._parent._is_signed

    def value(self, tag: int, vr: str) -> Any:
        element = self._elements.get(tag, vr == "SQ")
        if element is None:
            raise KeyError(tag)
        if isinstance(element, list) != (vr == "SQ"):
            raise wrong_vr_error(tag, vr)
        if isinstance(element, list):
            return [_FileElements(item, self) for item in element]
        file_vr, data, is_big_endian = element
        if file_vr is None or file_vr == "UN":
            # Implicit VR, or unknown to the writer: the VR of the data dictionary.
            file_vr = self._resolve_vr(vr) if " or " in vr else vr
        character_set = self._character_set if is_text(file_vr) else ""
        return value_of(file_vr, data, is_big_endian, character_set)

    def vr(self, tag: int) -> str | None:
        element = self._elements.get(tag, False)
        return element[0] if isinstance(element, tuple) else None

    def read_common(self, wanted: Sequence[tuple[str, int, str]]) -> tuple[dict[str, Any], list[str]]:
        return self._elements.read_common(wanted)

    def tags(self) -> Iterator[int]:
        return iter(self._elements.tags())

    def _resolve_vr(self, vr: str) -> str:
        """Choose between the two VRs of the data dictionary (PS3.5 A.1).

        ``"US or SS"`` depends on Pixel Representation. ``"US or OW"`` is US if a look-up table has one entry.
        """
        if vr == "US or SS":
            return "SS" if self._is_signed else "US"
        descriptor = self._local_value(_LUT_DESCRIPTOR, "US")
        return "US" if isinstance(descriptor, list) and descriptor[0] == 1 else "OW"

    def _local_value(self, tag: int, vr: str) -> Any:
        """Return the value of an element of this data set or item itself; None if it is absent or corrupt."""
        element = self._elements.get(tag, False)
        if element is None or isinstance(element, list):
            return None
        _, data, is_big_endian = element
        try:
            return value_of(vr, data, is_big_endian, "")
        except CorruptFrameError:
            return None
