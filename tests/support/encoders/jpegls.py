"""JPEG-LS encoder (ITU-T T.87) with the options of different encoders.

`encode_frame` returns whole frames with the samples that decoders reconstruct; the other functions return single
segments, from which tests build invalid frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from support.encoders.jpeg_lossless import EOI, SOI, restarts, segment, sof
from support.encoders.jpegls_scans import Parameters, Presets, encode_scan

Array = npt.NDArray[Any]

SOF55, LSE = 0xF7, 0xF8
# Interleave modes (C.2.3).
NONE, LINE, SAMPLE = 0, 1, 2
INTERLEAVE_MODES = {"none": NONE, "line": LINE, "sample": SAMPLE}


def number_bytes(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def lse_presets(presets: Presets) -> bytes:
    """Return an LSE segment with preset coding parameters (C.2.4.1.1)."""
    values = presets.maxval, presets.t1, presets.t2, presets.t3, presets.reset
    return segment(LSE, b"\1" + struct.pack(">5H", *values))


def lse_table(identifier: int, entry_bytes: int, entries: bytes, *, is_continuation: bool = False) -> bytes:
    """Return an LSE segment with (more) entries of a mapping table (C.2.4.1.2 and C.2.4.1.3)."""
    return segment(LSE, bytes([3 if is_continuation else 2, identifier, entry_bytes]) + entries)


def lse_size(rows: int, columns: int, size: int = 4) -> bytes:
    """Return an LSE segment with the size of an oversize image in numbers of ``size`` bytes (C.2.4.1.4)."""
    return segment(LSE, bytes([4, size]) + number_bytes(rows, size) + number_bytes(columns, size))


def mrfx(transform: int) -> bytes:
    """Return the APP8 segment of Hewlett-Packard's colour transforms."""
    return segment(0xE8, b"mrfx" + bytes([transform]))


def dri(interval: int, size: int = 2) -> bytes:
    """Return the segment of the restart interval in lines (C.2.5)."""
    return segment(0xDD, number_bytes(interval, size))


def dnl(rows: int, size: int = 2) -> bytes:
    """Return the segment of the number of lines, which follows the first scan (C.2.6)."""
    return segment(0xDC, number_bytes(rows, size))


