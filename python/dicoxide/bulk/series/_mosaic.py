"""Frames that hold all slices of a volume side by side: Siemens mosaics, and the grids of United Imaging (UIH).

    columns = 5 · 64
    ┌───┬───┬───┬───┬───┐
    │ 0 │ 1 │ 2 │ 3 │ 4 │      Image Position (Patient) of a Siemens mosaic is the position that an image of this size
    ├───┼───┼───┼───┼───┤      with the centre of slice 0 would have, so that of slice 0 is half the difference of the
    │ 5 │ 6 │ 7 │   │   │      sizes further inside. Slice n is n · spacing further along Slice Normal Vector.
    └───┴───┴───┴───┴───┘

Which tiles are used, and in which direction the slices follow each other, is in private elements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dicoxide._arguments import Array
from dicoxide._sources import Attributes
from dicoxide.bulk.series._attribute_values import parse_integer, parse_numbers, parse_position, parse_seconds
from dicoxide.bulk.series._csa import parse_csa
from dicoxide.bulk.series._geometry import Orientation, Vector, unit_axes
from dicoxide.errors import CorruptFrameError

__all__ = ["Mosaic", "MosaicError", "Tile", "read_mosaic"]

# More tiles than this are not plausible; the largest mosaics known have 144.
_MAX_TILES = 4096
# Smallest component of Slice Normal Vector along the normal of the image; 1 but for rounding in real images.
_MIN_ALONG_NORMAL = 0.9
# Siemens writes times in milliseconds since midnight, so that a slice before the first one has a time near 24 hours.
_DAY_MS = 86_400_000.0
_CSA_NAMES = ("NumberOfImagesInMosaic", "SliceNormalVector", "MosaicRefAcqTimes")


class MosaicError(ValueError):
    """The layout of a mosaic is not known; the message has the reason."""


class Tile(NamedTuple):
    """Place of a slice in a frame that holds several slices.

    Attributes
    ----------
    slice_index, slice_count : int
        Zero-based index of the slice in the mosaic, and number of slices.
    top, left : int
        First row and first column of the slice.
    frame_rows, frame_columns : int
        Size of the whole frame.
    """

    slice_index: int
    slice_count: int
    top: int
    left: int
    frame_rows: int
    frame_columns: int

    def cut(self, frame: Array, shape: Sequence[int]) -> Array:
        """Return the slice of `shape`, (rows, columns[, samples]), as a view of the frame.

        Raises `CorruptFrameError` if the frame has another size than its header had.
        """
        if frame.shape[:2] != (self.frame_rows, self.frame_columns):
            clause = "PS3.3 C.7.6.3"
            expected = f"{self.frame_rows} × {self.frame_columns}"
            text = f"frame shape {frame.shape} found, {expected} expected: the file has changed ({clause})"
            raise CorruptFrameError(text, kind="Mismatch", clause=clause)
        return frame[self.top : self.top + shape[0], self.left : self.left + shape[1]]


class Mosaic(NamedTuple):
    """The slices of a mosaic; all frames of a file are divided alike.

    Attributes
    ----------
    tiles : tuple of Tile
        Where the slices lie, in the order in which they are stored.
    rows, columns : int
        Size of a slice.
    times : tuple of float
        Time of each slice in seconds, relative to any moment; empty if unknown.
    normal : tuple of float or None
        Siemens: Slice Normal Vector, the direction in which the slices follow each other; None if it is missing.
    grid_positions : tuple of ((float, float, float) or None)
        UIH: centre of the first voxel of each slice, in mm; empty for Siemens.
    """

    tiles: tuple[Tile, ...]
    rows: int
    columns: int
    times: tuple[float, ...]
    normal: Vector | None = None
    grid_positions: tuple[Vector | None, ...] = ()

    def positions(
        self,
        position: Vector | None,
        orientation: Orientation | None,
        pixel_spacing: tuple[float, float] | None,
        slice_spacing: float | None,
    ) -> tuple[Vector | None, ...]:
        """Return the centre of the first voxel of each slice of a frame, in mm; None where it is unknown.

        Parameters
        ----------
        position, orientation
            Image Position (Patient) and Image Orientation (Patient) of the frame.
        pixel_spacing, slice_spacing
            Distances between rows and columns, and between slices, in mm.

        Raises
        ------
        MosaicError
            If the direction of the slices is unknown or is not along the normal.
        """
        if self.grid_positions:
            return self.grid_positions
        count = len(self.tiles)
        if position is None or orientation is None or pixel_spacing is None or slice_spacing is None:
            return (None,) * count
        axes = unit_axes(orientation)
        if self.normal is None:
            raise MosaicError("Slice Normal Vector, in (0029,xx10), is missing")
        along_normal = float(np.dot(self.normal, axes[2]))
        if not _MIN_ALONG_NORMAL <= abs(along_normal) <= 1 / _MIN_ALONG_NORMAL:
            raise MosaicError("Slice Normal Vector, in (0029,xx10), is not a unit vector along the normal")
        axes[2] *= math.copysign(1.0, along_normal)
        frame_rows, frame_columns = self.tiles[0].frame_rows, self.tiles[0].frame_columns
        first = (
            np.array(position)
            + axes[0] * pixel_spacing[1] * (frame_columns - self.columns) / 2
            + axes[1] * pixel_spacing[0] * (frame_rows - self.rows) / 2
        )
        positions = first + np.outer(np.arange(count) * slice_spacing, axes[2])
        return tuple((x, y, z) for x, y, z in positions.tolist())


def read_mosaic(attributes: Attributes, image_type: Sequence[str], frame_size: tuple[int, int]) -> Mosaic:
    """Return the slices of frames that are mosaics according to their Image Type.

    Parameters
    ----------
    attributes : Attributes
        The data set, with its private elements.
    image_type : sequence of str
        Image Type.
    frame_size : (int, int)
        Rows and columns of a frame.

    Raises
    ------
    MosaicError
        If the number of slices cannot be read, or the frame cannot be divided into them.
    """
    if "VFRAME" in image_type:
        return _read_grid(attributes, frame_size)
    csa = parse_csa(attributes.private("SIEMENS CSA HEADER", 0x00290010, "OB"), _CSA_NAMES)
    stored = attributes.private("SIEMENS MR HEADER", 0x0019000A, "US")
    count = parse_integer(stored) or parse_integer(csa.get("NumberOfImagesInMosaic")) or 0
    if count < 1:
        raise MosaicError("the number of its slices, in (0019,xx0A) and (0029,xx10), is missing")
    side = _side(count)
    tiles, rows, columns = _tiles(count, side, side, frame_size)
    normal = parse_numbers(list(csa.get("SliceNormalVector", ())), 3)
    return Mosaic(tiles, rows, columns, _siemens_times(attributes, csa, count), normal)


def _siemens_times(attributes: Attributes, csa: dict[str, tuple[str, ...]], count: int) -> tuple[float, ...]:
    """Return Mosaic Ref Acq Times in seconds."""
    stored = attributes.private("SIEMENS MR HEADER", 0x00190029, "FD")
    times = parse_numbers(stored, count) or parse_numbers(list(csa.get("MosaicRefAcqTimes", ())), count)
    if times is None:
        return ()
    return tuple((time - _DAY_MS if time > _DAY_MS / 2 else time) / 1000 for time in times)


def _read_grid(attributes: Attributes, frame_size: tuple[int, int]) -> Mosaic:
    """Return the slices of a grid of United Imaging, each of which has an item of a private sequence."""
    creator = "Image Private Header"
    count = parse_integer(attributes.private(creator, 0x00650050, "DS")) or 0
    items = attributes.private(creator, 0x00650051, "SQ") or []
    if count < 1 or len(items) < count:
        raise MosaicError("the number and the positions of its slices, in (0065,xx50) and (0065,xx51), are missing")
    across = _side(count)
    tiles, rows, columns = _tiles(count, across, -(-count // across), frame_size)
    values = [item.get_many(("ImagePositionPatient", "AcquisitionTime")) for item in items[:count]]
    seconds = [parse_seconds("", value.get("AcquisitionTime")) for value in values]
    times = tuple(time for time in seconds if time is not None)
    positions = tuple(parse_position(value.get("ImagePositionPatient")) for value in values)
    # The slices of a grid stay together, even if one has no position.
    grid_positions = (None,) * count if None in positions else positions
    return Mosaic(tiles, rows, columns, times if len(times) == count else (), grid_positions=grid_positions)


def _side(count: int) -> int:
    """Return the number of tiles in a row: mosaics are the smallest square that holds all slices."""
    if count > _MAX_TILES:
        raise MosaicError(f"it has {count} slices, at most {_MAX_TILES} are plausible")
    return math.isqrt(count - 1) + 1


def _tiles(count: int, across: int, down: int, frame_size: tuple[int, int]) -> tuple[tuple[Tile, ...], int, int]:
    """Return the tiles, and the rows and columns of each."""
    if frame_size[0] % down or frame_size[1] % across:
        text = (
            f"{frame_size[0]} × {frame_size[1]} pixels cannot be divided into {down} × {across} tiles of {count} slices"
        )
        raise MosaicError(text)
    rows, columns = frame_size[0] // down, frame_size[1] // across
    return (
        tuple(Tile(n, count, n // across * rows, n % across * columns, *frame_size) for n in range(count)),
        rows,
        columns,
    )
