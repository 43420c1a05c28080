"""Tiles, resolutions, bands, precincts and code-blocks of JPEG 2000, written from ITU-T T.800 Annex B."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


def ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)


class Rect(NamedTuple):
    """Samples from (x0, y0) to (x1, y1), exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def is_empty(self) -> bool:
        return self.x0 >= self.x1 or self.y0 >= self.y1

    def intersect(self, other: Rect) -> Rect:
        return Rect(max(self.x0, other.x0), max(self.y0, other.y0), min(self.x1, other.x1), min(self.y1, other.y1))

    def divide(self, dx: int, dy: int) -> Rect:
        """Return the samples of a grid with steps dx and dy."""
        return Rect(ceil_div(self.x0, dx), ceil_div(self.y0, dy), ceil_div(self.x1, dx), ceil_div(self.y1, dy))

    def cells(self, width: int, height: int) -> Iterator[list[Rect]]:
        """Yield rows of the cells of a grid from (0, 0), intersected with this area."""
        if self.is_empty:
            return
        for y in range(self.y0 // height, ceil_div(self.y1, height)):
            yield [
                Rect(x * width, y * height, (x + 1) * width, (y + 1) * height)
                for x in range(self.x0 // width, ceil_div(self.x1, width))
            ]


@dataclass(frozen=True)
class Band:
    """A sub-band of a resolution: kind, decomposition level (n_b) and samples (B.5)."""

    kind: str
    level: int
    rect: Rect

    @property
    def gain_bits(self) -> int:
        """Binary logarithm of the nominal gain (Table E.1)."""
        return self.kind.count("H")


@dataclass(frozen=True)
class Precinct:
    """Code-blocks of a precinct, by rows, for each band; its position on the reference grid orders packets (B.12)."""

    x: int
    y: int
    blocks: tuple[tuple[Band, tuple[tuple[Rect, ...], ...]], ...]


@dataclass(frozen=True)
class Resolution:
    """A resolution of a tile-component."""

    rect: Rect
    bands: tuple[Band, ...]
    precincts: tuple[Precinct, ...]


def bands_of(component: Rect, levels: int, resolution: int) -> tuple[Band, ...]:
    """Return the bands that a resolution adds (Equation B-15)."""
    if resolution == 0:
        return (Band("LL", levels, component.divide(1 << levels, 1 << levels)),)
    level = levels - resolution + 1
    half = 1 << level - 1
    bands = []
    for kind in ("HL", "LH", "HH"):
        x, y = half * (kind[0] == "H"), half * (kind[1] == "H")
        moved = Rect(component.x0 - x, component.y0 - y, component.x1 - x, component.y1 - y)
        bands.append(Band(kind, level, moved.divide(2 * half, 2 * half)))
    return tuple(bands)


def resolutions_of(
    tile: Rect,
    subsampling: tuple[int, int],
    levels: int,
    block_exponents: tuple[int, int],
    precinct_exponents: tuple[tuple[int, int], ...],
) -> list[Resolution]:
    """Return the resolutions of a tile-component, the smallest first; the precincts are by rows."""
    component = tile.divide(*subsampling)
    resolutions = []
    for index in range(levels + 1):
        scale = 1 << levels - index
        rect = component.divide(scale, scale)
        bands = bands_of(component, levels, index)
        exponents = precinct_exponents[index] if precinct_exponents else (15, 15)
        # Precincts and code-blocks of the bands are half as wide (B.6, B.7).
        halved = [exponent - (index > 0) for exponent in exponents]
        block_size = [1 << min(pair) for pair in zip(block_exponents, halved, strict=True)]
        precincts = []
        for row in rect.cells(1 << exponents[0], 1 << exponents[1]):
            for cell in row:
                shift = int(index > 0)
                in_band = Rect(*(side >> shift for side in cell))
                blocks = tuple(
                    (
                        band,
                        tuple(
                            tuple(block.intersect(band.rect) for block in blocks)
                            for blocks in band.rect.intersect(in_band).cells(*block_size)
                        ),
                    )
                    for band in bands
                )
                # The first precincts may begin before the tile.
                x = tile.x0 if cell.x0 < rect.x0 else cell.x0 * scale * subsampling[0]
                y = tile.y0 if cell.y0 < rect.y0 else cell.y0 * scale * subsampling[1]
                precincts.append(Precinct(x, y, blocks))
        resolutions.append(Resolution(rect, bands, tuple(precincts)))
    return resolutions
