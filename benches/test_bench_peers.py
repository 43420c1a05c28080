"""Every decoder of `dicoxide.bench` at every level, on a handful of images; `ratios.py` makes the fair comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dicoxide
from dicoxide.bench._array_comparison import checksum
from dicoxide.bench._decoders import DECODERS, LEVELS
from suite import REAL, SYNTAXES, Suite

# Of many frames the codec has the first only, which is another's all.
GENERATED = {
    "ct-512": LEVELS,
    "ct-512x32": ("pixel_array", "file", "rescaled"),
    "us-rgb-480x640": ("codec", "pixel_array", "file"),
}
CASES = {
    **{f"{image}-{syntax}": levels for image, levels in GENERATED.items() for syntax in SYNTAXES},
    **dict.fromkeys(REAL, ("codec", "file")),
}
FILES = 16


def parameters() -> Iterator[Any]:
    """Level, case, decoder, variant, threads."""
    for level, name, peer in ((level, name, peer) for level in LEVELS for name in CASES for peer in DECODERS.values()):
        if level not in CASES[name] or level not in peer.levels:
            continue
        # An interface of pydicom takes no array.
        variants = ("",) if level in ("pixel_array", "bulk") else peer.variants
        for variant in variants:
            for threads in (1, 2) if level == "bulk" else (1,):
                about = (variant, f"{threads} threads" if threads > 1 else "")
                label = " ".join(filter(None, (level, Path(name).stem, peer.name, *about)))
                yield pytest.param(level, name, peer.name, variant, threads, id=label)


@pytest.fixture
def disabled() -> Iterator[None]:
    """Ours is not among pydicom's plugins after a test of it."""
    yield
    dicoxide.disable()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("disabled")
@pytest.mark.parametrize(("level", "name", "peer", "variant", "threads"), list(parameters()))
def test_decode(benchmark, suite: Suite, level: str, name: str, peer: str, variant: str, threads: int) -> None:
    opened = suite.opened(name)
    answer = suite.answer("file" if level == "bulk" else level, name, peer)
    if level == "bulk":
        call = DECODERS[peer].bind_many([opened] * FILES, threads)
    else:
        call = DECODERS[peer].bind(level, opened, variant, threads)
    if call is None:
        pytest.skip(f"{peer} does not decode such a case at level {level} {variant}")
    benchmark.group = f"{level}, {name}"
    if level == "bulk":
        assert call() == FILES * math.prod(opened.case.shape)
    else:
        # Decided is what it gave in another process.
        assert checksum(DECODERS[peer].normalised(level, opened, call())) == answer.sha256
    benchmark(call)
