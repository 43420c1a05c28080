"""Plans of volumes, and the list type in which plans and volumes are returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from dicoxide._arguments import Rescale
from dicoxide.bulk.series._frame_headers import AXES, Slice
from dicoxide.bulk.series._geometry import Finding, Floats, Geometry
from dicoxide.bulk.series._slices import SliceSource
from dicoxide.bulk.series._stacking import Part

__all__ = ["SeriesResult", "VolumePlan"]

T = TypeVar("T")

_AXIS_UNITS = {axis.name: axis.unit for axis in AXES}
_B_VALUE = [axis.name for axis in AXES].index("DiffusionBValue")


class SeriesResult(list[T]):
    """A list of volumes or plans, with the files that are in none of them.

    Attributes
    ----------
    skipped : dict of str to list of str
        Paths of files that are not images, by reason: ``"not DICOM"``, ``"DICOMDIR"``, ``"no image"`` or
        ``"dangling link"``.
    errors : list of (str, Exception)
        Paths of files and folders that could not be read, with the error. Empty with ``on_error="raise"``.
    """

    def __init__(
        self,
        items: Iterable[T] = (),
        skipped: Mapping[str, list[str]] | None = None,
        errors: Iterable[tuple[str, Exception]] = (),
    ) -> None:
        super().__init__(items)
        self.skipped: dict[str, list[str]] = dict(skipped or {})
        self.errors: list[tuple[str, Exception]] = list(errors)


@dataclass(frozen=True, eq=False)
class VolumePlan:
    """Describes a volume before it is decoded: plain values that can be pickled.

    Attributes
    ----------
    shape : tuple of int
        ([repetitions,] slices, rows, columns[, samples]).
    dtype : dtype
        Integer or float type that holds the stored values of all slices.
    slices : tuple of Slice
        Frame and file of each slice, in the order of the array, the fourth axis slowest. Empty frames that a
        segmentation omits have neither.
    part : tuple of (str, value)
        Distinguishes this volume from others of its series, for example
        ``(("ImageType", "ORIGINAL\\\\PRIMARY\\\\P"),)``.
    geometry : Geometry or None
        ``affine``, ``spacing``, ``origin`` and ``direction``; as for the other attributes, see
        :class:`dicoxide.Volume`.
    """

    study_instance_uid: str
    series_instance_uid: str
    series_number: int | None
    modality: str
    description: str
    part: Part
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    slices: tuple[Slice, ...]
    geometry: Geometry | None
    axis: str | None
    axis_values: tuple[float, ...]
    findings: tuple[Finding, ...]
    photometric_interpretation: str = ""

    @property
    def axis_unit(self) -> str:
        """Unit of `axis_values`, or ``""``."""
        return _AXIS_UNITS.get(self.axis or "", "")

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one slice: (rows, columns[, samples])."""
        return self.shape[1:] if self.axis is None else self.shape[2:]

    @property
    def depth(self) -> int:
        """Number of slices in each repetition."""
        return self.shape[0] if self.axis is None else self.shape[1]

    @property
    def is_colour(self) -> bool:
        """True if a pixel has several samples."""
        return len(self.frame_shape) > 2

    def applied_rescale(self, rescale: Rescale) -> Rescale:
        """Return `rescale`; False for colour, which has no modality values (PS3.3 C.11.1)."""
        return not self.is_colour and rescale

    @property
    def first_slice(self) -> Slice:
        """First slice that is in a file."""
        return next(frame for frame in self.slices if not frame.is_omitted)

    @property
    def sources(self) -> list[tuple[str, int] | None]:
        """(path, zero-based frame index) of each slice, in the order of the array; None for omitted empty frames."""
        return [None if frame.is_omitted else (frame.path, frame.frame) for frame in self.slices]

    @property
    def slice_sources(self) -> list[SliceSource]:
        """Source of each slice, in the order of the array; with an empty path for omitted empty frames."""
        return [SliceSource(frame.path, frame.frame, frame.tile) for frame in self.slices]

    @property
    def rescale(self) -> tuple[float, float] | None:
        """(slope, intercept) if all slices have the same, else None."""
        rescales = {frame.rescale for frame in self.slices}
        return rescales.pop() if len(rescales) == 1 else None

    @property
    def has_mixed_rescale(self) -> bool:
        """True if stored values of different slices are not comparable: slopes, intercepts or Modality LUT differ."""
        return len({(frame.rescale or (1.0, 0.0), frame.has_modality_lut) for frame in self.slices}) > 1

    @property
    def b_values(self) -> Floats | None:
        """Diffusion b-value of each repetition; None if no slice has one. See :class:`dicoxide.Volume`."""
        if not self.slices or all(frame.keys[_B_VALUE] is None for frame in self.slices):
            return None
        return np.array([frame.keys[_B_VALUE] or 0.0 for frame in self.slices[:: self.depth]], np.float64)

    @property
    def gradients(self) -> Floats | None:
        """Diffusion gradient direction of each repetition, as in :class:`dicoxide.Volume`; None without b-values."""
        if self.b_values is None:
            return None
        return np.array([frame.gradient or (0.0, 0.0, 0.0) for frame in self.slices[:: self.depth]], np.float64)
