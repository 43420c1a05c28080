"""Renders the array of a volume, with one range of values for all slices."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np

from dicoxide import _deviations
from dicoxide._arguments import Array, target_array, thread_count
from dicoxide._backend import core
from dicoxide._rendering import (
    VOI_KEYWORDS,
    FullRange,
    Percentiles,
    RenderOptions,
    ValueRange,
    ValueRangeMeter,
    Voi,
    is_low_white,
    padding_range,
    range_of_type,
    read_voi,
    select_voi,
)
from dicoxide.bulk.series._plan import VolumePlan

__all__ = ["render_volume"]

_Rescale: TypeAlias = "tuple[float, float] | None"
_NO_RESCALE = (1.0, 0.0)


def render_volume(
    plan: VolumePlan,
    array: Array,
    attributes: Mapping[str, Any],
    options: RenderOptions,
    *,
    is_rescaled: bool,
    is_real_world: bool,
    failed: Collection[int],
    out: Array | None,
    threads: int | None,
) -> Array:
    """Render the array of a volume.

    Parameters
    ----------
    plan : VolumePlan
        The plan of the volume, with the window and the rescale of each slice.
    array : ndarray
        Stored values, or modality or real-world values.
    attributes : mapping
        Attributes of the file with the first slice.
    options : RenderOptions
        Window, function, inversion and type.
    is_rescaled, is_real_world : bool
        Kind of the values.
    failed : collection of int
        Indices of slices that could not be decoded; they are rendered as 0.
    out, threads
        As for :meth:`Volume.render`.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"array must be an ndarray, not {type(array).__name__}; compute it, or use dask.from_series")
    if plan.photometric_interpretation == "PALETTE COLOR":
        raise ValueError("palettes are applied to files: use render, decode_many or dask.from_series with render=True")
    target = target_array(plan.shape, np.dtype(options.dtype), out, dtype=options.dtype)
    slices = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(len(plan.slices), *plan.frame_shape)
    rendered = target.reshape(slices.shape)
    if plan.is_colour:
        bits = _bits_stored(attributes, array.dtype)
        voi: Voi = ("RANGE", 0.0, float((1 << bits) - 1))
        core.render_into(slices, _grayscale(slices, voi, options), rendered, thread_count(threads))
    else:
        renderer = _GrayRenderer(plan, slices, attributes, options, failed, is_rescaled=is_rescaled)
        renderer.render(rendered, thread_count(threads), is_real_world=is_real_world)
    for index in failed:
        rendered[index] = 0
    return target


def _grayscale(values: Array, voi: Voi, options: RenderOptions, **more: Any) -> Any:
    return core.Rendering.grayscale(values.dtype.name, 8 * values.dtype.itemsize, voi, dtype=options.dtype, **more)


