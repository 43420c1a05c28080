"""Packets of JPEG 2000 and their order, written from ITU-T T.800 Annex B."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from support.encoders.jpeg2000_ebcot import CodedBlock
from support.encoders.jpeg2000_geometry import Resolution
from support.encoders.jpeg2000_mq import StuffedBits

# Progression orders (Table A.16).
PROGRESSIONS = ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")


class TagTree:
    """Encoder of a tag tree (B.10.2) of values by rows."""

    def __init__(self, width: int, height: int, values: Sequence[int]) -> None:
        self.widths, self.levels = [width], [list(values)]
        while len(self.levels[-1]) > 1:
            below, half_width, half_height = self.levels[-1], (width + 1) // 2, (height + 1) // 2
            parents = [10**9] * (half_width * half_height)
            for index, value in enumerate(below):
                parent = index // width // 2 * half_width + index % width // 2
                parents[parent] = min(parents[parent], value)
            self.levels.append(parents)
            self.widths.append(half_width)
            width, height = half_width, half_height
        # Bound that the bits so far have given each node, and nodes whose value is known.
        self.bounds = [[0] * len(level) for level in self.levels]
        self.is_known = [[False] * len(level) for level in self.levels]

    def encode(self, leaf: int, threshold: int, bits: StuffedBits) -> None:
        """Append the bits that say if the value of a leaf is under a threshold, and then its value."""
        row, column = divmod(leaf, self.widths[0])
        bound = 0
        for level in range(len(self.levels) - 1, -1, -1):
            node = (row >> level) * self.widths[level] + (column >> level)
            bound = max(bound, self.bounds[level][node])
            while bound < threshold and not self.is_known[level][node]:
                is_reached = bound >= self.levels[level][node]
                bits.put(int(is_reached))
                if is_reached:
                    self.is_known[level][node] = True
                else:
                    bound += 1
            self.bounds[level][node] = bound


class BandBlock:
    """A code-block in packets: passes of each layer, and the state of its length indicator (B.10.7)."""

    def __init__(
        self, coded: CodedBlock, missing_planes: int, layer_ends: Sequence[int], placeholder_sets: int = 0
    ) -> None:
        self.coded, self.layer_ends = coded, layer_ends
        # Each HT set without data stands for a bit-plane, and its three passes precede the first one.
        sets = min(placeholder_sets, missing_planes)
        self.missing_planes, self.placeholders = missing_planes - sets, 3 * sets
        self.length_bits = 3

    @property
    def first_layer(self) -> int:
        """Layer of the first pass; the number of layers if there is none."""
        return next((layer for layer, end in enumerate(self.layer_ends) if end), len(self.layer_ends))

    def passes(self, layer: int) -> range:
        return range(self.layer_ends[layer - 1] if layer else 0, self.layer_ends[layer])

    def contributions(self, layer: int) -> list[tuple[int, bytes]]:
        """Return the number of passes and the bytes of each codeword segment in a layer.

        Placeholder passes belong to the first segment.
        """
        parts: dict[int, list[int]] = {}
        passes, layer_passes = self.coded.passes, self.passes(layer)
        for index in layer_passes:
            segment, length = passes[index]
            start = passes[index - 1][1] if index and passes[index - 1][0] == segment else 0
            part = parts.setdefault(segment, [0 if index else self.placeholders, start, length])
            part[0] += 1
            part[2] = length
        return [(count, self.coded.segments[segment][start:end]) for segment, (count, start, end) in parts.items()]


def put_pass_count(count: int, bits: StuffedBits) -> None:
    """Append a number of coding passes (Table B.4)."""
    if count <= 2:
        bits.put((0, 0b10)[count - 1], count)
    elif count <= 5:
        bits.put(0b1100 | count - 3, 4)
    elif count <= 36:
        bits.put(0b1111 << 5 | count - 6, 9)
    else:
        bits.put(0b1_1111_1111 << 7 | count - 37, 16)


def put_lengths(block: BandBlock, parts: list[tuple[int, bytes]], bits: StuffedBits) -> None:
    """Append the lengths of codeword segments, after the increase of their bits (B.10.7)."""
    needed = max(len(data).bit_length() - (count.bit_length() - 1) for count, data in parts)
    increase = max(0, needed - block.length_bits)
    bits.put((1 << increase + 1) - 2, increase + 1)
    block.length_bits += increase
    for count, data in parts:
        bits.put(len(data), block.length_bits + count.bit_length() - 1)


class BandPrecinct:
    """Code-blocks of one band in a precinct, by rows, with their tag trees."""

    def __init__(self, rows: Sequence[Sequence[BandBlock]]) -> None:
        self.blocks = [block for row in rows for block in row]
        width = len(rows[0]) if rows else 0
        self.inclusion = TagTree(width, len(rows), [block.first_layer for block in self.blocks])
        self.missing_planes = TagTree(width, len(rows), [block.missing_planes for block in self.blocks])

    def encode(self, layer: int, bits: StuffedBits) -> bytes:
        """Append the header of each code-block; return their data."""
        body = bytearray()
        for index, block in enumerate(self.blocks):
            passes = block.passes(layer)
            if block.first_layer < layer:
                bits.put(int(len(passes) > 0))
            else:
                self.inclusion.encode(index, layer + 1, bits)
            if not passes:
                continue
            if block.first_layer == layer:
                self.missing_planes.encode(index, block.missing_planes + 1, bits)
            parts = block.contributions(layer)
            put_pass_count(sum(count for count, _ in parts), bits)
            put_lengths(block, parts, bits)
            body += b"".join(data for _, data in parts)
        return bytes(body)


class PacketKey(NamedTuple):
    """Layer, resolution, component and index of the precinct of a packet."""

    layer: int
    resolution: int
    component: int
    precinct: int


@dataclass(frozen=True)
class Packet:
    key: PacketKey
    header: bytes
    body: bytes


class PrecinctEncoder:
    """Encodes the packets of a precinct in the order of their layers."""

    def __init__(self, bands: Sequence[BandPrecinct], *, marks_empty: bool) -> None:
        self.bands, self.marks_empty = bands, marks_empty

    def encode(self, key: PacketKey) -> Packet:
        """Return a packet; one without passes has a single zero bit if `marks_empty`, else the bits of all blocks."""
        bits = StuffedBits()
        is_empty = not any(block.passes(key.layer) for band in self.bands for block in band.blocks)
        bits.put(int(not (is_empty and self.marks_empty)))
        body = b""
        if not (is_empty and self.marks_empty):
            body = b"".join(band.encode(key.layer, bits) for band in self.bands)
        return Packet(key, bits.flush_header(), body)


@dataclass(frozen=True)
class Progression:
    """A progression order with its bounds, exclusive (POC, A.6.6)."""

    order: str
    resolutions: tuple[int, int] = (0, 33)
    components: tuple[int, int] = (0, 16384)
    layers: int = 65535

    def to_bytes(self, component_count: int) -> bytes:
        size = "B" if component_count < 257 else "H"
        end = min(self.components[1], component_count)
        layout = f">B{size}HB{size}B"
        first, last = self.resolutions
        return struct.pack(layout, first, self.components[0], self.layers, last, end, PROGRESSIONS.index(self.order))


def packet_order(
    components: Sequence[Sequence[Resolution]], layer_count: int, progressions: Sequence[Progression]
) -> Iterator[PacketKey]:
    """Yield the packets of a tile; a progression order skips those of the orders before it (B.12)."""
    done: set[PacketKey] = set()
    for progression in progressions:
        keys = []
        for component in range(progression.components[0], min(progression.components[1], len(components))):
            resolutions = components[component]
            for resolution in range(progression.resolutions[0], min(progression.resolutions[1], len(resolutions))):
                for index, precinct in enumerate(resolutions[resolution].precincts):
                    names = {"R": resolution, "C": component, "P": (precinct.y, precinct.x)}
                    for layer in range(min(progression.layers, layer_count)):
                        key = PacketKey(layer, resolution, component, index)
                        if key not in done:
                            order = _sort_key(progression.order, {**names, "L": layer}, index)
                            keys.append((order, key))
        for _, key in sorted(keys):
            done.add(key)
            yield key


def _sort_key(order: str, names: dict[str, object], precinct: int) -> tuple[object, ...]:
    """Return the loop variables of a packet, the outermost first; precincts at the same position keep their order."""
    parts: list[object] = []
    is_by_position = order in PROGRESSIONS[2:]
    for letter in order:
        if letter == "P" and not is_by_position:
            parts.append(precinct)
        else:
            parts.append(names[letter])
    if is_by_position:
        parts.insert(len(parts) - 1, precinct)
    return tuple(parts)
