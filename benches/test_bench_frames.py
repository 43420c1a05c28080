"""Many frames of one object: on threads, and one of them by its index."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.pixels import pixel_array

import dicoxide
from dicoxide.bench._decoders import DECODERS, DICOXIDE
from suite import SYNTAXES, Suite


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_threads(benchmark, suite: Suite, syntax: str, threads: int) -> None:
    opened = suite.opened(f"ct-512x32-{syntax}")
    suite.answer("file", opened.case.name, DICOXIDE)
    benchmark.group = f"32 × 512 × 512, {syntax}, warm out"
    decode = DECODERS[DICOXIDE].bind("file", opened, "out=", threads)
    assert np.array_equal(decode(), np.load(opened.case.reference))
    benchmark(decode)


@pytest.mark.parametrize(
    ("syntax", "who"), [(syntax, DICOXIDE) for syntax in SYNTAXES] + [(syntax, "pydicom") for syntax in SYNTAXES[:2]]
)
def test_one_frame_by_index(benchmark, suite: Suite, syntax: str, who: str) -> None:
    opened = suite.opened(f"ct-512x32-{syntax}")
    suite.answer("file", opened.case.name, DICOXIDE)
    benchmark.group = f"one frame of 32, {syntax}"
    ds = opened.dataset
    ways = {
        DICOXIDE: lambda: dicoxide.decode(ds, frames=17),
        "pydicom": lambda: pixel_array(ds, index=17, decoding_plugin="" if syntax == "native" else "pydicom"),
    }
    assert np.array_equal(ways[who](), np.load(opened.case.reference)[17])
    benchmark(ways[who])