class _GrayRenderer:
    """Renders slices of one sample per pixel."""

    def __init__(
        self,
        plan: VolumePlan,
        slices: Array,
        attributes: Mapping[str, Any],
        options: RenderOptions,
        failed: Collection[int],
        *,
        is_rescaled: bool,
    ) -> None:
        self._plan = plan
        self._slices = slices
        self._attributes = attributes
        self._options = options
        self._failed = failed
        self._is_rescaled = is_rescaled
        if not is_rescaled and any(frame.has_modality_lut for frame in plan.slices):
            raise ValueError("slices have a Modality LUT (PS3.3 C.11.1): read the volume with rescale=True")
        # First and last stored value of the padding; None without padding.
        self._padding: tuple[float, float] | None = None
        if plan.dtype.kind == "f":
            self._padding = _float_padding(attributes, plan.dtype)
        else:
            self._padding = padding_range(
                attributes.get("PixelPaddingValue"),
                attributes.get("PixelPaddingRangeLimit"),
                bits=_bits_stored(attributes, plan.dtype),
                is_signed=_integer(attributes, "PixelRepresentation") == 1,
            )
        self._is_inverted = options.invert
        if options.invert is None:
            shape = attributes.get("PresentationLUTShape")
            self._is_inverted = is_low_white(shape, plan.photometric_interpretation)

    def render(self, target: Array, threads: int, *, is_real_world: bool) -> None:
        """Render all slices into `target`."""
        rescales = self._rescales()
        vois = self._select_vois(is_real_world=is_real_world)
        if any(isinstance(voi, ValueRange) for voi in vois):
            measured = self._measure(rescales, vois)
            vois = [("RANGE", *measured) if isinstance(voi, ValueRange) else voi for voi in vois]
        keys = list(
            zip(rescales, vois, [(frame.rescale, frame.has_modality_lut) for frame in self._plan.slices], strict=True)
        )
        # Slices that are rendered alike are rendered in one call.
        for (rescale, voi, _), group in groupby(range(len(keys)), key=keys.__getitem__):
            indices = list(group)
            run = slice(indices[0], indices[-1] + 1)
            assert not isinstance(voi, ValueRange)
            resolved = ("RANGE", *self._full_range(rescale)) if isinstance(voi, FullRange) else voi
            self._render_run(run, rescale, resolved, target, threads)

    def _render_run(self, run: slice, rescale: _Rescale, voi: Voi, target: Array, threads: int) -> None:
        """Render neighbouring slices."""
        padding = None
        if self._padding is not None:
            if self._slices.dtype.kind == "f":
                for index in range(run.start, run.stop):
                    values = self._values(index)
                    rendering = _grayscale(values, voi, self._options, transform=rescale, inverted=self._is_inverted)
                    core.render_into(values, rendering, target[index], threads)
                return
            padding = self._integer_padding_of(run.start)
        rendering = _grayscale(
            self._slices, voi, self._options, transform=rescale, inverted=self._is_inverted, padding=padding
        )
        core.render_into(self._slices[run], rendering, target[run], threads)

    def _rescales(self) -> list[_Rescale]:
        """Return the rescale of each slice that is still to be applied; None for none."""
        if self._is_rescaled:
            return [None] * len(self._plan.slices)
        return [None if frame.rescale == _NO_RESCALE else frame.rescale for frame in self._plan.slices]

    def _values(self, index: int) -> Array:
        """Return a slice of floating-point type, with NaN for padding."""
        values: Array = self._slices[index]
        if self._padding is None or self._plan.slices[index].has_modality_lut:
            return values
        first, last = np.array(self._padding_of(index), values.dtype)
        return np.where((values >= first) & (values <= last), np.array(np.nan, values.dtype), values)

    def _padding_of(self, index: int) -> tuple[float, float]:
        """Return the ends of the padding in the values of a slice."""
        assert self._padding is not None
        return _rescaled(self._padding, self._plan.slices[index].rescale) if self._is_rescaled else self._padding

    def _integer_padding_of(self, index: int) -> tuple[int, int] | None:
        """Return the padding of a slice of integers; None if a Modality LUT has replaced it."""
        if self._padding is None or (self._is_rescaled and self._plan.slices[index].has_modality_lut):
            return None
        return _whole_numbers(self._padding_of(index))

    def _select_vois(self, *, is_real_world: bool) -> list[Voi | ValueRange | FullRange]:
        """Return the VOI transform of each slice."""
        options, slices = self._options, self._plan.slices
        if is_real_world and options.window == "first":
            # Windows are in modality units.
            return [ValueRange()] * len(slices)
        deviations: list[_deviations.Deviation] = []
        selected: dict[Any, Voi | ValueRange | FullRange] = {}
        vois = []
        for frame in slices:
            # Names and indices of windows are those of the file with the first slice.
            window = (self._plan.first_slice if frame.is_omitted else frame).window
            key = window if options.window == "first" else None
            if key not in selected:
                values = _window_attributes(window) if options.window == "first" else self._window_values()
                selected[key] = select_voi(
                    read_voi(values), options, has_negative_values=False, is_big_endian=False, deviations=deviations
                )
            vois.append(selected[key])
        _deviations.warn(list(dict.fromkeys(deviations)))
        return vois

    def _window_values(self) -> dict[str, Any]:
        """Return the windows of the first file, without VOI LUTs."""
        values: Mapping[str, Any] = self._attributes
        shared = values.get("SharedFunctionalGroupsSequence")
        if shared and (items := shared[0].get("FrameVOILUTSequence")):
            values = items[0]
        return {keyword: values[keyword] for keyword in VOI_KEYWORDS if keyword in values and keyword != _TABLES}

    def _full_range(self, rescale: _Rescale) -> tuple[float, float]:
        """Return the range of all values of the stored type."""
        dtype = self._plan.dtype
        if self._is_rescaled or dtype.kind == "f":
            raise ValueError("window='full' needs integer stored values")
        return range_of_type(dtype, _bits_stored(self._attributes, dtype), rescale)

    def _measure(self, rescales: list[_Rescale], vois: list[Voi | ValueRange | FullRange]) -> tuple[float, float]:
        """Return the range of the values of the slices that have no window."""
        window = self._options.window
        percentiles = window if isinstance(window, Percentiles) else None
        indices = [
            index
            for index, voi in enumerate(vois)
            if isinstance(voi, ValueRange) and index not in self._failed and not self._plan.slices[index].is_omitted
        ]
        if self._slices.dtype.kind == "f":
            return self._measure_floats(map(self._values, indices), percentiles)
        meter = ValueRangeMeter(percentiles, None)
        for index in indices:
            # Slices with different rescales have different values of padding.
            meter.padding = self._integer_padding_of(index)
            meter.add(self._slices[index], rescales[index])
        return meter.result()

    def _measure_floats(self, slices: Iterator[Array], percentiles: Percentiles | None) -> tuple[float, float]:
        if percentiles is None:
            meter = ValueRangeMeter(None, None)
            for values in slices:
                meter.add(values, None)
            return meter.result()
        finite = [values[np.isfinite(values)] for values in slices]
        joined = np.concatenate(finite) if finite else np.empty(0)
        if not joined.size:
            return 0.0, 0.0
        low, high = np.percentile(joined, [percentiles.low, percentiles.high], overwrite_input=True).tolist()
        return low, high


