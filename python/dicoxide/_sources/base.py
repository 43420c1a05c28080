"""The interface of all sources."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from dicoxide._deviations import Deviation
from dicoxide._frame import FrameSpec
from dicoxide._sources.value_file import ValueFile

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from typing_extensions import Buffer

    from dicoxide._core import Frames, LookupTable, ValueRanges
    from dicoxide._deviations import Deviation
    from dicoxide._sources.attributes import Attributes

# (slope, intercept), a look-up table, or ranges of real-world values.
Transform: TypeAlias = "tuple[float, float] | LookupTable | ValueRanges"
Readable: TypeAlias = "str | os.PathLike[str] | Buffer | BinaryIO | Dataset"


class Source(ABC):
    """One object with pixel data: the description of its frames, and the value of its pixel data element.

    Attributes
    ----------
    spec : FrameSpec
        Transfer syntax and Image Pixel attributes.
    number_of_frames : int or None
        Number of Frames (0028,0008), if present. The value may hold another number.
    deviations : list of Deviation
        Deviations of the data set that neither `spec` nor the frames report.
    """

    __slots__ = ("deviations", "number_of_frames", "spec")

    def __init__(self, spec: FrameSpec, number_of_frames: int | None) -> None:
        self.spec = spec
        self.number_of_frames = number_of_frames
        self.deviations: list[Deviation] = []

    @abstractmethod
    def frames(self, *, find_only: bool = False) -> Frames:
        """Return the frames; with `find_only` also of transfer syntaxes that the core finds but does not decode."""

    @property
    @abstractmethod
    def value(self) -> bytes:
        """Value of the pixel data element; a copy if it is mutable."""

    @property
    @abstractmethod
    def value_offset(self) -> int | None:
        """Byte offset of the value in the file or buffer; None for a deflated data set, or if it is unknown."""

    @property
    @abstractmethod
    def value_bytes(self) -> int:
        """Length of the value in bytes, known without reading it."""

    def open_value(self) -> ValueFile:
        """Open the value of the pixel data element, to read it by position."""
        value = self.value
        return ValueFile(value, 0, len(value))

    @property
    @abstractmethod
    def attributes(self) -> Attributes:
        """Attributes of the data set that decoding, sorting and measuring need."""

    @property
    @abstractmethod
    def has_modality_lut(self) -> bool:
        """True if the data set has a Modality LUT Sequence, which replaces rescale."""

    @abstractmethod
    def modality_lut(self) -> tuple[LookupTable, list[Deviation]] | None:
        """Return the table of the Modality LUT Sequence and its deviations, or None if there is none."""

    def modality_transforms(self, indices: Sequence[int]) -> tuple[list[Transform], list[Deviation]]:
        """Return the transform of each frame in `indices`, or one for all, or none; and the deviations found."""
        if (modality_lut := self.modality_lut()) is not None:
            table, deviations = modality_lut
            return [table], deviations
        return [*self.rescales(indices)], []

    def item_deviations(self) -> list[Deviation]:
        """Return deviations of the items of sequences that have been read."""
        return []

    @abstractmethod
    def rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]:
        """Return (slope, intercept) of each frame in `indices`, or one pair for all, or an empty list if there is none.

        Precedence: Pixel Value Transformation of the frame's functional groups, then that of the shared functional
        groups, then the attributes of the data set itself (PS3.3 C.7.6.16.2.9 and C.11.1). Dose Grid Scaling is the
        slope of RT Dose (PS3.3 C.8.8.3).
        """

    @property
    @abstractmethod
    def dataset(self) -> Dataset:
        """The whole data set, read by pydicom."""

    @abstractmethod
    def close(self) -> None:
        """Close the file, if one is open. Decoded arrays stay valid. May be called again."""
