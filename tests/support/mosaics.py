"""Siemens mosaics and UIH grids of small synthetic slices, with their private elements."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from dicoxide._arguments import Array
from support.synthetic_series import image, item, normal

# An oblique orientation: rows and columns are turned about two axes.
OBLIQUE = (0.96, 0.0, -0.28, 0.168, 0.8, 0.576)
ROWS, COLUMNS = 4, 6
PIXEL_SPACING = (3.0, 2.0)
SLICE_SPACING = 4.5
SLICE_POSITION = (-20.0, -31.5, 7.25)


def csa_header(values: Mapping[str, Sequence[str]], *, version: int = 2) -> bytes:
    """Write a CSA header; each value is an item, followed by an empty one, as Siemens writes them."""
    parts = [b"SV10\4\3\2\1"] if version == 2 else []
    parts.append(struct.pack("<II", len(values), 77))
    first_item_count = len(next(iter(values.values()), ())) + 1
    for name, texts in values.items():
        parts.append(struct.pack("<64si4siii", name.encode(), len(texts), b"LO\0\0", 0, len(texts) + 1, 77))
        for text in (*texts, ""):
            data = text.encode() + b"\0" * bool(text)
            length = len(data)
            lengths = (length, length, 77, length) if version == 2 else (length + first_item_count, 0, 0, 0)
            parts += [struct.pack("<4i", *lengths), data + b"\0" * (-length % 4)]
    return b"".join(parts)


def stack(count: int, seed: int = 0) -> Array:
    """Return slices of noise: (count, ROWS, COLUMNS) uint16."""
    return np.random.default_rng(seed).integers(0, 4096, (count, ROWS, COLUMNS)).astype(np.uint16)


def tiled(slices: Array, across: int, down: int) -> Array:
    """Place slices side by side, from left to right and from top to bottom."""
    count, rows, columns = slices.shape
    padded = np.zeros((across * down, rows, columns), slices.dtype)
    padded[:count] = slices
    return padded.reshape(down, across, rows, columns).swapaxes(1, 2).reshape(down * rows, across * columns)


def slice_position(index: int, direction: float = 1.0) -> Array:
    """Return the position of slice `index`, in mm."""
    return np.array(SLICE_POSITION) + index * SLICE_SPACING * direction * normal(OBLIQUE)


def image_of(pixels: Array, **attributes: Any) -> Dataset:
    """Return an MR image of `pixels` without a position."""
    rows, columns = pixels.shape
    defaults: dict[str, Any] = {
        "Modality": "MR",
        "Rows": rows,
        "Columns": columns,
        "PixelRepresentation": 0,
        "PixelSpacing": list(PIXEL_SPACING),
        "SpacingBetweenSlices": SLICE_SPACING,
        "ImageOrientationPatient": list(OBLIQUE),
    }
    dataset = image(0, **defaults | attributes)
    dataset.PixelData = pixels.tobytes()
    return dataset


def siemens_mosaic(
    slices: Array,
    *,
    direction: float = 1.0,
    csa: bool = True,
    csa_version: int = 2,
    header: bool = True,
    shift: Sequence[float] = (0, 0, 0),
    times: Sequence[float] | None = None,
    **attributes: Any,
) -> Dataset:
    """Return a mosaic of `slices`, (slices, rows, columns), which follow each other in `direction` of the normal.

    `csa` writes the CSA header and `header` the elements of SIEMENS MR HEADER.
    """
    count, rows, columns = slices.shape
    side = int(np.ceil(np.sqrt(count)))
    pixels = tiled(slices, side, side)
    across, down = np.array(OBLIQUE[:3]), np.array(OBLIQUE[3:])
    # The centre of the mosaic is the centre of the first slice.
    corner = (
        slice_position(0)
        + shift
        - across * PIXEL_SPACING[1] * (pixels.shape[1] - columns) / 2
        - down * PIXEL_SPACING[0] * (pixels.shape[0] - rows) / 2
    )
    image_type = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    dataset = image_of(pixels, ImageType=image_type, ImagePositionPatient=corner.tolist(), **attributes)
    if header:
        block = dataset.private_block(0x19, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0A, "US", count)
        if times is not None:
            block.add_new(0x29, "FD", list(times))
    if csa:
        values = {
            "NumberOfImagesInMosaic": [str(count)],
            "SliceNormalVector": [f"{value:.8f}" for value in direction * normal(OBLIQUE)],
            "MosaicRefAcqTimes": [f"{time:.8f}" for time in times or ()],
        }
        block = dataset.private_block(0x29, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", csa_header(values, version=csa_version))
    return dataset


def uih_grid(slices: Array, **attributes: Any) -> Dataset:
    """Return a grid of `slices` as United Imaging writes it."""
    count = len(slices)
    across = int(np.ceil(np.sqrt(count)))
    pixels = tiled(slices, across, -(-count // across))
    image_type = ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
    dataset = image_of(pixels, ImageType=image_type, ImagePositionPatient=[0.0, 0.0, 0.0], **attributes)
    block = dataset.private_block(0x65, "Image Private Header", create=True)
    block.add_new(0x50, "DS", str(count))
    items = [
        item(ImagePositionPatient=slice_position(index).tolist(), AcquisitionTime=f"1200{index:02}.5")
        for index in range(count)
    ]
    block.add_new(0x51, "SQ", Items(items))
    return dataset
