"""From the attributes of an object to the rendering of each of its frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from dicoxide._arguments import Array
from dicoxide._backend import core
from dicoxide._deviations import Deviation
from dicoxide._rendering._attribute_values import read_values
from dicoxide._rendering._gray_attributes import drop_unusable, is_low_white, padding_range
from dicoxide._rendering._options import RenderOptions
from dicoxide._rendering._overlays import Overlay, read_overlays
from dicoxide._rendering._palette import Palette, read_palette, scaled_entries
from dicoxide._rendering._segments import Segmentation
from dicoxide._rendering._value_range import range_of_type
from dicoxide._rendering._windows import (
    VOI_KEYWORDS,
    FullRange,
    ValueRange,
    Voi,
    VoiAttributes,
    read_voi,
    select_voi,
)
from dicoxide._sources import Attributes, Source, Transform
from dicoxide._transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, VIDEO_CODECS
from dicoxide.errors import CorruptFrameError, UnsupportedError

if TYPE_CHECKING:
    from dicoxide._core import Rendering

__all__ = ["Kind", "Presentation"]

# Steps from stored values to the output: window or table, palette, colours of segments, gray or colours by a
# supplemental palette, values of a palette as gray ones, samples of three colours.
Kind: TypeAlias = Literal["gray", "palette", "segments", "supplemental", "indices", "color"]

_KEYWORDS = (
    *VOI_KEYWORDS,
    "PresentationLUTShape",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "SOPClassUID",
    "PixelPresentation",
    "SegmentationType",
    "ModalityLUTSequence",
    "DoseGridScaling",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
# The rendering of an image that has no others depends on these; their values are numbers and text. SOP Class UID is one
# because RT Dose without Dose Grid Scaling is an error.
_PLAIN_KEYWORDS = frozenset(_KEYWORDS[: _KEYWORDS.index("PixelPresentation")]) - {"VOILUTSequence"}
_SEGMENTATION_TYPES = frozenset({"BINARY", "FRACTIONAL", "LABELMAP"})
# Photometric interpretations that decode to RGB (PS3.3 C.7.6.3.1.2).
_RGB = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "XYB"})


class Presentation:
    """The attributes of one object that determine the rendering of its frames.

    Parameters
    ----------
    source : Source
        The object.

    Attributes
    ----------
    deviations : list of Deviation
        Deviations of the attributes that have been used since the list was cleared.
    """

    def __init__(self, source: Source) -> None:
        self.deviations: list[Deviation] = []
        self.spec = source.spec
        self._source = source
        # Empty until it is read: a tuple of one.
        self._padding: tuple[tuple[float, float] | None, ...] = ()
        self._is_big_endian = source.spec.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN
        # VOI attributes by frame index; those that are common to all by None.
        self._voi_attributes: dict[int | None, VoiAttributes | None] = {}
        # Colours depend on none of them.
        self._values: dict[str, Any] = {}
        # True if the rendering of a gray image depends on a few plain attributes only.
        self.is_plain = False
        if self.spec.samples_per_pixel == 1:
            self._values = values = read_values(source.attributes, _KEYWORDS, self.deviations)
            self.deviations += drop_unusable(values)
            self.is_plain = not self.deviations and values.keys() <= _PLAIN_KEYWORDS and not self.spec.is_float

    @property
    def _attributes(self) -> Attributes:
        return self._source.attributes

    @property
    def _shared(self) -> Attributes | None:
        items = self._values.get("SharedFunctionalGroupsSequence")
        return items[0] if items else None

    @property
    def _per_frame(self) -> Sequence[Attributes]:
        return self._values.get("PerFrameFunctionalGroupsSequence") or ()

    @cached_property
    def _palette(self) -> Palette:
        palette, deviations = read_palette(
            self._attributes, is_signed=self.spec.pixel_representation == 1, is_big_endian=self._is_big_endian
        )
        self.deviations += deviations
        return palette

    @cached_property
    def _segmentation(self) -> Segmentation:
        segmentation = Segmentation(
            self._values["SegmentationType"],
            self._attributes,
            self._shared,
            self._per_frame,
            bits=self.spec.bits_stored or self.spec.bits_allocated,
        )
        self.deviations += segmentation.deviations
        return segmentation

    @cached_property
    def overlays(self) -> list[Overlay]:
        """Overlays that can be applied."""
        overlays, deviations = read_overlays(self._attributes, self.spec)
        self.deviations += deviations
        return overlays

    @cached_property
    def color_transform(self) -> Any:
        """Pillow's transform to sRGB by the ICC profile, or None if there is no profile that can be used."""
        from dicoxide._rendering._icc import read_profile, srgb_transform

        profile = read_profile(self._attributes, self.deviations)
        if profile is None:
            return None
        transform, deviation = srgb_transform(profile)
        self.deviations += [] if deviation is None else [deviation]
        return transform

    def kind(self, options: RenderOptions) -> Kind:
        """Return the steps from stored values to the output.

        Raises
        ------
        UnsupportedError
            If the samples have no defined rendering.
        """
        spec = self.spec
        interpretation = spec.photometric_interpretation
        if spec.samples_per_pixel == 3 and (interpretation in _RGB or spec.transfer_syntax in VIDEO_CODECS):
            return "color"
        if spec.samples_per_pixel != 1:
            text = (
                f"rendering of {spec.samples_per_pixel} samples per pixel with photometric interpretation "
                f"{interpretation!r} (PS3.3 C.7.6.3.1.2)"
            )
            raise UnsupportedError(text, clause="PS3.3 C.7.6.3.1.2", transfer_syntax=spec.transfer_syntax)
        if interpretation == "PALETTE COLOR":
            return "palette" if options.palette else "indices"
        values = self._values
        if self._is_segmentation:
            return "segments" if options.palette else "indices"
        if options.palette and values.get("PixelPresentation") in ("COLOR", "MIXED") and self._has_palette:
            return "supplemental"
        return "gray"

    def plain_key(self, options: RenderOptions) -> Any:
        """Return a key that is equal for gray images with equal renderings; they have to be `is_plain`."""
        values = self._values
        items = tuple([tuple(value) if type(value) is list else value for value in values.values()])
        return self.spec, tuple(values), items, options

    @property
    def _is_segmentation(self) -> bool:
        value = self._values.get("SegmentationType")
        # Several values are a list.
        return isinstance(value, str) and value in _SEGMENTATION_TYPES

    @cached_property
    def _has_palette(self) -> bool:
        return "RedPaletteColorLookupTableDescriptor" in self._attributes

    @property
    def padding(self) -> tuple[float, float] | None:
        """First and last stored value of Pixel Padding Value and Range Limit (PS3.3 C.7.5.1.1.2), or None."""
        padding = self._padding
        if not padding:
            padding = self._padding = (self._float_padding() if self.spec.is_float else self._integer_padding(),)
        return padding[0]

    def _integer_padding(self) -> tuple[int, int] | None:
        return padding_range(
            self._values.get("PixelPaddingValue"),
            self._values.get("PixelPaddingRangeLimit"),
            bits=self.spec.bits_stored or self.spec.bits_allocated,
            is_signed=self.spec.pixel_representation == 1,
        )

    def _float_padding(self) -> tuple[float, float] | None:
        """Padding of floating-point values (PS3.3 C.7.6.24, C.7.6.25)."""
        prefix = "Float" if self.spec.pixel_keyword == "FloatPixelData" else "DoubleFloat"
        names = f"{prefix}PixelPaddingValue", f"{prefix}PixelPaddingRangeLimit"
        first, last = map(self._attributes.get_many(names).get, names)
        if not isinstance(first, float) or not math.isfinite(first):
            return None
        last = last if isinstance(last, float) and math.isfinite(last) else first
        return min(first, last), max(first, last)

    def is_inverted(self, options: RenderOptions) -> bool:
        """Return True if the smallest value is displayed as white (PS3.3 C.11.6.1.2, C.7.6.3.1.2)."""
        if options.invert is not None:
            return options.invert
        return is_low_white(self._values.get("PresentationLUTShape"), self.spec.photometric_interpretation)

    def select_vois(
        self, indices: Sequence[int], transforms: Sequence[Transform], options: RenderOptions
    ) -> list[Voi | ValueRange | FullRange]:
        """Return the VOI transform of each frame in `indices`, or one for all."""
        if options.is_absolute:
            return [self._select_voi(None, None, options)]
        owners = self._voi_owners(indices)
        if len(owners) == 1 and len(transforms) <= 1:
            return [self._select_voi(owners[0], transforms[0] if transforms else None, options)]
        # Equal frames share one, so that a VOI LUT is read once.
        selected: dict[Any, Voi | ValueRange | FullRange] = {}
        vois = []
        for position in range(len(indices)):
            owner = owners[position if len(owners) > 1 else 0]
            transform = None if not transforms else transforms[position if len(transforms) > 1 else 0]
            if (owner, transform) not in selected:
                selected[owner, transform] = self._select_voi(owner, transform, options)
            vois.append(selected[owner, transform])
        return vois

    def _voi_owners(self, indices: Sequence[int]) -> list[int | None]:
        """Return the index of each frame that has VOI attributes of its own, and None for others; or one None."""
        groups = self._per_frame
        owners = [index if index < len(groups) and self._group_voi(index, groups[index]) else None for index in indices]
        return owners if any(owner is not None for owner in owners) else [None]

    def _group_voi(self, key: int | None, group: Attributes | None) -> VoiAttributes | None:
        """Return the VOI attributes of functional groups, read once."""
        if key not in self._voi_attributes:
            keyword = "FrameVOILUTSequence"
            items = () if group is None else read_values(group, (keyword,), self.deviations).get(keyword)
            values = read_values(items[0], VOI_KEYWORDS, self.deviations) if items else {}
            self._voi_attributes[key] = read_voi(values)
        return self._voi_attributes[key]

    def _select_voi(
        self, owner: int | None, transform: Transform | None, options: RenderOptions
    ) -> Voi | ValueRange | FullRange:
        attributes = self._voi_attributes.get(owner)
        if owner is None and attributes is None:
            attributes = self._group_voi(None, self._shared) or read_voi(self._values)
            self._voi_attributes[None] = attributes
        # Only VOI LUTs depend on the sign of the values.
        has_negative_values = (
            attributes is not None
            and bool(attributes.tables)
            and not self.spec.is_float
            and self._full(transform)[0] < 0
        )
        voi = select_voi(
            attributes,
            options,
            has_negative_values=has_negative_values,
            is_big_endian=self._is_big_endian,
            deviations=self.deviations,
        )
        if isinstance(voi, ValueRange) and options.window == "first" and self.spec.bits_stored == 1:
            return FullRange()
        if isinstance(voi, FullRange) and self.spec.is_float:
            raise ValueError("window='full' needs integer stored values")
        return voi

    def _full(self, transform: Transform | None) -> tuple[float, float]:
        """Return the range of the modality values of the stored type."""
        return range_of_type(self.spec.dtype, self.spec.bits_stored or self.spec.bits_allocated, transform)

    def gray(
        self,
        voi: Voi | FullRange,
        transform: Transform | None,
        options: RenderOptions,
        *,
        bits: int,
        is_supplemental: bool = False,
    ) -> Rendering:
        """Return the rendering of a frame of gray stored values.

        `bits` is the number of significant bits of the stored values: Bits Stored, or all bits of the type for arrays.
        """
        if isinstance(voi, FullRange):
            voi = ("RANGE", *self._full(transform))
        if voi[0] == "RANGE" and not math.isfinite(voi[2] - voi[1]):
            text = f"modality values from {voi[1]:g} to {voi[2]:g} found, finite ones expected (PS3.3 C.11.1)"
            raise CorruptFrameError(text, kind="Malformed", clause="PS3.3 C.11.1")
        if transform == (1.0, 0.0):
            transform = None
        inverted, padding, stored = self.is_inverted(options), self.padding, _name(self.spec.dtype)
        if isinstance(voi[0], str) and (transform is None or isinstance(transform, tuple)):
            rendering = _cached_grayscale(stored, bits, voi, transform, inverted, padding, options.dtype)
        else:
            rendering = core.Rendering.grayscale(
                stored, bits, voi, transform=transform, inverted=inverted, padding=padding, dtype=options.dtype
            )
        return self._supplemental(rendering, options) if is_supplemental else rendering

    def _supplemental(self, gray: Rendering, options: RenderOptions) -> Rendering:
        """Return the rendering of gray values before the first value mapped, and colours of a palette after it.

        PS3.3 C.7.6.16.1.1.3, C.8.16.2.1.1.1 (Pixel Presentation) and C.7.6.19 (Supplemental Palette Color LUT).
        """
        dtype = self.spec.dtype
        if dtype.kind not in "iu" or dtype.itemsize > 2:
            text = f"supplemental palette with stored values of {dtype}, 8 or 16 bits expected (PS3.3 C.7.6.19)"
            raise UnsupportedError(text, clause="PS3.3 C.7.6.19", transfer_syntax=self.spec.transfer_syntax)
        limits = np.iinfo(dtype)
        stored = np.arange(limits.min, limits.max + 1).astype(dtype)
        levels = np.empty(stored.shape, options.dtype)
        core.render_into(stored, gray, levels)
        table = np.repeat(levels[:, None], 3, axis=1)
        palette = self._palette
        first = max(palette.first_mapped, int(limits.min)) - int(limits.min)
        colors = scaled_entries(palette.entries, options.dtype)[max(0, int(limits.min) - palette.first_mapped) :]
        mapped = table[first:]
        mapped[: len(colors)] = colors[: len(mapped)]
        if len(colors):
            mapped[len(colors) :] = colors[-1]
        return core.Rendering.table(int(limits.min), np.ascontiguousarray(table))

    def colored(self, index: int, kind: Kind, options: RenderOptions) -> Rendering:
        """Return the rendering of a frame by a palette or the colours of its segments."""
        if kind == "palette":
            palette = self._palette
            return core.Rendering.table(palette.first_mapped, scaled_entries(palette.entries, options.dtype))
        return core.Rendering.table(0, self._segmentation.entries(index, options.dtype))

    def color_groups(self, indices: Sequence[int], kind: Kind) -> list[int]:
        """Return for each frame a number that is equal if the tables of :meth:`colored` are; one number for all."""
        if kind == "palette":
            return [0]
        numbers = [self._segmentation.number(index) for index in indices]
        return numbers[:1] if len(set(numbers)) == 1 else numbers

    def samples(self, options: RenderOptions, *, bits: int, is_index: bool = False) -> Rendering | None:
        """Return the rendering that scales samples of any type to the output; None if they are the output.

        Parameters
        ----------
        options : RenderOptions
        bits : int
            Significant bits for the table, as for :meth:`gray`.
        is_index : bool
            True for palette indices and segments, which are scaled from 0 to the largest one.
        """
        spec = self.spec
        if not is_index and _name(spec.dtype) == options.dtype == "uint8" and spec.bits_stored in (8, None):
            return None
        if spec.is_float:
            text = "rendering of colours of floating-point samples (PS3.3 C.7.6.3.1.2)"
            raise UnsupportedError(text, clause="PS3.3 C.7.6.3.1.2", transfer_syntax=spec.transfer_syntax)
        low, high = self._full(None)
        if is_index and self._values.get("SegmentationType") == "FRACTIONAL":
            high = float(self._segmentation.maximum)
        return _cached_grayscale(_name(spec.dtype), bits, ("RANGE", low, high), None, False, None, options.dtype)


@lru_cache(maxsize=64)
def _cached_grayscale(
    stored: str,
    bits: int,
    voi: Any,
    transform: tuple[float, float] | None,
    inverted: bool,
    padding: tuple[float, float] | None,
    dtype: str,
) -> Rendering:
    """Return a rendering; equal ones are shared, because making the table takes as long as decoding a small frame."""
    return core.Rendering.grayscale(
        stored, bits, voi, transform=transform, inverted=inverted, padding=padding, dtype=dtype
    )


@lru_cache(maxsize=16)
def _name(dtype: np.dtype[Any]) -> str:
    """Return the NumPy name of a type; cached, because NumPy composes it."""
    return dtype.name


def all_bits(stored: Array) -> int:
    """Return the number of bits of the type of an array."""
    return stored.dtype.itemsize * 8
