"""Volumes: planned by `_plans`, decoded here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, byte_limit, target_array
from dicoxide.bulk.series._discover import Paths
from dicoxide.bulk.series._geometry import Finding, Floats, Vector
from dicoxide.bulk.series._plans import Found, OnError, VolumePlan, plan_series, read_attributes
from dicoxide.bulk.series._slices import fill, require
from dicoxide.errors import DecodeError, LimitError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Volume", "decode_slices", "decode_volume", "output_dtype", "read_series"]


class Volume:
    """A stack of slices in the order of their places in the patient, or several such at different times.

    :func:`dicoxide.read_series` makes it. ``numpy.asarray(volume)`` is its array.

    Attributes
    ----------
    plan : VolumePlan
        What it was made of.
    array : ndarray
        (slices, rows, columns[, samples]), or (repetitions, slices, rows, columns[, samples]). Slices ascend along the
        normal, row direction × column direction. Where nothing says where they lie, they are in the order of instance
        numbers.
    attributes : dict
        Those of the file with the first slice, by keyword, as ``dicoxide.open(path).attributes``, without the
        functional groups of single frames; empty where that file could not be read and errors are returned.
    is_rescaled : bool
        Whether values are modality values and not stored ones.
    errors : dict of int to Exception
        What could not be decoded, by index of the slice in `sources`; empty unless errors are returned.
    """

    def __init__(
        self,
        plan: VolumePlan,
        array: Any,
        attributes: dict[str, Any],
        *,
        is_rescaled: bool = False,
        errors: dict[int, Exception] | None = None,
    ) -> None:
        self.plan = plan
        self.array = array
        self.attributes = attributes
        self.is_rescaled = is_rescaled
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

        The order of indices is that of SimpleITK and NIfTI, the array's reversed: the voxel is
        ``array[..., slice, row, column]``. None where the headers do not say where the slices lie.
        LPS: x grows to the patient's left, y to the back, z to the head (PS3.3 C.7.6.2.1.1).
        """
        return None if self.plan.geometry is None else self.plan.geometry.affine

    @property
    def spacing(self) -> Vector | None:
        """Distance of neighbours in mm, in the order (column, row, slice); None where `affine` is."""
        return None if self.plan.geometry is None else self.plan.geometry.spacing

    @property
    def origin(self) -> Vector | None:
        """Centre of the first voxel in mm; None where `affine` is."""
        return None if self.plan.geometry is None else self.plan.geometry.origin

    @property
    def direction(self) -> Floats | None:
        """(3, 3) float64: unit vectors of the (column, row, slice) index as columns; None where `affine` is."""
        return None if self.plan.geometry is None else self.plan.geometry.direction

    @property
    def positions(self) -> Floats | None:
        """(slices, 3) float64: where each slice's first voxel lies in mm, also where spacing is not even."""
        found = [one.position for one in self.plan.slices[: self.plan.depth]]
        return None if None in found else np.array(found, np.float64)

    @property
    def axis(self) -> str | None:
        """The attribute that the fourth axis, the array's first, is about; None for an array of three."""
        return self.plan.axis

    @property
    def axis_values(self) -> tuple[float, ...]:
        """The attribute's value at each index of the fourth axis; of clocks, seconds since the first."""
        return self.plan.axis_values

    @property
    def axis_unit(self) -> str:
        """Unit of `axis_values`, or ``""``."""
        return self.plan.axis_unit

    @property
    def part(self) -> tuple[tuple[str, Any], ...]:
        """What tells this volume from others of its series, for example ``(("EchoTime", 4.6),)``."""
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
    def sources(self) -> list[tuple[str, int]]:
        """(path, index of the frame in it) of each slice, in the order of the array, the fourth axis slowest."""
        return self.plan.sources

    @property
    def sop_instance_uids(self) -> list[str]:
        """SOP Instance UID of each slice, in the order of `sources`."""
        return [one.sop_instance_uid for one in self.plan.slices]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is not as one expects, each with its ``kind``, a ``message`` and the ``slices`` it is about."""
        return (*self.plan.findings, *self._failed())

    def _failed(self) -> Iterator[Finding]:
        if self.errors:
            at, error = min(self.errors.items(), key=lambda item: item[0])
            text = f"{len(self.errors)} slices could not be decoded and are blank; {self.plan.slices[at].path}: {error}"
            yield Finding("failed", text, tuple(sorted({one % self.plan.depth for one in self.errors})))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.array, dtype) if copy else np.asarray(self.array, dtype)

    def __repr__(self) -> str:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in self.findings))
        about = f"{self.modality or 'no modality'} {'×'.join(map(str, self.shape))} of {self.dtype}"
        return f"<dicoxide.Volume: {about}{f', by {self.axis}' if self.axis else ''}{f'; {kinds}' if kinds else ''}>"


def read_series(
    paths: Paths,
    *,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    on_error: OnError = "raise",
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> Found[Volume]:
    """Read the volumes of folders or files: headers first, then all slices straight into one array a volume.

    A series is one volume, unless its images differ in size, kind of values, orientation, pixel spacing, frame of
    reference, stack, or have no place in the patient: then each sort is one. Where positions repeat, image types
    (magnitude and phase) and segments become volumes too, and the array has a fourth axis, its first, by what tells
    the frames at one position apart: the first of Temporal Position Identifier (or Index), Echo Time, Echo Numbers,
    Diffusion b-value (with directions), Trigger Time, Frame Reference Time, Acquisition Time, Content Time,
    Dimension Index Values, Instance Number. What the scanner was told to vary comes before clocks, which differ
    between any two images. Echoes with a time axis each are volumes with a fourth axis each.

    Parameters
    ----------
    paths : path, or iterable of paths
        Files, folders that are read with all below them, or globs; names do not matter. What is no DICOM image is left
        out and counted. A folder that links lead to twice is read once.
    rescale : bool
        Give modality values, of each slice by its own rescale, as float32 unless `dtype` says else. Colour has none: it
        stays as it is stored, and a finding says so.
    dtype : dtype-like, optional
        As for :func:`decode`.
    threads : int, optional
        Most threads to read and decode on: all cores by default.
    on_error : {"raise", "return", "skip"}
        What becomes of a `DecodeError` or an `OSError`. It is raised. Or it is returned: the ``errors`` of the result
        name files whose header cannot be read, and those of a volume name its slices that cannot be decoded, which
        are zero (NaN in floating point). Or volumes with such slices are left out, and the ``errors`` of the result
        name them too.
    strict : bool
        Treat what is tolerated, and noted as `NonConformantWarning`, as an error.
    max_bytes : int, optional
        Most bytes of all arrays together; refused before anything is allocated.
    fallback : bool
        Let the decoders that pydicom knows try what is not decoded here.

    Returns
    -------
    list of Volume
        By study, series number and series; within a series the largest first. Its ``skipped`` lists files that are no
        images, by reason, and its ``errors`` what could not be read.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: of the first file, then of the first slice in order that has one.
    LimitError
        If the arrays are larger than `max_bytes`.

    Notes
    -----
    Kinds of findings:

    - of the slices' places: ``gap``, ``uneven_spacing``, ``shear`` (gantry tilt), ``off_axis``, ``single_slice``,
      ``no_geometry``, ``no_pixel_spacing``, ``duplicate_position``, ``unnamed_axis``, ``incomplete_axis``;
    - of what the series was parted by: ``mixed_sizes``, ``mixed_values``, ``missing_geometry``,
      ``mixed_frames_of_reference``, ``mixed_stacks``, ``mixed_pixel_spacing``, ``mixed_orientations``,
      ``mixed_columns``, ``separate_objects``;
    - of the files: ``duplicate``, ``repeated_uid``, ``failed``;
    - of the values: ``mixed_rescale``, ``mixed_dtypes``, ``not_rescaled``.

    Of duplicates the first file by path is kept; of frames that repeat a position, the lowest instance number.

    References
    ----------
    PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (functional groups), C.8.8.3 (dose grids), C.11.1 (rescale).
    """
    plans = plan_series(paths, threads=threads, on_error=on_error)
    left = byte_limit(max_bytes)
    if left is not None:
        needed = sum(output_bytes(plan, rescale=rescale, dtype=dtype) for plan in plans)
        if needed > left:
            raise LimitError(f"{needed} bytes of arrays needed, max_bytes is {max_bytes}", kind="LimitExceeded")
    found: Found[Volume] = Found((), plans.skipped, plans.errors)
    for plan in plans:
        volume = decode_volume(
            plan,
            rescale=rescale,
            dtype=dtype,
            threads=threads,
            on_error="raise" if on_error == "raise" else "return",
            strict=strict,
            fallback=fallback,
        )
        if on_error == "skip" and volume.errors:
            found.errors += [(plan.slices[at].path, error) for at, error in volume.errors.items()]
        else:
            found.append(volume)
    return found


def output_dtype(plan: VolumePlan, *, rescale: bool = False, dtype: npt.DTypeLike | None = None) -> np.dtype[Any]:
    """Type of the array that a plan is decoded to with these options; colour is not rescaled, nor put in another type.

    Raises
    ------
    ValueError
        If `dtype` is none that these values can have.
    """
    applies = _applies(plan, rescale)
    return target_array((0,), plan.dtype, None, rescale=applies, dtype=dtype if applies == rescale else None).dtype


def _applies(plan: VolumePlan, rescale: bool) -> bool:
    """Whether to rescale: colour has no modality values (PS3.3 C.11.1)."""
    return rescale and not plan.is_colour


def output_bytes(plan: VolumePlan, *, rescale: bool = False, dtype: npt.DTypeLike | None = None) -> int:
    """Bytes of that array."""
    return math.prod(plan.shape) * output_dtype(plan, rescale=rescale, dtype=dtype).itemsize


def decode_volume(
    plan: VolumePlan,
    out: Array | None = None,
    *,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    on_error: OnError = "raise",
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> Volume:
    """Decode all slices of a plan.

    Parameters
    ----------
    plan : VolumePlan
        One of :func:`plan_series`.
    out : ndarray, optional
        Where to decode to: of ``plan.shape``, as for :func:`decode`. Its content is undefined after an error.
    rescale, dtype, threads, on_error, strict, max_bytes, fallback
        As for :func:`read_series`; ``on_error="skip"`` leaves nothing out here, it is ``"return"``.

    Returns
    -------
    Volume
        Its ``errors`` name the slices that could not be decoded, if errors are returned.
    """
    stored = None if out is None else _flat(plan, out)
    options: dict[str, Any] = {"rescale": rescale, "dtype": dtype, "threads": threads, "on_error": on_error}
    options |= {"strict": strict, "max_bytes": max_bytes, "fallback": fallback}
    array, errors = decode_slices(plan, out=stored, **options)
    return make_volume(plan, array.reshape(plan.shape) if out is None else out, rescale=rescale, errors=errors)


def _flat(plan: VolumePlan, out: Array) -> Array:
    """`out` with one axis for all slices; no copy, or a ValueError."""
    if not isinstance(out, np.ndarray) or out.shape != plan.shape or not out.flags.c_contiguous:
        raise ValueError(f"out must be a C-contiguous ndarray of shape {plan.shape}")
    return out.reshape(len(plan.slices), *plan.frame_shape)


def make_volume(
    plan: VolumePlan, array: Any, *, rescale: bool = False, errors: dict[int, Exception] | None = None
) -> Volume:
    """The volume of a plan around what was, or will be, decoded with `rescale`."""
    if rescale and not _applies(plan, rescale):
        text = "an image with several samples per pixel has no modality values: these are the stored ones"
        plan = replace(plan, findings=(*plan.findings, Finding("not_rescaled", text)))
    try:
        attributes = read_attributes(plan)
    except (DecodeError, OSError):
        if not errors:
            raise
        attributes = {}
    return Volume(plan, array, attributes, is_rescaled=_applies(plan, rescale), errors=errors)


def decode_slices(
    plan: VolumePlan,
    slices: slice = slice(None),
    out: Array | None = None,
    *,
    rescale: bool = False,
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    on_error: OnError = "raise",
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> tuple[Array, dict[int, Exception]]:
    """Decode some slices of a plan: a volume in pieces, in bounded memory.

    Parameters
    ----------
    plan, rescale, dtype, threads, on_error, strict, max_bytes, fallback
        As for :func:`decode_volume`.
    slices : slice
        Which of ``plan.slices``, the fourth axis slowest; with a step of 1.
    out : ndarray, optional
        Where to decode to.

    Returns
    -------
    ndarray
        (slices, rows, columns[, samples]).
    errors : dict of int to Exception
        By index in ``plan.slices``; empty unless errors are returned.
    """
    if on_error not in ("raise", "return", "skip"):
        raise ValueError(f"on_error is 'raise', 'return' or 'skip', not {on_error!r}")
    start, stop, step = slices.indices(len(plan.slices))
    if step != 1:
        raise ValueError(f"slices have a step of 1, not {step}")
    chosen = plan.slices[start:stop]
    applies = _applies(plan, rescale)
    sources = [(one.path, one.frame) for one in chosen]
    keep_errors = on_error != "raise"
    require(sources, plan.frame_shape, strict=strict, fallback=fallback, keep_errors=keep_errors)
    target = target_array(
        (len(chosen), *plan.frame_shape),
        plan.dtype,
        out,
        rescale=applies,
        dtype=dtype if applies == rescale else None,
        max_bytes=byte_limit(max_bytes),
    )
    errors = fill(
        target,
        sources,
        rescale=applies,
        threads=threads,
        keep_errors=keep_errors,
        strict=strict,
        fallback=fallback,
    )
    return target, {start + at: error for at, error in errors.items()}
