"""RLE Lossless (PS3.5 Annex G): one PackBits segment for each byte of a pixel, the most significant first."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import Budget, Tolerated, fault
from dicoxide._numpy_backend._info import FrameInfo

_HEADER = struct.Struct("<16L")


def _segment_count(info: FrameInfo) -> int:
    return info.samples_per_pixel * info.sample_bytes


def _plane_bytes(info: FrameInfo) -> int:
    return -(-info.pixels // 8) if info.is_bit_packed else info.pixels


def _least_segment_bytes(info: FrameInfo) -> int:
    """Two bytes make 128 at most."""
    return -(-_plane_bytes(info) // 64)


def least_bytes(info: FrameInfo) -> int:
    """The fewest bytes that a frame can have."""
    return _HEADER.size + _segment_count(info) * _least_segment_bytes(info)


def starts_frame(fragment: bytes, info: FrameInfo) -> bool:
    """Whether ``fragment`` begins with the RLE Header that an encoder writes."""
    if len(fragment) < _HEADER.size:
        return False
    count, *offsets = _HEADER.unpack_from(fragment)
    used, unused = offsets[:count], offsets[count:]
    rising = all(a < b for a, b in pairwise(used))
    return count == _segment_count(info) <= 15 and used[0] == _HEADER.size and rising and not any(unused)


def decode(
    src: bytes, info: FrameInfo, segment_byte_order: str, budget: Budget
) -> tuple[npt.NDArray[Any], list[Tolerated]]:
    """The samples of one frame, planar configuration 0, and what was tolerated."""
    ranges, tolerated = read_header(src, info)
    plane_bytes, least = _plane_bytes(info), _least_segment_bytes(info)
    for number, (start, end) in enumerate(ranges, 1):
        # What cannot be there takes no memory.
        if end - start < least:
            text = f"segment {number} of {end - start} bytes found, at least {least} expected"
            raise fault("Truncated", f"{text} for {plane_bytes} decoded bytes", "PS3.5 Annex G.3", end)
    budget.reserve(plane_bytes * (len(ranges) + 1))
    planes = []
    for number, (start, end) in enumerate(ranges, 1):
        plane, note = _decode_segment(src[start:end], plane_bytes, number, start)
        planes.append(np.frombuffer(plane, np.uint8, plane_bytes))
        tolerated += [note] if note else []
    if info.is_bit_packed:
        return np.unpackbits(planes[0], count=info.pixels, bitorder="little"), tolerated
    order = "<" if segment_byte_order == "little" else ">"
    cells = np.stack(planes, axis=-1).view(f"{order}u{info.sample_bytes}")
    return info.aligned(cells.astype(f"=u{info.sample_bytes}", copy=False).reshape(-1)), tolerated


def read_header(src: bytes, info: FrameInfo) -> tuple[list[tuple[int, int]], list[Tolerated]]:
    """Where each segment lies: sixteen numbers say how many there are and where each begins (PS3.5 G.5)."""
    clause, expected = "PS3.5 Annex G.5", _segment_count(info)
    if len(src) < _HEADER.size:
        raise fault("Truncated", f"RLE header of {len(src)} bytes found, 64 expected", clause, len(src))
    count, *offsets = _HEADER.unpack_from(src)
    if not 1 <= count <= 15:
        raise fault("Malformed", f"number of segments {count} found, 1 to 15 expected", clause, 0)
    if count != expected:
        text = f"number of segments {count} found, {expected} expected: samples per pixel x bytes per sample"
        raise fault("Mismatch", text, "PS3.5 Annex G.2", 0)
    lowest = _HEADER.size
    for index, offset in enumerate(offsets[:count]):
        if not lowest <= offset < len(src):
            text = f"offset {offset} of segment {index + 1} found, {lowest} to {len(src) - 1} expected"
            raise fault("Malformed", text, clause, 4 + 4 * index)
        lowest = offset + 1
    tolerated = []
    if offsets[0] > _HEADER.size:
        what = f"segment 1 starts at byte {offsets[0]}, not right after the header"
        tolerated.append(Tolerated(what, "PS3.5 Annex G.4", 4))
    for index in range(count, 15):
        if offsets[index]:
            tolerated.append(Tolerated("unused segment offset is not zero", clause, 4 + 4 * index))
            break
    starts = offsets[:count]
    return list(zip(starts, [*starts[1:], len(src)], strict=True)), tolerated


def _decode_segment(segment: bytes, plane_bytes: int, number: int, start: int) -> tuple[bytearray, Tolerated | None]:
    """Run after run until the plane is full (PS3.5 G.3.2); ``start`` is where the segment lies in the frame."""
    plane = bytearray()
    at = run_at = 0
    end = start + len(segment)
    while len(plane) < plane_bytes:
        if at == len(segment):
            text = f"segment {number} ends after {len(plane)} of {plane_bytes} decoded bytes"
            raise fault("Truncated", text, "PS3.5 Annex G.3.2", end)
        run_at, header = at, segment[at]
        at += 1
        if header < 128:
            length = header + 1
            run = segment[at : at + length]
            if len(run) < length:
                text = f"literal run of {length} bytes passes the end of segment {number} after {len(run)}"
                raise fault("Truncated", text, "PS3.5 Annex G.3.2", end)
            plane += run
            at += length
        elif header > 128:
            if at == len(segment):
                text = f"replicate run passes the end of segment {number}"
                raise fault("Truncated", text, "PS3.5 Annex G.3.2", end)
            plane += segment[at : at + 1] * (257 - header)
            at += 1
    if len(plane) > plane_bytes:
        what = f"run of segment {number} passes the end of its plane by {len(plane) - plane_bytes}"
        return plane, Tolerated(what, "PS3.5 Annex G.3", start + run_at)
    rest = segment[at:]
    # The one pad byte makes the segment even, or the frame up to here.
    if rest and not (rest == b"\0" and (len(segment) % 2 == 0 or end % 2 == 0)):
        what = f"{len(rest)} bytes follow the last run of segment {number}"
        return plane, Tolerated(what, "PS3.5 Annex G.3", start + at)
    return plane, None