_TABLES = "VOILUTSequence"


def _window_attributes(window: tuple[float, float, str] | None) -> dict[str, Any]:
    if window is None:
        return {}
    return dict(zip(("WindowCenter", "WindowWidth", "VOILUTFunction"), window, strict=True))


def _float_padding(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> tuple[float, float] | None:
    """Return the padding of floating-point stored values (PS3.3 C.7.6.24, C.7.6.25)."""
    prefix = "Float" if dtype.itemsize == 4 else "DoubleFloat"
    first, last = (attributes.get(f"{prefix}PixelPadding{name}") for name in ("Value", "RangeLimit"))
    if not isinstance(first, float) or not math.isfinite(first):
        return None
    last = last if isinstance(last, float) and math.isfinite(last) else first
    return min(first, last), max(first, last)


def _rescaled(padding: tuple[float, float], rescale: _Rescale) -> tuple[float, float]:
    """Return the modality values of the ends of a padding, in ascending order."""
    slope, intercept = rescale or _NO_RESCALE
    first, last = sorted(end * slope + intercept for end in padding)
    return first, last


def _whole_numbers(ends: tuple[float, float]) -> tuple[int, int] | None:
    """Return numbers as integers; None if one is none."""
    return (int(ends[0]), int(ends[1])) if all(map(float.is_integer, map(float, ends))) else None


def _bits_stored(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> int:
    """Return Bits Stored, or the bits of the type if it is missing or does not fit."""
    bits = 8 * dtype.itemsize
    value = _integer(attributes, "BitsStored")
    return value if value is not None and 1 <= value <= bits else bits


def _integer(attributes: Mapping[str, Any], keyword: str) -> int | None:
    value = attributes.get(keyword)
    return value if isinstance(value, int) else None
