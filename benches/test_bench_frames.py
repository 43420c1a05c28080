"""Multi-frame objects: all frames on one and two threads, and one frame by index."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.pixels import pixel_array

import dicoxide
from dicoxide.bench import DECODERS, DICOXIDE
from suite import SYNTAXES, Suite


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_threads(benchmark, suite: Suite, syntax: str, threads: int) -> None:
    loaded = suite.load(f"ct-512x32-{syntax}")
    suite.result("file", loaded.case.name, DICOXIDE)
    benchmark.group = f"32 × 512 × 512, {syntax}, reused out="
    decode = DECODERS[DICOXIDE].bind("file", loaded, "out=", threads)
    assert np.array_equal(decode(), np.load(loaded.case.reference))
    benchmark(decode)


@pytest.mark.parametrize(
    ("syntax", "decoder"),
    [(syntax, DICOXIDE) for syntax in SYNTAXES] + [(syntax, "pydicom") for syntax in SYNTAXES[:2]],
)
def test_one_frame_by_index(benchmark, suite: Suite, syntax: str, decoder: str) -> None:
    loaded = suite.load(f"ct-512x32-{syntax}")
    suite.result("file", loaded.case.name, DICOXIDE)
    benchmark.group = f"one frame of 32, {syntax}"
    ds = loaded.dataset
    decode = {
        DICOXIDE: lambda: dicoxide.decode(ds, frames=17),
        "pydicom": lambda: pixel_array(ds, index=17, decoding_plugin="" if syntax == "native" else "pydicom"),
    }[decoder]
    assert np.array_equal(decode(), np.load(loaded.case.reference)[17])
    benchmark(decode)
