"""Volumes: arrays of slices with their geometry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide._rendering import WindowSelection, check_options
from dicoxide.bulk.series._geometry import Finding, Floats, Vector
from dicoxide.bulk.series._plan import VolumePlan
from dicoxide.bulk.series._volume_rendering import render_volume

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Volume"]


class Volume:
    """A stack of slices sorted by position, or several repetitions of it along a fourth axis (time, echo, b-value, …).

    Returned by :func:`dicoxide.read_series`. ``numpy.asarray(volume)`` is its array.

    Attributes
    ----------
    plan : VolumePlan
        The plan that was decoded.
    array : ndarray
        (slices, rows, columns[, samples]), or (repetitions, slices, rows, columns[, samples]). Slices ascend along the
        normal, which is row direction × column direction. Slices without a position are sorted by instance number.
    attributes : dict
        Attributes of the file with the first slice, by keyword, as ``dicoxide.open(path).attributes``, without
        per-frame functional groups. Empty if that file could not be read and errors are returned.
    is_rescaled : bool
        True if the array holds modality or real-world values, False if it holds stored values.
    units : str or None
        Units of real-world values, as :meth:`dicoxide.Image.real_world_units` returns them; None for other values.
    errors : dict of int to Exception
        Errors of slices that could not be decoded, by index in `sources`; empty unless errors are returned.
    """

    def __init__(
        self,
        plan: VolumePlan,
        array: Any,
        attributes: dict[str, Any],
        *,
        is_rescaled: bool = False,
        units: str | None = None,
        errors: dict[int, Exception] | None = None,
    ) -> None:
        self.plan = plan
        self.array = array
        self.attributes = attributes
        self.is_rescaled = is_rescaled
        self.units = units
        self.errors = errors or {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.plan.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the array."""
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    @property
    def affine(self) -> Floats | None:
        """(4, 4) float64: ``affine @ (column, row, slice, 1)`` is the centre of a voxel in mm, in LPS.

        The order of indices is that of SimpleITK and NIfTI, which is the reverse of the array's: the voxel is
        ``array[..., slice, row, column]``. None if positions are not in the headers, or if no affine is right:
        slices are missing, unevenly spaced, or off the axis.
        LPS: x grows to the patient's left, y to the back, z to the head (PS3.3 C.7.6.2.1.1).
        """
        return None if self.plan.geometry is None else self.plan.geometry.affine

    @property
    def spacing(self) -> Vector | None:
        """Distance of neighbouring voxels in mm, in the order (column, row, slice); None if `affine` is None."""
        return None if self.plan.geometry is None else self.plan.geometry.spacing

    @property
    def origin(self) -> Vector | None:
        """Centre of the first voxel in mm; None if `affine` is None."""
        return None if self.plan.geometry is None else self.plan.geometry.origin

    @property
    def direction(self) -> Floats | None:
        """(3, 3) float64: columns are unit vectors of increasing column, row, slice index; None if `affine` is None."""
        return None if self.plan.geometry is None else self.plan.geometry.direction

    @property
    def positions(self) -> Floats | None:
        """(slices, 3) float64: centre of each slice's first voxel in mm; None if a slice has no position."""
        positions = [frame.position for frame in self.plan.slices[: self.plan.depth]]
        return None if None in positions else np.array(positions, np.float64)

    @property
    def axis(self) -> str | None:
        """Keyword of the attribute that varies along the fourth axis, the first of the array; None without one."""
        return self.plan.axis

    @property
    def axis_values(self) -> tuple[float, ...]:
        """Value of the attribute at each index of the fourth axis; for clocks, seconds since the first."""
        return self.plan.axis_values

    @property
    def axis_unit(self) -> str:
        """Unit of `axis_values`, or ``""``."""
        return self.plan.axis_unit

    @property
    def b_values(self) -> Floats | None:
        """(repetitions,) float64: diffusion b-values in s/mm², also of a single volume; None if no slice has one."""
        return self.plan.b_values

    @property
    def gradients(self) -> Floats | None:
        """(repetitions, 3) float64: gradient directions, unit vectors in LPS, or zeros; None without b-values."""
        return self.plan.gradients

    @property
    def part(self) -> tuple[tuple[str, Any], ...]:
        """(keyword, value) pairs that distinguish volumes of one series, for example ``(("EchoTime", 4.6),)``."""
        return self.plan.part

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID."""
        return self.plan.series_instance_uid

    @property
    def modality(self) -> str:
        """Modality, for example ``"CT"``."""
        return self.plan.modality

    @property
    def description(self) -> str:
        """Series Description."""
        return self.plan.description

    @property
    def sources(self) -> list[tuple[str, int] | None]:
        """(path, zero-based frame index) of each slice, the fourth axis slowest; None for omitted empty frames."""
        return self.plan.sources

    @property
    def sop_instance_uids(self) -> list[str]:
        """SOP Instance UID of each slice, in the order of `sources`."""
        return [frame.sop_instance_uid for frame in self.plan.slices]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Irregularities, each with its ``kind``, a ``message`` and the ``slices`` concerned."""
        return (*self.plan.findings, *self._error_findings())

    def _error_findings(self) -> Iterator[Finding]:
        if self.errors:
            index, error = min(self.errors.items(), key=lambda item: item[0])
            slices = "1 slice" if len(self.errors) == 1 else f"{len(self.errors)} slices"
            text = f"{slices} could not be decoded and filled with blanks; {self.plan.slices[index].path}: {error}"
            yield Finding("failed", text, tuple(sorted({index % self.plan.depth for index in self.errors})))

    def render(
        self,
        out: Array | None = None,
        *,
        window: WindowSelection = "first",
        function: str | None = None,
        invert: bool | None = None,
        dtype: npt.DTypeLike = "uint8",
        threads: int | None = None,
    ) -> Array:
        """Render the array as a viewer displays its slices, all with the same range of values.

        Parameters
        ----------
        out : ndarray, optional
            Array to render into, which is returned: the shape of the volume and `dtype`, C-contiguous and writable.
        window : (float, float), str, int or ("percentile", float, float), default "first"
            As for :func:`dicoxide.render`. With ``"first"``, each slice has its own first window; slices without one
            have the range of the values of all such slices. Explanations and indices are those of the file with the
            first slice. Ranges and percentiles are those of the whole volume, without Pixel Padding, NaN and slices
            that could not be decoded. VOI LUTs are not applied. Real-world values have no windows.
        function, invert, dtype
            As for :func:`dicoxide.render`.
        threads : int, optional
            Maximum number of threads; all cores by default.

        Returns
        -------
        ndarray
            `out`, or a new array of the shape of the volume. Slices that could not be decoded are 0.

        Raises
        ------
        ValueError
            If there is no such window; for palettes, which only files have; for stored values of slices with a
            Modality LUT; if another argument is unsuitable.
        DecodeError
            If the window of a slice is invalid.
        TypeError
            If the array is lazy.

        Notes
        -----
        Values are computed in float64 and rounded once, half to even (PS3.3 C.11.2.1.2 and C.11.2.1.3).
        """
        options = check_options(window=window, function=function, invert=invert, dtype=dtype)
        return render_volume(
            self.plan,
            self.array,
            self.attributes,
            options,
            is_rescaled=self.is_rescaled,
            is_real_world=self.units is not None,
            failed=self.errors,
            out=out,
            threads=threads,
        )

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.array, dtype) if copy else np.asarray(self.array, dtype)

    def __repr__(self) -> str:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in self.findings))
        description = f"{self.modality or 'no modality'} {'×'.join(map(str, self.shape))} of {self.dtype}"
        axis = f", by {self.axis}" if self.axis else ""
        return f"<dicoxide.Volume: {description}{axis}{f'; {kinds}' if kinds else ''}>"
