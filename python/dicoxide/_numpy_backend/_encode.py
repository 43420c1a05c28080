"""RLE Lossless the other way: arrays to the bytes of one frame, the same bytes that the compiled core makes."""

from __future__ import annotations

import struct
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import fault

_LONGEST_RUN = 128


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
    """Only the compiled core does that."""
    raise fault("Unsupported", "JPEG Lossless is encoded by the compiled extension only")


def rle_encode(src: npt.NDArray[Any], rows: int, columns: int, samples_per_pixel: int) -> bytes:
    """RLE Header and segments of one frame."""
    for name, value in (("rows", rows), ("columns", columns)):
        if not 1 <= value <= 65535:
            raise fault("Output", f"{name} {value} found, 1 to 65535 expected", "PS3.3 C.7.6.3")
    if samples_per_pixel == 0:
        raise fault("Output", "samples per pixel 0 found, at least 1 expected")
    if src.size != rows * columns * samples_per_pixel:
        expected = f"{rows} rows x {columns} columns x {samples_per_pixel} samples per pixel expected"
        raise fault("Output", f"{src.size} samples found, {expected}")
    if src.dtype.kind not in "iu":
        raise fault("Output", f"samples of {src.dtype} found, integers expected", "PS3.5 Annex G.2")
    count = samples_per_pixel * src.dtype.itemsize
    if count > 15:
        text = f"{count} segments found, at most 15 expected: one a byte of a pixel"
        raise fault("Output", text, "PS3.5 Annex G.5")
    # The most significant byte of each sample first.
    cells = src.reshape(rows, columns * samples_per_pixel)
    bytes_of = cells.astype(cells.dtype.newbyteorder(">")).view(np.uint8).reshape(rows, columns, count)
    segments = [_segment(bytes_of[:, :, place]) for place in range(count)]
    offsets, at = [], 64
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    if at > 0xFFFFFFFF:
        raise fault("Output", "the encoded frame would be 4 GiB or more", "PS3.5 Annex G.5")
    return struct.pack("<16L", count, *offsets, *[0] * (15 - count)) + b"".join(segments)


def _segment(plane: npt.NDArray[np.uint8]) -> bytes:
    """The runs of all rows, of even length (PS3.5 G.3.1)."""
    out = bytearray()
    for row in plane:
        _pack(row, out)
    if len(out) % 2:
        out.append(0)
    return bytes(out)


def _pack(row: npt.NDArray[np.uint8], out: bytearray) -> None:
    """Two equal bytes end no literal run, because a new one after them would cost what they save; three do."""
    data = row.tobytes()
    changes = np.flatnonzero(row[1:] != row[:-1]) + 1
    # Where each stretch of equal bytes begins, and where all of it ends.
    starts, end = [0, *changes.tolist()], len(data)
    ends = [*starts[1:], end]
    literal = 0
    for start, stop in zip(starts, ends, strict=True):
        at = start
        while at < stop:
            same = min(stop - at, _LONGEST_RUN)
            open_bytes = at - literal
            # A pair ends a literal run that is full, or would be in the middle of it.
            if same >= 3 or (same == 2 and open_bytes % _LONGEST_RUN in (0, _LONGEST_RUN - 1)):
                _literals(data[literal:at], out)
                out += bytes((257 - same, data[at]))
                at += same
                literal = at
            else:
                at += same
    _literals(data[literal:], out)


def _literals(data: bytes, out: bytearray) -> None:
    for start in range(0, len(data), _LONGEST_RUN):
        piece = data[start : start + _LONGEST_RUN]
        out.append(len(piece) - 1)
        out += piece
