"""Encodes RLE Lossless frames, to the same bytes as the core."""

from __future__ import annotations

import struct
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import make_error

_MAX_RUN_BYTES = 128
_MAX_SEGMENTS = 15


def jpeg_lossless_encode(
    src: npt.NDArray[Any],
    rows: int,
    columns: int,
    samples_per_pixel: int,
    selection_value: int,
    point_transform: int,
    restart_interval: int,
    precision: int | None,
) -> NoReturn:
    """Raise `UnsupportedError`: only the extension encodes JPEG Lossless."""
    raise make_error("Unsupported", "JPEG Lossless is encoded by the compiled extension only")


def jpegls_encode(
    src: npt.NDArray[Any],
    rows: int,
    columns: int,
    samples_per_pixel: int,
    near: int,
    interleave_mode: int,
    precision: int | None,
) -> NoReturn:
    """Raise `UnsupportedError`: only the extension encodes JPEG-LS."""
    raise make_error("Unsupported", "JPEG-LS is encoded by the compiled extension only")


def rle_encode(src: npt.NDArray[Any], rows: int, columns: int, samples_per_pixel: int) -> bytes:
    """Encode one frame of interleaved samples; return RLE Header and segments."""
    for name, value in (("rows", rows), ("columns", columns)):
        if not 1 <= value <= 65535:
            raise make_error("Output", f"{name} {value} found, 1 to 65535 expected", "PS3.3 C.7.6.3")
    if samples_per_pixel == 0:
        raise make_error("Output", "samples per pixel 0 found, at least 1 expected")
    if src.size != rows * columns * samples_per_pixel:
        expected = f"{rows} rows x {columns} columns x {samples_per_pixel} samples per pixel expected"
        raise make_error("Output", f"{src.size} samples found, {expected}")
    if src.dtype.kind not in "iu":
        raise make_error("Output", f"samples of {src.dtype} found, integers expected", "PS3.5 Annex G.2")
    segment_count = samples_per_pixel * src.dtype.itemsize
    if segment_count > _MAX_SEGMENTS:
        text = f"{segment_count} segments found, at most 15 expected: one a byte of a pixel"
        raise make_error("Output", text, "PS3.5 Annex G.5")
    # Bytes of each pixel, the most significant byte of each sample first: (rows, columns, segments).
    samples = src.reshape(rows, columns * samples_per_pixel)
    big_endian = samples.astype(samples.dtype.newbyteorder(">"))
    pixel_bytes = big_endian.view(np.uint8).reshape(rows, columns, segment_count)
    segments = [_encode_segment(pixel_bytes[:, :, index]) for index in range(segment_count)]
    offsets, offset = [], 64
    for segment in segments:
        offsets.append(offset)
        offset += len(segment)
    if offset > 0xFFFFFFFF:
        raise make_error("Output", "the encoded frame would be 4 GiB or more", "PS3.5 Annex G.5")
    header = struct.pack("<16L", segment_count, *offsets, *[0] * (_MAX_SEGMENTS - segment_count))
    return header + b"".join(segments)


def _encode_segment(plane: npt.NDArray[np.uint8]) -> bytes:
    """Encode a byte plane row by row, padded to even length (PS3.5 G.3.1)."""
    out = bytearray()
    for row in plane:
        _encode_row(row, out)
    if len(out) % 2:
        out.append(0)
    return bytes(out)


def _encode_row(row: npt.NDArray[np.uint8], out: bytearray) -> None:
    """Append the runs of one row to `out`.

    Three or more equal bytes become a replicate run. Two equal bytes stay in a literal run, because ending it and
    starting another one afterwards costs the byte that the replicate run saves. They become a replicate run only if the
    literal run is full, or would become full between the two. For example::

        1 2 2 3 3 3   →   literal run 1 2 2, replicate run 3 × 3   →   02 01 02 02  FE 03
    """
    data = row.tobytes()
    changes = np.flatnonzero(row[1:] != row[:-1]) + 1
    # Start and end of each sequence of equal bytes.
    starts = [0, *changes.tolist()]
    ends = [*starts[1:], len(data)]
    literal_start = 0
    for start, end in zip(starts, ends, strict=True):
        position = start
        while position < end:
            repeat_count = min(end - position, _MAX_RUN_BYTES)
            literal_bytes = position - literal_start
            splits_literals = literal_bytes % _MAX_RUN_BYTES in (0, _MAX_RUN_BYTES - 1)
            if repeat_count >= 3 or (repeat_count == 2 and splits_literals):
                _append_literals(data[literal_start:position], out)
                out += bytes((257 - repeat_count, data[position]))
                position += repeat_count
                literal_start = position
            else:
                position += repeat_count
    _append_literals(data[literal_start:], out)


def _append_literals(data: bytes, out: bytearray) -> None:
    """Append literal runs of at most 128 bytes each."""
    for start in range(0, len(data), _MAX_RUN_BYTES):
        run = data[start : start + _MAX_RUN_BYTES]
        out.append(len(run) - 1)
        out += run
