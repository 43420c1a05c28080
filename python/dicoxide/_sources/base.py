"""Where pixel data come from: what all sources have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from dicoxide._frame import FrameSpec

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from typing_extensions import Buffer

    from dicoxide._core import Frames
    from dicoxide._sources.attributes import Attributes

Readable: TypeAlias = "str | os.PathLike[str] | Buffer | BinaryIO | Dataset"

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"


class Source(ABC):
    """One object with pixel data: what its frames are, and the element value that holds them."""

    __slots__ = ("number_of_frames", "spec")

    def __init__(self, spec: FrameSpec, number_of_frames: int | None) -> None:
        self.spec = spec
        self.number_of_frames = number_of_frames

    @abstractmethod
    def frames(self, *, find_only: bool = False) -> Frames:
        """Return the frames; with `find_only` also of transfer syntaxes that the core finds but does not decode."""

    @property
    @abstractmethod
    def value(self) -> bytes:
        """The pixel data element's value; a copy where it could change while it is decoded."""

    @property
    @abstractmethod
    def value_place(self) -> int | None:
        """Where the value lies in what was read; None for a deflated data set, and where nobody knows."""

    @property
    @abstractmethod
    def value_bytes(self) -> int:
        """Length of the value, which may still be in the file."""

    @property
    @abstractmethod
    def attributes(self) -> Attributes:
        """What decoding, sorting and measuring need of the data set."""

    @property
    @abstractmethod
    def has_modality_lut(self) -> bool:
        """Whether a Modality LUT Sequence stands in place of a rescale."""

    @abstractmethod
    def rescales(self, indices: Sequence[int]) -> list[tuple[float, float]]:
        """(slope, intercept) of each frame of `indices`, or one for all; an empty list where there is none.

        Pixel Value Transformation of the frame's functional groups comes first, then that of the shared ones,
        then the data set's own attributes (PS3.3 C.7.6.16.2.9 and C.11.1).
        """

    @property
    @abstractmethod
    def dataset(self) -> Dataset:
        """All of it, as pydicom has it."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is open; what is decoded stays. Harmless when called again."""