def sos(components: Iterable[tuple[int, int]], near: int, interleave: int, point_transform: int = 0) -> bytes:
    """Return the scan header (C.2.3) of component identifiers with their mapping tables."""
    parts = b"".join(bytes([identifier, table]) for identifier, table in components)
    return segment(0xDA, bytes([len(parts) // 2]) + parts + bytes([near, interleave, point_transform]))


@dataclass(frozen=True)
class Scan:
    """Indices of the components of a scan with its parameters; ``segments`` are inserted before it."""

    components: tuple[int, ...]
    interleave: int = NONE
    near: int = 0
    segments: bytes = b""


@dataclass(frozen=True)
class Encoded:
    """A frame, and the samples that a decoder reconstructs: (rows, columns[, components])."""

    src: bytes
    values: Array


def scans_of(count: int, interleave: str, near: int) -> list[Scan]:
    """Return one scan of all components, or one per component."""
    if count == 1 or interleave == "none":
        return [Scan((index,), NONE, near) for index in range(count)]
    return [Scan(tuple(range(count)), INTERLEAVE_MODES[interleave], near)]


def forward_transform(arr: Array, transform: int, bits: int) -> Array:
    """Apply a colour transform of Hewlett-Packard modulo 2^bits to (..., 3) samples."""
    red, green, blue = np.moveaxis(arr.astype(np.int64), -1, 0)
    half, mask = 1 << bits - 1, (1 << bits) - 1
    if transform == 1:
        out = [red - green + half, green, blue - green + half]
    elif transform == 2:
        out = [red - green + half, green, blue - (red + green >> 1) + half]
    else:
        v2, v3 = blue - green + half & mask, red - green + half & mask
        out = [green + (v2 + v3 >> 2) - half // 2, v2, v3]
    return np.stack(out, -1) & mask


def encode_frame(
    arr: Array,
    *,
    precision: int | None = None,
    near: int = 0,
    interleave: str = "line",
    scans: Sequence[Scan] | None = None,
    presets: Presets | None = None,
    restart_interval: int = 0,
    restart_bytes: int = 2,
    component_ids: Sequence[int] | None = None,
    table_ids: Sequence[int] | None = None,
    transform: int | None = None,
    oversize_bytes: int = 0,
    dnl_bytes: int = 0,
    fill_bytes: int = 0,
    segments: bytes = b"",
    eoi: bool = True,
    trailing: bytes = b"",
    pad_bit: int = 0,
) -> Encoded:
    """Encode one frame.

    Parameters
    ----------
    arr : ndarray
        (rows, columns) or (rows, columns, components) of integers up to MAXVAL.
    near, interleave, scans :
        NEAR and interleave mode of all scans, or the scans.
    presets :
        Written in an LSE segment before the frame header; without them there is no segment.
    restart_interval, restart_bytes : int
        In lines, and the size of that number; 0 disables restarts.
    table_ids :
        Mapping tables of the components; the tables themselves are ``segments``. Samples are not mapped.
    transform : int or None
        Colour transform of Hewlett-Packard; ``None`` writes no segment of it.
    oversize_bytes : int
        Size of the numbers of an LSE segment of type 4; the frame header declares 0 lines and columns.
    dnl_bytes : int
        Size of the number of a DNL segment after the first scan; the frame header declares 0 lines.
    fill_bytes : int
        Number of 0xFF bytes before each marker except SOI.
    segments : bytes
        Inserted after SOI.
    pad_bit : int
        Unused bits of the last byte of each entropy-coded segment.
    """
    source = np.asarray(arr)
    planes = source if source.ndim == 3 else source[..., None]
    precision = source.dtype.itemsize * 8 if precision is None else precision
    rows, columns, count = planes.shape
    ids = list(component_ids or range(1, count + 1))
    tables = list(table_ids or [0] * count)
    order = list(scans or scans_of(count, interleave, near))
    mark = b"\xff" * fill_bytes
    out = bytearray(SOI + segments)
    if transform is not None:
        out += mark + mrfx(transform)
        planes = forward_transform(planes, transform, 8 if precision <= 8 else 16) if transform else planes
    if presets is not None:
        out += mark + lse_presets(presets)
    size = (0 if oversize_bytes or dnl_bytes else rows, 0 if oversize_bytes else columns)
    if oversize_bytes:
        out += mark + lse_size(0 if dnl_bytes else rows, columns, oversize_bytes)
    out += mark + sof(precision, *size, ids, marker=SOF55)
    if restart_interval:
        out += mark + dri(restart_interval, restart_bytes)
    values = np.zeros_like(planes)
    for number, scan in enumerate(order):
        parameters = Parameters(precision, scan.near, presets or Presets())
        coded = encode_scan(
            [planes[..., index].tolist() for index in scan.components],
            parameters,
            is_by_sample=scan.interleave == SAMPLE,
            lines_per_interval=restart_interval,
            pad_bit=pad_bit,
        )
        for index, lines in zip(scan.components, coded.lines, strict=True):
            values[..., index] = lines
        out += scan.segments + mark
        out += sos([(ids[index], tables[index]) for index in scan.components], scan.near, scan.interleave)
        for part, gap in zip(coded.segments, [*restarts(len(coded.segments), fill_bytes), b""], strict=True):
            out += part + gap
        if dnl_bytes and number == 0:
            out += mark + dnl(rows, dnl_bytes)
    out += (mark + EOI if eoi else b"") + trailing
    # A colour transform loses nothing, because it is only used for lossless coding.
    return Encoded(bytes(out), source if transform else values.reshape(source.shape))


def encode(arr: Array, **options: Any) -> bytes:
    """Encode one frame with the options of `encode_frame`."""
    return encode_frame(arr, **options).src
