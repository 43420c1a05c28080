"""JPEG 2000 encoder (ITU-T T.800, and T.814 for HT code-blocks) with the options of different encoders.

`encode_frame` returns whole codestreams, or files in JP2 boxes, with the samples that decoders reconstruct.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders import jpeg2000_segments as segments
from support.encoders.jpeg2000_ebcot import HT
from support.encoders.jpeg2000_geometry import Rect, ceil_div
from support.encoders.jpeg2000_packets import PROGRESSIONS, Packet, Progression
from support.encoders.jpeg2000_segments import Coding, Component, marker
from support.encoders.jpeg2000_tiles import LayerOptions, Tile, encode_tile

Array = npt.NDArray[Any]

SOC, EOC = marker(segments.SOC), marker(segments.EOC)


@dataclass(frozen=True)
class Options:
    """Options of a codestream besides its samples.

    Attributes
    ----------
    coding : Coding
        Coding of all components (COD, QCD, RGN).
    components, tiles : mapping
        Coding of components by index (COC, QCC, RGN), and of all components of a tile by the tile's index.
    has_transform : bool
        Component transform: RCT or ICT.
    progressions : tuple
        One progression order, or those of a POC segment, which is in the first tile-part headers if `poc_in_tiles`.
    tile_size, offset, tile_offset : tuple of int
        Horizontal and vertical, on the reference grid.
    tile_parts : int
        Number of tile-parts of each tile; `mixes_tile_parts` writes the first ones of all tiles first.
    packed_headers : str
        "", "ppm" or "ppt"; `packed_bytes` is the maximum size of their segments.
    has_open_end : bool
        The last tile-part has no length (Psot is 0).
    main, tile_header : bytes
        Further segments of the main header, and of each tile-part header.
    reduce : int
        Number of resolutions that the reconstructed samples leave out.
    """

    coding: Coding = field(default_factory=Coding)
    components: Mapping[int, Coding] = field(default_factory=dict)
    tiles: Mapping[int, Coding] = field(default_factory=dict)
    has_transform: bool = False
    layers: LayerOptions = field(default_factory=LayerOptions)
    progressions: tuple[Progression, ...] = (Progression("LRCP"),)
    poc_in_tiles: bool = False
    tile_size: tuple[int, int] | None = None
    offset: tuple[int, int] = (0, 0)
    tile_offset: tuple[int, int] = (0, 0)
    tile_parts: int = 1
    mixes_tile_parts: bool = False
    sop: bool = False
    eph: bool = False
    packed_headers: str = ""
    packed_bytes: int = 65000
    plt: bool = False
    plm: bool = False
    tlm: bool = False
    has_open_end: bool = False
    capabilities: int = 0
    main: bytes = b""
    tile_header: bytes = b""
    eoc: bool = True
    reduce: int = 0

    def coding_of(self, tile: int, component: int) -> Coding:
        """Return the coding of a tile-component (A.6.1: a tile's COD has precedence over the main header's COC)."""
        return self.tiles.get(tile) or self.components.get(component, self.coding)


@dataclass(frozen=True)
class Encoded:
    """A codestream or file, and the samples of its components after reconstruction."""

    src: bytes
    planes: list[Array]

    @property
    def values(self) -> Array:
        """Samples as (rows, columns[, components]), of components that are not subsampled."""
        return self.planes[0] if len(self.planes) == 1 else np.stack(self.planes, -1)


@dataclass
class TilePart:
    """Packets of a tile-part, its header segments, and its parts of the data."""

    tile: int
    index: int
    packets: list[Packet]
    header: bytes
    lengths: list[int] = field(default_factory=list)
    packed: bytes = b""
    body: bytes = b""
    first_ppt: int = 0


class FrameEncoder:
    """Encodes a frame of components."""

    def __init__(self, components: Sequence[Component], size: tuple[int, int], options: Options) -> None:
        self.components, self.options = components, options
        left, top = options.offset
        self.image = Rect(left, top, left + size[1], top + size[0])
        self.tile_size = options.tile_size or (
            self.image.x1 - options.tile_offset[0],
            self.image.y1 - options.tile_offset[1],
        )
        self.columns, self.rows = (
            ceil_div(end - origin, side)
            for end, origin, side in zip(self.image[2:], options.tile_offset, self.tile_size, strict=True)
        )

    def tile_area(self, index: int) -> Rect:
        row, column = divmod(index, self.columns)
        width, height = self.tile_size
        x, y = self.options.tile_offset[0] + column * width, self.options.tile_offset[1] + row * height
        return Rect(x, y, x + width, y + height).intersect(self.image)

    def covered(self, tile: Rect, component: Component, reduce: int = 0) -> tuple[slice, slice]:
        """Return the rows and columns of a component that a tile covers."""
        scale = 1 << reduce
        origin, area = (rect.divide(*component.subsampling).divide(scale, scale) for rect in (self.image, tile))
        return slice(area.y0 - origin.y0, area.y1 - origin.y0), slice(area.x0 - origin.x0, area.x1 - origin.x0)

    def encode_tile(self, planes: Sequence[Array], index: int) -> Tile:
        area = self.tile_area(index)
        parts = zip(planes, self.components, strict=True)
        return encode_tile(
            [plane[self.covered(area, component)] for plane, component in parts],
            area,
            self.components,
            [self.options.coding_of(index, component) for component in range(len(self.components))],
            has_transform=self.options.has_transform,
            layers=self.options.layers,
            progressions=self.options.progressions,
            reduce=self.options.reduce,
        )

    def precision(self, component: int, coding: Coding) -> int:
        """Return the precision that the exponents of a component's bands are based on."""
        is_rct = self.options.has_transform and coding.wavelet == "5/3"
        return self.components[component].precision + is_rct

    def coding_segments(self, coding: Coding) -> bytes:
        """Return COD and QCD."""
        options = self.options
        progression = PROGRESSIONS.index(options.progressions[0].order)
        style = segments.cod(
            coding,
            progression,
            options.layers.count,
            has_transform=options.has_transform,
            sop=options.sop,
            eph=options.eph,
        )
        return style + segments.qcd(coding, self.precision(0, coding))

    def component_segments(self, tile: int | None = None) -> bytes:
        """Return COC, QCC and RGN where components differ from the first one's COD and QCD."""
        options, count, out = self.options, len(self.components), b""
        is_tile = tile is not None
        for index in range(count):
            general = options.tiles[tile] if is_tile else options.coding
            coding = general if is_tile else options.coding_of(-1, index)
            if coding.style_bytes != general.style_bytes:
                out += segments.coc(index, count, coding)
            quantization = coding.quantization_bytes(self.precision(index, coding))
            if quantization != general.quantization_bytes(self.precision(0, general)):
                out += segments.qcc(index, count, coding, self.precision(index, coding))
            if coding.roi_shift:
                out += segments.rgn(index, count, coding.roi_shift)
        return out

    def poc(self) -> bytes:
        progressions = self.options.progressions
        if len(progressions) == 1:
            return b""
        count = len(self.components)
        return segments.segment(segments.POC, b"".join(order.to_bytes(count) for order in progressions))

    def main_header(self) -> bytes:
        options = self.options
        codings = [options.coding, *options.components.values(), *options.tiles.values()]
        is_ht = any(coding.style & HT for coding in codings)
        capabilities = options.capabilities | segments.HT_CAPABILITY * is_ht
        areas = *self.image[2:], *options.offset, *self.tile_size, *options.tile_offset
        out = SOC + segments.siz(areas, self.components, capabilities)
        if is_ht:
            out += segments.cap(codings)
        out += self.coding_segments(options.coding) + self.component_segments()
        return out + (b"" if options.poc_in_tiles else self.poc()) + options.main

    def tile_parts(self, tile: Tile, index: int) -> list[TilePart]:
        """Divide the packets of a tile, and write their data."""
        options, count = self.options, self.options.tile_parts
        first = options.tile_header
        if index in options.tiles:
            first = self.coding_segments(options.tiles[index]) + self.component_segments(index) + first
        first += self.poc() if options.poc_in_tiles else b""
        packets, number = tile.packets, 0
        parts: list[TilePart] = []
        for number_of_part in range(count):
            share = packets[len(packets) * number_of_part // count : len(packets) * (number_of_part + 1) // count]
            out = TilePart(index, number_of_part, share, first if number_of_part == 0 else options.tile_header)
            for packet in share:
                sop = marker(segments.SOP) + struct.pack(">HH", 4, number & 0xFFFF) if options.sop else b""
                header = packet.header + (marker(segments.EPH) if options.eph else b"")
                number += 1
                data = sop + (b"" if options.packed_headers else header) + packet.body
                out.packed += header if options.packed_headers else b""
                out.lengths.append(len(data))
                out.body += data
            # PPT segments of a tile have successive numbers.
            out.first_ppt = sum(segments.segment_count(part.packed, options.packed_bytes) for part in parts)
            parts.append(out)
        return parts

    def tile_part_bytes(self, part: TilePart, *, is_open: bool) -> bytes:
        options = self.options
        header = part.header
        if options.packed_headers == "ppt":
            header += segments.numbered_segments(segments.PPT, part.packed, options.packed_bytes, part.first_ppt)
        if options.plt:
            header += segments.numbered_segments(segments.PLT, segments.packet_lengths(part.lengths), 65000)
        body = header + marker(segments.SOD) + part.body
        length = 0 if is_open else 12 + len(body)
        fields = struct.pack(">HLBB", part.tile, length, part.index, options.tile_parts)
        return segments.segment(segments.SOT, fields) + body

    def encode(self, planes: Sequence[Array]) -> Encoded:
        options = self.options
        scale = 1 << options.reduce
        areas = [self.image.divide(*component.subsampling).divide(scale, scale) for component in self.components]
        restored = [np.zeros((area.height, area.width), np.int64) for area in areas]
        parts: list[TilePart] = []
        for index in range(self.rows * self.columns):
            tile, area = self.encode_tile(planes, index), self.tile_area(index)
            for plane, component, values in zip(restored, self.components, tile.planes, strict=True):
                plane[self.covered(area, component, options.reduce)] = values
            parts += self.tile_parts(tile, index)
        if options.mixes_tile_parts:
            parts.sort(key=lambda part: (part.index, part.tile))
        out = self.main_header() + self.index_segments(parts)
        for part in parts:
            out += self.tile_part_bytes(part, is_open=options.has_open_end and part is parts[-1])
        return Encoded(out + (EOC if options.eoc else b""), restored)

    def index_segments(self, parts: Sequence[TilePart]) -> bytes:
        """Return TLM, PLM and PPM segments of all tile-parts."""
        options, out = self.options, b""
        if options.tlm:
            entries = [(part.tile, len(self.tile_part_bytes(part, is_open=False))) for part in parts]
            # Stlm: tile numbers of two bytes, lengths of four.
            payload = b"\0\x60" + b"".join(struct.pack(">HL", *entry) for entry in entries)
            out += segments.segment(segments.TLM, payload)
        if options.plm:
            lengths = [segments.packet_lengths(part.lengths) for part in parts]
            data = b"".join(bytes([len(part)]) + part for part in lengths)
            out += segments.segment(segments.PLM, b"\0" + data)
        if options.packed_headers == "ppm":
            data, breaks = b"", []
            for part in parts:
                breaks.append(len(data))
                data += struct.pack(">L", len(part.packed)) + part.packed
            out += segments.numbered_segments(segments.PPM, data, options.packed_bytes, breaks=breaks)
        return out


def components_of(
    arr: Array,
    precision: int | Sequence[int] | None,
    is_signed: bool | Sequence[bool] | None,
    subsampling: Sequence[tuple[int, int]] | None,
) -> list[Component]:
    """Return the components of (rows, columns, components) of samples."""
    count = arr.shape[2]
    bits = arr.dtype.itemsize * 8 if precision is None else precision
    signs = arr.dtype.kind == "i" if is_signed is None else is_signed
    bits = [bits] * count if isinstance(bits, int) else bits
    signs = [signs] * count if isinstance(signs, bool) else signs
    steps = subsampling or [(1, 1)] * count
    return [Component(*fields) for fields in zip(bits, signs, steps, strict=True)]


def encode_frame(
    arr: Array,
    *,
    precision: int | Sequence[int] | None = None,
    is_signed: bool | Sequence[bool] | None = None,
    subsampling: Sequence[tuple[int, int]] | None = None,
    file: Mapping[str, str] | None = None,
    options: Options | None = None,
    **changes: Any,
) -> Encoded:
    """Encode one frame.

    Parameters
    ----------
    arr : ndarray
        (rows, columns) or (rows, columns, components) of integers; subsampled components take each n-th sample.
    precision, is_signed, subsampling :
        Of all components or of each; subsampling is horizontal and vertical.
    file : mapping or None
        Writes JP2 boxes with the options of `jpeg2000_segments.jp2`.
    options, **changes :
        `Options`, or its fields. Fields of `Coding` change the coding of all components.
    """
    samples = arr if arr.ndim == 3 else arr[..., None]
    components = components_of(samples, precision, is_signed, subsampling)
    options = options or make_options(**changes)
    frame = FrameEncoder(components, samples.shape[:2], options)
    planes = []
    for index, component in enumerate(components):
        area = frame.image.divide(*component.subsampling)
        dx, dy = component.subsampling
        first = area.y0 * dy - frame.image.y0, area.x0 * dx - frame.image.x0
        planes.append(samples[first[0] :: dy, first[1] :: dx, index])
    encoded = frame.encode(planes)
    if file is None:
        return encoded
    return Encoded(segments.jp2(encoded.src, *samples.shape[:2], components, **file), encoded.planes)


def make_options(**changes: Any) -> Options:
    """Return `Options` from its fields and from those of `Coding`; `progression` and `layer_count` are short forms."""
    if "progression" in changes:
        changes["progressions"] = (Progression(changes.pop("progression")),)
    if "layer_count" in changes:
        changes["layers"] = LayerOptions(changes.pop("layer_count"), changes.pop("layer_seed", None))
    coding = {name: changes.pop(name) for name in list(changes) if name in Coding.__dataclass_fields__}
    if coding:
        changes["coding"] = Coding(**coding)
    return Options(**changes)


def encode(arr: Array, **options: Any) -> bytes:
    """Encode one frame with the options of `encode_frame`."""
    return encode_frame(arr, **options).src
