"""Decodes RLE Lossless frames (PS3.5 Annex G).

A frame has one segment for each byte of a pixel, most significant byte of a sample first. Each segment is one byte
plane, PackBits compressed. The frame starts with the RLE Header: 16 little-endian numbers of 4 bytes, the number of
segments and 15 offsets from the start of the frame, 0 if unused.

For example, one row of four 16-bit pixels with the values 0x0102, 0x0102, 0x0102, 0x0305 (offsets and numbers in
decimal, other bytes in hexadecimal)::

    offset  bytes
         0  2, 64, 68, 0, …       RLE Header: 2 segments, at bytes 64 and 68
        64  FE 01  00 03          segment 1, high bytes:  257 - FE = 3 times 01; 1 literal byte 03  → 01 01 01 03
        68  FE 02  00 05          segment 2, low bytes:   3 times 02; 1 literal byte 05             → 02 02 02 05

The planes are then the columns of an array of bytes, whose rows are big-endian samples::

    np.stack([[1, 1, 1, 3], [2, 2, 2, 5]], axis=-1)   →   [[1, 2], [1, 2], [1, 2], [3, 5]]
    .view(">u2")                                       →   [0x0102, 0x0102, 0x0102, 0x0305]

A colour image has the segments of the first sample, then those of the second one, and so on. So the rows are whole
pixels: a view of the same array gives interleaved samples (planar configuration 0).
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._deviations import Deviation
from dicoxide._numpy_backend._errors import make_error
from dicoxide._numpy_backend._frame_info import FrameInfo
from dicoxide._numpy_backend._limits import Limits

_HEADER = struct.Struct("<16L")
_MAX_SEGMENTS = 15
# Two bytes, a replicate run, decode to at most 128 bytes.
_MAX_EXPANSION = 64
# Maximum decoded bytes of one run, and of a surplus after the plane: more is an image of another size.
_MAX_RUN = 128


def _segment_count(info: FrameInfo) -> int:
    return info.samples_per_pixel * info.sample_bytes


def _min_plane_bytes(info: FrameInfo) -> int:
    """Return the minimum number of bytes that each segment decodes to: packed bits if Bits Allocated is 1."""
    return -(-info.pixels // 8) if info.is_bit_packed else info.pixels


def _min_segment_bytes(info: FrameInfo) -> int:
    return -(-_min_plane_bytes(info) // _MAX_EXPANSION)


def min_frame_bytes(info: FrameInfo) -> int:
    """Return the smallest number of bytes that a frame can have, with all runs as long as possible."""
    return _HEADER.size + _segment_count(info) * _min_segment_bytes(info)


def starts_frame(fragment: bytes, info: FrameInfo) -> bool:
    """Return True if `fragment` starts with an RLE Header for images like `info`."""
    if len(fragment) < _HEADER.size:
        return False
    count, *offsets = _HEADER.unpack_from(fragment)
    used, unused = offsets[:count], offsets[count:]
    is_increasing = all(a < b for a, b in pairwise(used))
    return (
        count == _segment_count(info) <= _MAX_SEGMENTS and used[0] == _HEADER.size and is_increasing and not any(unused)
    )


def decode(
    src: bytes, info: FrameInfo, segment_byte_order: str, limits: Limits
) -> tuple[npt.NDArray[Any], list[Deviation]]:
    """Decode one frame; return its samples, one-dimensional and in planar configuration 0, and its deviations.

    `segment_byte_order` is ``"big"``, or ``"little"`` for non-conformant files with the least significant byte first.
    """
    segments, deviations = read_header(src, info)
    plane_bytes, min_bytes = _min_plane_bytes(info), _min_segment_bytes(info)
    for number, (start, end) in enumerate(segments, 1):
        # Checked before memory is reserved for the planes.
        if end - start < min_bytes:
            text = f"segment {number} of {end - start} bytes found, at least {min_bytes} expected"
            raise make_error("Truncated", f"{text} for {plane_bytes} decoded bytes", "PS3.5 Annex G.3", end)
    if info.is_bit_packed:
        start, end = segments[0]
        plane_bytes, deviation = _single_bit_layout(src[start:end], info.pixels, plane_bytes, start)
        deviations += [deviation] if deviation else []
    limits.reserve(plane_bytes * (len(segments) + 1))
    planes = []
    for number, (start, end) in enumerate(segments, 1):
        is_single_bit = info.is_bit_packed and plane_bytes == info.pixels
        plane, deviation = _decode_segment(src[start:end], plane_bytes, number, start, is_single_bit=is_single_bit)
        planes.append(np.frombuffer(plane, np.uint8, plane_bytes))
        deviations += [deviation] if deviation else []
    if info.is_bit_packed and plane_bytes < info.pixels:
        return np.unpackbits(planes[0], count=info.pixels, bitorder="little"), deviations
    byte_order = "<" if segment_byte_order == "little" else ">"
    samples = np.stack(planes, axis=-1).view(f"{byte_order}u{info.sample_bytes}")
    return info.align_stored_bits(samples.astype(f"=u{info.sample_bytes}", copy=False).reshape(-1)), deviations


def _single_bit_layout(
    segment: bytes, pixels: int, packed_bytes: int, segment_offset: int
) -> tuple[int, Deviation | None]:
    """Return the size of the plane of a single-bit image in bytes, and the deviation of packed bits.

    The standard has one byte per pixel, because a composite pixel code is padded to whole bytes (PS3.5 G.2). Some
    encoders write packed bits. The number of bytes that the segment decodes to distinguishes the layouts.
    """
    decoded_bytes = _decoded_bytes(segment, 0, pixels)
    if decoded_bytes >= pixels:
        return pixels, None
    if decoded_bytes > packed_bytes:
        text = f"segment 1 has {decoded_bytes} decoded bytes, {pixels} (one per pixel) or {packed_bytes} (packed bits)"
        raise make_error("Truncated", f"{text} expected", "PS3.5 Annex G.2", segment_offset + len(segment))
    message = "segment 1 has packed bits, one byte per pixel expected"
    return packed_bytes, Deviation(None, message, "PS3.5 Annex G.2", segment_offset)


def _decoded_bytes(segment: bytes, position: int, limit: int) -> int:
    """Return the number of decoded bytes of the complete runs from `position` on; stop when there are `limit`."""
    decoded_bytes = 0
    while decoded_bytes < limit and position < len(segment):
        header = segment[position]
        position += header + 2 if header < 128 else 1 if header == 128 else 2
        if position > len(segment):
            break
        decoded_bytes += header + 1 if header < 128 else 0 if header == 128 else 257 - header
    return decoded_bytes


def read_header(src: bytes, info: FrameInfo) -> tuple[list[tuple[int, int]], list[Deviation]]:
    """Parse the RLE Header (PS3.5 G.5); return the byte range (start, end) of each segment, and deviations."""
    clause, expected = "PS3.5 Annex G.5", _segment_count(info)
    if len(src) < _HEADER.size:
        raise make_error("Truncated", f"RLE header of {len(src)} bytes found, 64 expected", clause, len(src))
    count, *offsets = _HEADER.unpack_from(src)
    if not 1 <= count <= _MAX_SEGMENTS:
        raise make_error("Malformed", f"number of segments {count} found, 1 to 15 expected", clause, 0)
    if count != expected:
        text = f"number of segments {count} found, {expected} expected: samples per pixel x bytes per sample"
        raise make_error("Mismatch", text, "PS3.5 Annex G.2", 0)
    lowest = _HEADER.size
    for index, offset in enumerate(offsets[:count]):
        if not lowest <= offset < len(src):
            text = f"offset {offset} of segment {index + 1} found, {lowest} to {len(src) - 1} expected"
            raise make_error("Malformed", text, clause, _field_offset(index))
        lowest = offset + 1
    deviations = []
    if offsets[0] > _HEADER.size:
        message = f"segment 1 starts at byte {offsets[0]}, not right after the header"
        deviations.append(Deviation(None, message, "PS3.5 Annex G.4", _field_offset(0)))
    for index in range(count, _MAX_SEGMENTS):
        if offsets[index]:
            deviations.append(Deviation(None, "unused segment offset is not zero", clause, _field_offset(index)))
            break
    starts = offsets[:count]
    return list(zip(starts, [*starts[1:], len(src)], strict=True)), deviations


def _field_offset(index: int) -> int:
    """Return the byte offset, in the RLE Header, of the offset of the segment `index` (zero-based)."""
    return 4 + 4 * index


def _decode_segment(
    segment: bytes, plane_bytes: int, number: int, segment_offset: int, *, is_single_bit: bool
) -> tuple[bytearray, Deviation | None]:
    """Decode runs until the plane is full (PS3.5 G.3.2).

    Each run starts with a header byte h::

        0 to 127     literal run: h + 1 bytes follow
        128          no operation
        129 to 255   replicate run: the next byte, 257 - h times

    `segment_offset` is the byte offset of the segment in the frame. The last run may make the plane too long by some
    bytes, which is a deviation; a large surplus is an error. With `is_single_bit`, values other than 0 and 1 are.
    """
    plane = bytearray()
    position = run_position = 0
    segment_end = segment_offset + len(segment)
    while len(plane) < plane_bytes:
        if position == len(segment):
            text = f"segment {number} ends after {len(plane)} of {plane_bytes} decoded bytes"
            raise make_error("Truncated", text, "PS3.5 Annex G.3.2", segment_end)
        run_position, header = position, segment[position]
        position += 1
        if header < 128:
            length = header + 1
            literals = segment[position : position + length]
            if len(literals) < length:
                text = f"literal run of {length} bytes passes the end of segment {number} after {len(literals)}"
                raise make_error("Truncated", text, "PS3.5 Annex G.3.2", segment_end)
            plane += literals
            position += length
        elif header > 128:
            if position == len(segment):
                text = f"replicate run passes the end of segment {number}"
                raise make_error("Truncated", text, "PS3.5 Annex G.3.2", segment_end)
            plane += segment[position : position + 1] * (257 - header)
            position += 1
    if is_single_bit and max(plane[:plane_bytes]) > 1:
        pixel = next(index for index, value in enumerate(plane) if value > 1)
        text = f"pixel {pixel} has value {plane[pixel]}, 0 or 1 expected"
        raise make_error("Malformed", text, "PS3.5 Annex G.2", segment_offset)
    surplus = len(plane) - plane_bytes + _decoded_bytes(segment, position, _MAX_RUN + 1)
    if surplus > _MAX_RUN and any(segment[position:]):
        text = f"more than {_MAX_RUN} decoded bytes follow the plane of segment {number}"
        raise make_error("Mismatch", text, "PS3.5 Annex G.3", segment_offset + position)
    if len(plane) > plane_bytes:
        message = f"run of segment {number} passes the end of its plane by {len(plane) - plane_bytes}"
        return plane, Deviation(None, message, "PS3.5 Annex G.3", segment_offset + run_position)
    rest = segment[position:]
    # One zero byte is padding if it makes the length of the segment, or of the frame up to its end, even.
    if rest and not (rest == b"\0" and (len(segment) % 2 == 0 or segment_end % 2 == 0)):
        message = f"{len(rest)} bytes follow the last run of segment {number}"
        return plane, Deviation(None, message, "PS3.5 Annex G.3", segment_offset + position)
    return plane, None
