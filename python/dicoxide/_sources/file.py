"""Pixel data of files and bytes, which the core reads itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dicoxide._backend import core
from dicoxide._frame import FrameSpec
from dicoxide._sources.attributes import Attributes
from dicoxide._sources.base import Source
from dicoxide._sources.values import is_text, value_of
from dicoxide.errors import CorruptFrameError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicoxide._core import Elements, Frames, Object

_SPECIFIC_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_LUT_DESCRIPTOR = 0x00283002


class FileSource(Source):
    """A file, or the bytes of one, opened."""

    __slots__ = ("_dataset", "_object", "_src")

    def __init__(
        self, src: str | os.PathLike[str] | bytes, max_bytes: int | None = None, *, opened: Object | None = None
    ) -> None:
        self._src = src
        self._dataset: Dataset | None = None
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
    def value_place(self) -> int | None:
        offset, _, is_there = self._opened.value_place()
        return offset if is_there else None

    @property
    def value_bytes(self) -> int:
        return self._opened.value_place()[1]

    @property
    def attributes(self) -> Attributes:
        return Attributes(_FileElements(self._opened.elements()))

    @property
    def has_modality_lut(self) -> bool:
        return self._opened.has_modality_lut()

    def rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]:
        return self._opened.rescales(indices)

    @property
    def dataset(self) -> Dataset:
        # Read once: who decodes frame by frame asks for it each time.
        if self._dataset is None:
            from dicoxide._sources.pydicom_reader import read

            self._dataset = read(self._src)
        return self._dataset

    def close(self) -> None:
        self._object = None


class _FileElements:
    """Elements of a data set or item; what they inherit of the data set around them."""

    __slots__ = ("_around", "_elements")

    def __init__(self, elements: Elements, around: _FileElements | None = None) -> None:
        self._elements = elements
        self._around = around

    @property
    def _character_set(self) -> str | list[str]:
        own = self._own(_SPECIFIC_CHARACTER_SET, "CS")
        if own is not None:
            return own  # type: ignore[no-any-return]
        return "" if self._around is None else self._around._character_set

    @property
    def _is_signed(self) -> bool:
        own = self._own(_PIXEL_REPRESENTATION, "US")
        return own == 1 if own is not None or self._around is None else self._around._is_signed

    def value(self, tag: int, vr: str) -> Any:
        found = self._elements.get(tag, vr == "SQ")
        if found is None:
            raise KeyError(tag)
        if isinstance(found, list) != (vr == "SQ"):
            clause = "PS3.6"
            what = f"element ({tag >> 16:04X},{tag & 0xFFFF:04X}) of VR {vr} expected, found another ({clause})"
            raise CorruptFrameError(what, kind="Mismatch", clause=clause)
        if isinstance(found, list):
            return [_FileElements(item, self) for item in found]
        stated, data, is_big_endian = found
        if stated is None or stated == "UN":
            stated = self._resolved(vr) if " or " in vr else vr
        character_set = self._character_set if is_text(stated) else ""
        return value_of(stated, data, is_big_endian, character_set)

    def read_common(self, wanted: Sequence[tuple[str, int, str]]) -> tuple[dict[str, Any], list[str]]:
        return self._elements.read_common(wanted)

    def tags(self) -> Iterator[int]:
        return iter(self._elements.tags())

    def _resolved(self, vr: str) -> str:
        """Which of two VRs it is (PS3.5 A.1): by the sign of samples, or by the length of a look-up table."""
        if vr == "US or SS":
            return "SS" if self._is_signed else "US"
        descriptor = self._own(_LUT_DESCRIPTOR, "US")
        return "US" if isinstance(descriptor, list) and descriptor[0] == 1 else "OW"

    def _own(self, tag: int, vr: str) -> Any:
        """The value of an element of this data set; None where it is not there, or makes no sense."""
        found = self._elements.get(tag, False)
        if found is None or isinstance(found, list):
            return None
        try:
            return value_of(vr, found[1], found[2], "")
        except CorruptFrameError:
            return None
