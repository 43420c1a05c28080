"""Packed bits, at byte and bit offsets."""

from __future__ import annotations

import numpy as np
import pytest

import dicoxide

PACKAGES = ["dicoxide", "numpy"]


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("kib", [16, 256, 1024, 16384])
def test_unpack(benchmark, kib: int, package: str) -> None:
    benchmark.group = f"unpack bits to {kib} KiB"
    samples = np.random.default_rng(1).integers(0, 2, kib << 10, dtype=np.uint8)
    packed = np.packbits(samples, bitorder="little")
    src, out = packed.tobytes(), np.zeros_like(samples)
    unpack = {
        "dicoxide": lambda: dicoxide.unpack_bits(src, out.size, out=out),
        "numpy": lambda: np.unpackbits(packed, bitorder="little"),
    }[package]
    assert np.array_equal(unpack(), samples)
    benchmark(unpack)


@pytest.mark.parametrize("package", PACKAGES)
def test_unpack_at_a_bit_offset(benchmark, packed, package: str) -> None:
    benchmark.group = "unpack bits, 511 × 511, at a bit offset"
    src, frames = packed
    sample_count, out = frames[0].size, np.zeros_like(frames[0])
    byte_offset, bit_offset = divmod(3 * sample_count, 8)
    frame_bytes = src[byte_offset : byte_offset + -(-(bit_offset + sample_count) // 8)]

    def unpack_with_numpy():
        unpacked = np.unpackbits(np.frombuffer(frame_bytes, np.uint8), bitorder="little")
        return unpacked[bit_offset : bit_offset + sample_count].reshape(out.shape)

    unpack = {
        "dicoxide": lambda: dicoxide.unpack_bits(frame_bytes, sample_count, bit_offset, out=out),
        "numpy": unpack_with_numpy,
    }[package]
    assert np.array_equal(unpack(), frames[3])
    benchmark(unpack)


@pytest.mark.parametrize("package", PACKAGES)
def test_pack(benchmark, packed, package: str) -> None:
    benchmark.group = "pack bits, 16 × 511 × 511"
    src, frames = packed
    pack = {
        "dicoxide": lambda: dicoxide.pack_bits(frames),
        "numpy": lambda: np.packbits(frames, bitorder="little"),
    }[package]
    assert pack().tobytes() == src
    benchmark(pack)
