"""RLE Lossless encoder (PS3.5 Annex G) that imitates the run styles of different encoders."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# Runs of a plane: offset, byte count, and True for replicate runs.
Runs = Iterator[tuple[int, int, bool]]


def literal(data: bytes) -> bytes:
    """Return a literal run of 1 to 128 bytes (PS3.5 G.3.1)."""
    assert 1 <= len(data) <= 128
    return bytes([len(data) - 1]) + data


def replicate(byte: int, count: int) -> bytes:
    """Return a replicate run of 2 to 128 times ``byte``; its header is 1 - ``count`` as a signed byte."""
    assert 2 <= count <= 128
    return (1 - count).to_bytes(1, "little", signed=True) + bytes([byte])


def _same(plane: bytes, at: int) -> int:
    end = at
    while end < len(plane) and end - at < 128 and plane[end] == plane[at]:
        end += 1
    return end - at


def _mixed(plane: bytes, shortest: int, longest: int, most: Callable[[], int]) -> Runs:
    offset = 0
    while offset < len(plane):
        same = min(_same(plane, offset), longest)
        if same >= shortest:
            yield offset, same, True
            offset += same
            continue
        end = offset
        limit = min(len(plane), offset + most())
        while end < limit and _same(plane, end) < shortest:
            end += 1
        yield offset, max(1, end - offset), False
        offset += max(1, end - offset)


def greedy(plane: bytes, rng: random.Random) -> Runs:
    """Replicate runs of at least three bytes, and the longest literal runs."""
    return _mixed(plane, 3, 128, lambda: 128)


def literals(plane: bytes, rng: random.Random) -> Runs:
    """Literal runs of random lengths only."""
    return _mixed(plane, 129, 128, lambda: rng.randint(1, 128))


def replicate_two(plane: bytes, rng: random.Random) -> Runs:
    """Replicate runs of exactly two bytes."""
    return _mixed(plane, 2, 2, lambda: 128)


def ragged(plane: bytes, rng: random.Random) -> Runs:
    """Split a plane into runs at arbitrary positions."""
    return _mixed(plane, rng.randint(2, 5), rng.randint(5, 128), lambda: rng.randint(1, 9))


STYLES = {"greedy": greedy, "literals": literals, "replicate_two": replicate_two, "ragged": ragged}


def encode_segment(
    plane: bytes,
    style: str = "greedy",
    *,
    no_ops: bool = False,
    pad: bool = True,
    oversize: int = 0,
    rng: random.Random | None = None,
) -> bytes:
    """Encode one segment; its last run, a replicate, is ``oversize`` bytes longer than the plane."""
    rng = rng or random.Random(0)
    if oversize:
        tail = _tail(plane)
        assert 2 <= tail + oversize <= 128
        plane, last = plane[: len(plane) - tail], replicate(plane[-1], tail + oversize)
    else:
        last = b""
    out = bytearray()
    for at, count, same in STYLES[style](plane, rng):
        if no_ops and rng.random() < 0.4:
            out += b"\x80" * rng.randint(1, 3)
        out += replicate(plane[at], count) if same else literal(plane[at : at + count])
    out += last
    if pad and len(out) % 2:
        out += b"\0"
    return bytes(out)


def _tail(plane: bytes) -> int:
    tail = len(plane) - len(plane.rstrip(plane[-1:]))
    return min(tail, 64)


def assemble(segments: list[bytes]) -> bytes:
    """Return the RLE header and the segments (PS3.5 G.4, G.5)."""
    offsets, offset = [], 64
    for segment in segments:
        offsets.append(offset)
        offset += len(segment)
    numbers = [len(segments), *offsets, *[0] * (15 - len(segments))]
    return b"".join(number.to_bytes(4, "little") for number in numbers) + b"".join(segments)


def planes(frame: Array, bits_allocated: int, *, little: bool = False, packed: bool = False) -> list[bytes]:
    """Return the byte planes of one frame (rows, columns, samples) in segment order (PS3.5 G.2).

    With Bits Allocated 1 a plane has one byte per pixel; with ``packed``, eight pixels per byte, as some encoders
    write.
    """
    if bits_allocated == 1:
        bits = (frame.reshape(-1) != 0).astype(np.uint8)
        return [np.packbits(bits, bitorder="little").tobytes() if packed else bits.tobytes()]
    sample_bytes = bits_allocated // 8
    unsigned = frame.astype(f"<i{sample_bytes}" if frame.dtype.kind == "i" else f"<u{sample_bytes}")
    by_byte = unsigned.view(np.uint8).reshape(-1, frame.shape[-1], sample_bytes)
    order = range(sample_bytes) if little else reversed(range(sample_bytes))
    wanted = list(order)
    return [by_byte[:, sample, byte].tobytes() for sample in range(frame.shape[-1]) for byte in wanted]


def encode(
    frame: Array,
    bits_allocated: int,
    style: str = "greedy",
    *,
    little: bool = False,
    packed: bool = False,
    **options: Any,
) -> bytes:
    """Encode one frame (rows, columns, samples); ``options`` are those of `encode_segment`."""
    byte_planes = planes(frame, bits_allocated, little=little, packed=packed)
    return assemble([encode_segment(plane, style, **options) for plane in byte_planes])
