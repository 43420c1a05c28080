"""Volumes: decodes plans into arrays."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, Rescale, byte_limit, check_rescale, target_array
from dicoxide.bulk._on_error import OnError, check_on_error
from dicoxide.bulk.series._discover import Paths
from dicoxide.bulk.series._geometry import Finding
from dicoxide.bulk.series._plan import SeriesResult, VolumePlan
from dicoxide.bulk.series._planning import plan_series, read_attributes, read_units
from dicoxide.bulk.series._slices import check_frame_size, decode_into
from dicoxide.bulk.series._split_options import Keywords
from dicoxide.bulk.series._volume_array import Volume
from dicoxide.errors import DecodeError, LimitError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["decode_slices", "decode_volume", "make_volume", "output_dtype", "read_series"]


def read_series(
    paths: Paths,
    *,
    rescale: Rescale = False,
    quantity: str | None = None,
    dtype: npt.DTypeLike | None = None,
    split_by: Keywords = (),
    merge: Keywords = (),
    threads: int | None = None,
    on_error: OnError = "raise",
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> SeriesResult[Volume]:
    """Read the volumes of folders or files: headers first, then all slices of a volume into one array.

    A series is one volume, unless its images differ in size, kind of values, orientation, pixel spacing, frame of
    reference or stack, or some have no position; then each kind of image is one volume. Acquisitions, echoes or
    b-values at positions of their own, and runs of another slice spacing, are separate volumes. If positions repeat,
    image types (magnitude and phase) and segments are, too. What still repeats is arranged along a fourth axis, the
    first of the array. It is the first of these attributes that distinguishes the frames at one position: Temporal
    Position Identifier (or Index), Echo Time, Echo Numbers, Diffusion b-value (with directions), Trigger Time, Frame
    Reference Time, Acquisition Time, Content Time, Acquisition Number, Dimension Index Values, Instance Number. Several
    echoes, each with a time axis, are separate volumes with a fourth axis each. docs/bulk.md has all rules.

    Parameters
    ----------
    paths : path, or iterable of paths
        Files, folders (with everything below them) and globs; file names do not matter. Files that are not DICOM images
        are left out and listed in the result. Files and folders that several links lead to are read once.
    rescale : bool or "real_world"
        Return modality values, by the rescale of each slice, or real-world values, as float32 unless `dtype` is given.
        Colour has neither: its stored values are returned, with a finding. Slices whose real-world values have
        different units are a ValueError.
    quantity : str, optional
        As for :func:`decode`.
    dtype : dtype-like, optional
        As for :func:`decode`.
    split_by : str or iterable of str
        Keywords of attributes; images with different values of one of them always are separate volumes.
    merge : str or iterable of str
        Keywords of attributes whose differences divide no volume. Where they distinguish images at one position, they
        are the fourth axis, or are ignored if another attribute is. With ``"SeriesInstanceUID"``, several series of a
        study can be one volume.
    threads : int, optional
        Maximum number of threads; all cores by default.
    on_error : {"raise", "return", "skip"}
        Handling of a `DecodeError` or `OSError`. ``"raise"``: raise it. ``"return"``: files whose header cannot be read
        are in ``errors`` of the result, and volumes that they may belong to have a finding ``unreadable_file``; slices
        that cannot be decoded are in ``errors`` of their volume, and their samples are 0 (NaN in floating point).
        ``"skip"``: volumes with such slices are left out too, and ``errors`` of the result has these errors as well.
    strict : bool
        Raise for deviations from the standard that otherwise are a `NonConformantWarning`.
    max_bytes : int, optional
        Maximum size of all arrays together; checked before allocating.
    fallback : bool
        Let other decoders that pydicom has decode what dicoxide does not support.

    Returns
    -------
    SeriesResult of Volume
        A list sorted by study, series number and series; within a series, the largest volume comes first. Its
        ``skipped`` has the files that are not images, by reason, and its ``errors`` the files that cannot be read.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: the error of the first file, or else of the first slice, that has one.
    LimitError
        If the arrays need more than `max_bytes`.
    ValueError
        If an argument does not fit the images, also with ``on_error="return"`` and ``"skip"``.

    Notes
    -----
    Kinds of findings:

    - positions of slices: ``gap``, ``uneven_spacing``, ``shear`` (gantry tilt), ``off_axis``, ``single_slice``,
      ``no_geometry``, ``no_pixel_spacing``, ``duplicate_position``, ``unnamed_axis``, ``incomplete_axis``,
      ``shared_temporal_position``, ``mosaic`` (cannot be divided into slices), ``moving_positions``,
      ``omitted_frames``, ``merged_orientations``, ``merged_pixel_spacings``;
    - why a series has several volumes: ``mixed_sizes``, ``mixed_mosaics``, ``mixed_values``, ``missing_geometry``,
      ``mixed_frames_of_reference``, ``mixed_stacks``, ``mixed_pixel_spacing``, ``mixed_orientations``,
      ``mixed_columns``, ``separate_objects``, ``split_spacing``;
    - files: ``duplicate``, ``repeated_uid``, ``failed``, ``unreadable_file``;
    - values: ``mixed_rescale``, ``mixed_dtypes``, ``not_rescaled``.

    Of copies of an instance, the first file by path is retained; of frames that repeat a position without a
    distinguishing attribute, the one with the lowest instance number.

    References
    ----------
    PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (functional groups, real-world values), C.8.8.3 (dose grids), C.11.1
    (rescale).
    """
    check_rescale(rescale, quantity)
    plans = plan_series(paths, split_by=split_by, merge=merge, threads=threads, on_error=on_error)
    limit = byte_limit(max_bytes)
    if limit is not None:
        needed = sum(_output_bytes(plan, rescale=rescale, dtype=dtype) for plan in plans)
        if needed > limit:
            raise LimitError(f"arrays need {needed} bytes, max_bytes is {max_bytes}", kind="LimitExceeded")
    result: SeriesResult[Volume] = SeriesResult((), plans.skipped, plans.errors)
    for plan in plans:
        volume = decode_volume(
            plan,
            rescale=rescale,
            quantity=quantity,
            dtype=dtype,
            threads=threads,
            on_error="raise" if on_error == "raise" else "return",
            strict=strict,
            fallback=fallback,
        )
        if on_error == "skip" and volume.errors:
            result.errors += [(plan.slices[index].path, error) for index, error in volume.errors.items()]
        else:
            result.append(volume)
    return result


def output_dtype(plan: VolumePlan, *, rescale: Rescale = False, dtype: npt.DTypeLike | None = None) -> np.dtype[Any]:
    """Return the type of the array that `plan` is decoded to. For colour, `rescale` and its `dtype` are ignored.

    Raises
    ------
    ValueError
        If `dtype` cannot hold the values.
    """
    rescale_applied = plan.applied_rescale(rescale)
    dtype = dtype if rescale_applied == rescale else None
    return target_array((0,), plan.dtype, None, rescale=rescale_applied, dtype=dtype).dtype


def _output_bytes(plan: VolumePlan, *, rescale: Rescale = False, dtype: npt.DTypeLike | None = None) -> int:
    """Return the size of the array that `plan` is decoded to."""
    return math.prod(plan.shape) * output_dtype(plan, rescale=rescale, dtype=dtype).itemsize


def decode_volume(
    plan: VolumePlan,
    out: Array | None = None,
    *,
    rescale: Rescale = False,
    quantity: str | None = None,
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
        A plan returned by :func:`plan_series`.
    out : ndarray, optional
        Output array of ``plan.shape``, as for :func:`dicoxide.decode`. Its content is undefined after an error.
    rescale, quantity, dtype, threads, on_error, strict, max_bytes, fallback
        As for :func:`dicoxide.read_series`; ``"skip"`` is the same as ``"return"``.

    Returns
    -------
    Volume
        Its ``errors`` has the slices that could not be decoded, unless errors are raised.
    """
    flat_out = None if out is None else _flat_view(plan, out)
    options: dict[str, Any] = {
        "rescale": rescale,
        "quantity": quantity,
        "dtype": dtype,
        "threads": threads,
        "on_error": on_error,
    }
    options |= {"strict": strict, "max_bytes": max_bytes, "fallback": fallback}
    array, errors = decode_slices(plan, out=flat_out, **options)
    result = array.reshape(plan.shape) if out is None else out
    return make_volume(plan, result, rescale=rescale, quantity=quantity, errors=errors)


