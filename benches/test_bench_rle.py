"""RLE frames into warm memory, each decoder on each file; `ratios.py` makes the fair comparison."""

from __future__ import annotations

import numpy as np
import pytest

import adapters
import corpus
import dicoxide


def test_rle_frame(benchmark, rle_decoder: adapters.RleDecoder, rle_frame: corpus.RleFrame) -> None:
    if not rle_decoder.takes(rle_frame):
        pytest.skip(f"{rle_decoder.name} does not take such a frame")
    benchmark.group = f"RLE {rle_frame.name}"
    benchmark.extra_info["decoded_bytes"] = rle_frame.reference.nbytes
    decode = rle_decoder.bind(rle_frame, np.zeros_like(rle_frame.reference))
    assert rle_decoder.is_right(rle_frame, decode())
    benchmark(decode)


@pytest.mark.parametrize("threads", [1, 2])
def test_rle_series(benchmark, rle_series, threads: int) -> None:
    ds, frames = rle_series
    benchmark.group = "RLE 50 × 512 × 512"
    out = np.zeros_like(frames)
    assert np.array_equal(dicoxide.decode(ds, out=out, threads=threads), frames)
    benchmark(dicoxide.decode, ds, out=out, threads=threads)
