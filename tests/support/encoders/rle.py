"""Arrays of stored values to RLE Lossless frames (PS3.5 Annex G), in many an encoder's manner."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# A plane in runs: the first byte and how many there are, and whether they are one byte repeated.
Runs = Iterator[tuple[int, int, bool]]


def literal(data: bytes) -> bytes:
    """A literal run of 1 to 128 bytes (PS3.5 G.3.1)."""
    assert 1 <= len(data) <= 128
    return bytes([len(data) - 1]) + data


def replicate(byte: int, count: int) -> bytes:
    """A replicate run: 1 - ``count`` as a signed byte, for 2 to 128 times ``byte``."""
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
    """Replicates of at least three, literals as long as they go."""
    return _mixed(plane, 3, 128, lambda: 128)


def literals(plane: bytes, rng: random.Random) -> Runs:
    """One literal after the other, of any length."""
    return _mixed(plane, 129, 128, lambda: rng.randint(1, 128))


def replicate_two(plane: bytes, rng: random.Random) -> Runs:
    """Replicates of two and no more."""
    return _mixed(plane, 2, 2, lambda: 128)


def ragged(plane: bytes, rng: random.Random) -> Runs:
    """Runs that end where nobody would end them."""
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
    """One segment; ``oversize`` bytes more than the plane come out of its last run, a replicate."""
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
    """RLE Header and segments (PS3.5 G.4, G.5)."""
    offsets, offset = [], 64
    for segment in segments:
        offsets.append(offset)
        offset += len(segment)
    numbers = [len(segments), *offsets, *[0] * (15 - len(segments))]
    return b"".join(number.to_bytes(4, "little") for number in numbers) + b"".join(segments)


def planes(frame: Array, bits_allocated: int, *, little: bool = False) -> list[bytes]:
    """The byte planes of one frame (rows, columns, samples), in the order of the segments (PS3.5 G.2)."""
    if bits_allocated == 1:
        return [np.packbits(frame.reshape(-1) != 0, bitorder="little").tobytes()]
    sample_bytes = bits_allocated // 8
    unsigned = frame.astype(f"<i{sample_bytes}" if frame.dtype.kind == "i" else f"<u{sample_bytes}")
    by_byte = unsigned.view(np.uint8).reshape(-1, frame.shape[-1], sample_bytes)
    order = range(sample_bytes) if little else reversed(range(sample_bytes))
    wanted = list(order)
    return [by_byte[:, sample, byte].tobytes() for sample in range(frame.shape[-1]) for byte in wanted]


def encode(frame: Array, bits_allocated: int, style: str = "greedy", *, little: bool = False, **options: Any) -> bytes:
    """One frame (rows, columns, samples); ``options`` are those of `encode_segment`."""
    return assemble([encode_segment(plane, style, **options) for plane in planes(frame, bits_allocated, little=little)])
