"""Encoding of one tile of JPEG 2000 into packets, with the samples that decoders reconstruct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders import jpeg2000_ht as ht
from support.encoders import jpeg2000_wavelet as wavelet
from support.encoders.jpeg2000_ebcot import CAUSAL, HT, CodedBlock, doubled_midpoints, encode_block
from support.encoders.jpeg2000_geometry import Band, Rect, Resolution, resolutions_of
from support.encoders.jpeg2000_packets import (
    BandBlock,
    BandPrecinct,
    Packet,
    PrecinctEncoder,
    Progression,
    packet_order,
)
from support.encoders.jpeg2000_segments import Coding, Component

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LayerOptions:
    """Number of layers, seed of the passes in each, and how packets without passes are written."""

    count: int = 1
    seed: int | None = None
    marks_empty: bool = True

    def ends(self, pass_count: int, rng: np.random.Generator) -> list[int]:
        """Return the number of passes up to each layer: even without a seed, else random."""
        if self.seed is None:
            return [pass_count * (layer + 1) // self.count for layer in range(self.count)]
        return [*sorted(rng.integers(0, pass_count, self.count - 1, endpoint=True).tolist()), pass_count]


def band_arrays(plane: Array, component: Rect, coding: Coding) -> dict[tuple[str, int], Array]:
    """Return the coefficients of each band by kind and level."""
    arrays, low = {}, plane
    for level in range(1, coding.levels + 1):
        scale = 1 << level - 1
        area = component.divide(scale, scale)
        parts = wavelet.split(low, area.x0, area.y0, coding.wavelet)
        low = parts.pop("LL")
        arrays |= {(kind, level): part for kind, part in parts.items()}
    arrays["LL", coding.levels] = low
    return arrays


def merge_bands(arrays: dict[tuple[str, int], Array], component: Rect, coding: Coding, reduce: int) -> Array:
    """Return the samples of a resolution; `reduce` is the number of larger ones."""
    low = arrays["LL", coding.levels]
    for level in range(coding.levels, reduce, -1):
        scale = 1 << level - 1
        area = component.divide(scale, scale)
        bands = {"LL": low, **{kind: arrays[kind, level] for kind in ("HL", "LH", "HH")}}
        low = wavelet.merge(bands, area.x0, area.y0, coding.wavelet)
    return low


@dataclass
class Quantized:
    """A quantized band.

    Attributes
    ----------
    integers : ndarray
        Quantized coefficients, those of the region of interest scaled.
    doubled : ndarray
        Twice the integers that a decoder reconstructs, because it takes the middle of the interval.
    bit_planes : int
        Magnitude bit-planes, with those of the region of interest.
    step : float
        Quantization step, 1 for 5/3.
    """

    integers: Array
    doubled: Array
    bit_planes: int
    step: float

    def restored(self, coding: Coding) -> Array:
        """Return the coefficients that a decoder reconstructs (E.1)."""
        magnitudes = np.abs(self.doubled)
        if coding.roi_shift:
            is_scaled = magnitudes >= 2 << coding.roi_shift
            magnitudes = np.where(is_scaled, (magnitudes >> coding.roi_shift) | 1, magnitudes)
        signs = np.sign(self.doubled)
        return signs * (magnitudes >> 1) if coding.wavelet == "5/3" else signs * magnitudes * (self.step / 2)


def quantize(values: Array, band: Band, coding: Coding, precision: int) -> Quantized:
    """Quantize a band (E.1, E.2) and scale its region of interest (H.1)."""
    exponent, mantissa = coding.band_step(band, precision)
    bit_planes = coding.guard_bits + exponent - 1
    step, integers = 1.0, values
    if coding.wavelet == "9/7":
        step = 2.0 ** (precision + band.gain_bits - exponent) * (1 + mantissa / 2048)
        integers = (np.sign(values) * np.floor(np.abs(values) / step)).astype(np.int64)
    assert int(np.abs(integers).max(initial=0)).bit_length() <= bit_planes, "more bit-planes than declared"
    if coding.roi_shift:
        rows, columns = integers.shape
        integers = integers.copy()
        assert np.abs(integers).max(initial=0) < 1 << coding.roi_shift - 1
        integers[rows // 3 : 2 * rows // 3 + 1, columns // 4 : columns // 2 + 1] *= 1 << coding.roi_shift
    return Quantized(integers, np.zeros_like(integers), bit_planes + coding.roi_shift, step)


@lru_cache(maxsize=4096)
def code_block(data: bytes, shape: tuple[int, int], band: str, coding: Coding) -> CodedBlock:
    """Encode a code-block of 64-bit integers; equal ones are encoded once, for example for each reduced resolution."""
    coefficients = np.frombuffer(data, np.int64).reshape(shape)
    if coding.style & HT:
        return ht.encode_block(
            coefficients,
            plane=coding.ht_plane,
            pass_count=coding.ht_passes,
            is_causal=bool(coding.style & CAUSAL),
        )
    return encode_block(coefficients, band, coding.style, max_passes=coding.max_passes)


class ComponentEncoder:
    """Codes a tile-component: its resolutions, and the code-blocks of each precinct."""

    def __init__(self, plane: Array, tile: Rect, component: Component, coding: Coding, precision: int) -> None:
        self.area = tile.divide(*component.subsampling)
        self.coding = coding
        self.resolutions: list[Resolution] = resolutions_of(
            tile, component.subsampling, coding.levels, coding.block_exponents, coding.precinct_exponents
        )
        arrays = band_arrays(plane, self.area, coding)
        self.bands: dict[Band, Quantized] = {}
        for resolution in self.resolutions:
            for band in resolution.bands:
                self.bands[band] = quantize(arrays[band.kind, band.level], band, coding, precision)

    def restored(self, reduce: int) -> Array:
        """Return the samples that a decoder reconstructs, once all code-blocks are coded."""
        bands = self.bands.items()
        arrays = {(band.kind, band.level): quantized.restored(self.coding) for band, quantized in bands}
        return merge_bands(arrays, self.area, self.coding, reduce)

    def precincts(self, layers: LayerOptions, rng: np.random.Generator) -> list[list[PrecinctEncoder]]:
        """Return an encoder for each precinct of each resolution."""
        return [
            [
                PrecinctEncoder(
                    [self.band_precinct(band, rows, layers, rng) for band, rows in precinct.blocks],
                    marks_empty=layers.marks_empty,
                )
                for precinct in resolution.precincts
            ]
            for resolution in self.resolutions
        ]

    def band_precinct(
        self, band: Band, rows: Sequence[Sequence[Rect]], layers: LayerOptions, rng: np.random.Generator
    ) -> BandPrecinct:
        quantized, origin = self.bands[band], band.rect
        blocks = []
        for row in rows:
            blocks.append([])
            for area in row:
                covered = (
                    slice(area.y0 - origin.y0, area.y1 - origin.y0),
                    slice(area.x0 - origin.x0, area.x1 - origin.x0),
                )
                coefficients = quantized.integers[covered]
                coded = code_block(coefficients.tobytes(), coefficients.shape, band.kind, self.coding)
                quantized.doubled[covered] = doubled_midpoints(coefficients, coded.lowest_planes)
                ends = layers.ends(len(coded.passes), rng)
                if self.coding.style & HT:
                    # All passes of an HT code-block are in one layer; OpenJPEG and OpenJPH refuse others.
                    ends = [end if end == len(coded.passes) else 0 for end in ends]
                missing = quantized.bit_planes - coded.bit_planes
                blocks[-1].append(BandBlock(coded, missing, ends, self.coding.ht_placeholders))
        return BandPrecinct(blocks)


@dataclass(frozen=True)
class Tile:
    """Packets of a tile in their order, and the samples of its components after reconstruction."""

    packets: list[Packet]
    planes: list[Array]


def encode_tile(
    planes: Sequence[Array],
    tile: Rect,
    components: Sequence[Component],
    codings: Sequence[Coding],
    *,
    has_transform: bool,
    layers: LayerOptions,
    progressions: Sequence[Progression],
    reduce: int,
) -> Tile:
    """Encode a tile; `planes` are the samples of its components, and `reduce` applies to the reconstructed ones."""
    shifts = [0 if component.is_signed else 1 << component.precision - 1 for component in components]
    levelled = [plane.astype(np.int64) - shift for plane, shift in zip(planes, shifts, strict=True)]
    kind = codings[0].wavelet
    if has_transform:
        levelled = wavelet.transform_components(levelled, kind)
    encoders = []
    for plane, component, coding in zip(levelled, components, codings, strict=True):
        values = plane if coding.wavelet == "5/3" else plane.astype(float)
        # The RCT adds a bit (G.2).
        precision = component.precision + (has_transform and coding.wavelet == "5/3")
        encoders.append(ComponentEncoder(values, tile, component, coding, precision))
    rng = np.random.default_rng(layers.seed)
    precincts = [encoder.precincts(layers, rng) for encoder in encoders]
    order = packet_order([encoder.resolutions for encoder in encoders], layers.count, progressions)
    packets = [precincts[key.component][key.resolution][key.precinct].encode(key) for key in order]
    restored = [encoder.restored(reduce) for encoder in encoders]
    if has_transform:
        restored = wavelet.restore_components(restored, kind)
    results = []
    for plane, component, shift in zip(restored, components, shifts, strict=True):
        low = -(1 << component.precision - 1) if component.is_signed else 0
        results.append(np.clip(np.rint(plane).astype(np.int64) + shift, low, low + (1 << component.precision) - 1))
    return Tile(packets, results)