def _flat_view(plan: VolumePlan, out: Array) -> Array:
    """Return a view of `out` with one axis for all slices."""
    if not isinstance(out, np.ndarray) or out.shape != plan.shape or not out.flags.c_contiguous:
        raise ValueError(f"out must be a C-contiguous ndarray of shape {plan.shape}")
    return out.reshape(len(plan.slices), *plan.frame_shape)


def make_volume(
    plan: VolumePlan,
    array: Any,
    *,
    rescale: Rescale = False,
    quantity: str | None = None,
    errors: dict[int, Exception] | None = None,
) -> Volume:
    """Return the volume of `plan` with `array`, which was decoded with `rescale` or is a lazy dask array."""
    is_rescaled = bool(plan.applied_rescale(rescale))
    if rescale and not is_rescaled:
        text = "colour has no modality values; the array has stored values"
        plan = replace(plan, findings=(*plan.findings, Finding("not_rescaled", text)))
    try:
        attributes = read_attributes(plan)
    except (DecodeError, OSError):
        if not errors:
            raise
        attributes = {}
    units = read_units(plan, rescale, quantity, keep_errors=bool(errors))
    return Volume(plan, array, attributes, is_rescaled=is_rescaled, units=units, errors=errors)


def decode_slices(
    plan: VolumePlan,
    slices: slice = slice(None),
    out: Array | None = None,
    *,
    rescale: Rescale = False,
    quantity: str | None = None,
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    on_error: OnError = "raise",
    strict: bool = False,
    max_bytes: int | None = None,
    fallback: bool = True,
) -> tuple[Array, dict[int, Exception]]:
    """Decode some slices of a plan, for processing a volume in pieces with bounded memory.

    Parameters
    ----------
    plan, rescale, quantity, dtype, threads, on_error, strict, max_bytes, fallback
        As for :func:`decode_volume`.
    slices : slice
        Range of ``plan.slices``, the fourth axis slowest; with a step of 1.
    out : ndarray, optional
        Output array.

    Returns
    -------
    ndarray
        (slices, rows, columns[, samples]).
    errors : dict of int to Exception
        Errors by index in ``plan.slices``; empty unless errors are returned.
    """
    check_on_error(on_error)
    check_rescale(rescale, quantity)
    start, stop, step = slices.indices(len(plan.slices))
    if step != 1:
        raise ValueError(f"slices must have a step of 1, not {step}")
    rescale_applied = plan.applied_rescale(rescale)
    sources = plan.slice_sources[start:stop]
    keep_errors = on_error != "raise"
    check_frame_size(sources, plan.frame_shape, strict=strict, fallback=fallback, keep_errors=keep_errors)
    target = target_array(
        (len(sources), *plan.frame_shape),
        plan.dtype,
        out,
        rescale=rescale_applied,
        dtype=dtype if rescale_applied == rescale else None,
        max_bytes=byte_limit(max_bytes),
    )
    errors = decode_into(
        target,
        sources,
        rescale=rescale_applied,
        quantity=quantity if rescale_applied else None,
        units=read_units(plan, rescale, quantity, keep_errors=keep_errors),
        threads=threads,
        keep_errors=keep_errors,
        strict=strict,
        fallback=fallback,
    )
    return target, {start + index: error for index, error in errors.items()}
