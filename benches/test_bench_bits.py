"""Packed bits, on and off the byte grid."""

from __future__ import annotations

import numpy as np
import pytest

import dicoxide


@pytest.mark.parametrize("who", ["dicoxide", "numpy"])
@pytest.mark.parametrize("kib", [16, 256, 1024, 16384])
def test_unpack(benchmark, kib: int, who: str) -> None:
    benchmark.group = f"unpack bits to {kib} KiB"
    samples = np.random.default_rng(1).integers(0, 2, kib << 10, dtype=np.uint8)
    array = np.packbits(samples, bitorder="little")
    src, out = array.tobytes(), np.zeros_like(samples)
    ways = {
        "dicoxide": lambda: dicoxide.unpack_bits(src, out.size, out=out),
        "numpy": lambda: np.unpackbits(array, bitorder="little"),
    }
    assert np.array_equal(ways[who](), samples)
    benchmark(ways[who])


@pytest.mark.parametrize("who", ["dicoxide", "numpy"])
def test_unpack_off_the_byte_grid(benchmark, packed, who: str) -> None:
    benchmark.group = "unpack bits, 511 × 511, off the byte grid"
    src, frames = packed
    count, out = frames[0].size, np.zeros_like(frames[0])
    start, offset = divmod(3 * count, 8)
    window = src[start : start + -(-(offset + count) // 8)]

    def numpy_way():
        unpacked = np.unpackbits(np.frombuffer(window, np.uint8), bitorder="little")
        return unpacked[offset : offset + count].reshape(out.shape)

    ways = {"dicoxide": lambda: dicoxide.unpack_bits(window, count, offset, out=out), "numpy": numpy_way}
    assert np.array_equal(ways[who](), frames[3])
    benchmark(ways[who])


@pytest.mark.parametrize("who", ["dicoxide", "numpy"])
def test_pack(benchmark, packed, who: str) -> None:
    benchmark.group = "pack bits, 16 × 511 × 511"
    src, frames = packed
    ways = {
        "dicoxide": lambda: dicoxide.pack_bits(frames),
        "numpy": lambda: np.packbits(frames, bitorder="little"),
    }
    assert ways[who]().tobytes() == src
    benchmark(ways[who])
