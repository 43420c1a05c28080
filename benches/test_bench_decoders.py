"""Every decoder of `dicoxide.bench` at every level, on a few images. `ratios.py` makes the fair comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dicoxide
from dicoxide.bench import DECODERS, LEVELS
from dicoxide.bench._array_comparison import checksum
from suite import REAL_FILES, SYNTAXES, Suite

# Levels of generated images. At the level ``codec``, ct-512x32 would be the same as ct-512: only its first frame is
# decoded.
GENERATED = {
    "ct-512": LEVELS,
    "ct-512x32": ("pixel_array", "file", "rescaled"),
    "us-rgb-480x640": ("codec", "pixel_array", "file"),
}
CASES = {
    **{f"{image}-{syntax}": levels for image, levels in GENERATED.items() for syntax in SYNTAXES},
    **dict.fromkeys(REAL_FILES, ("codec", "file")),
}
BULK_FILE_COUNT = 16


def parameters() -> Iterator[Any]:
    """Yield level, case name, decoder, variant and thread count."""
    for level in LEVELS:
        for name, levels in CASES.items():
            for decoder in DECODERS.values():
                if level not in levels or level not in decoder.levels:
                    continue
                # pydicom and bulk decoding have no `out` argument.
                for variant in ("",) if level in ("pixel_array", "bulk") else decoder.variants:
                    for threads in (1, 2) if level == "bulk" else (1,):
                        words = (level, Path(name).stem, decoder.name, variant, "2 threads" if threads > 1 else "")
                        yield pytest.param(
                            level, name, decoder.name, variant, threads, id=" ".join(filter(None, words))
                        )


@pytest.fixture
def plugin_disabled_afterwards() -> Iterator[None]:
    """Remove the plugin of dicoxide from pydicom after the test."""
    yield
    dicoxide.disable()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("plugin_disabled_afterwards")
@pytest.mark.parametrize(("level", "name", "decoder", "variant", "threads"), list(parameters()))
def test_decode(benchmark, suite: Suite, level: str, name: str, decoder: str, variant: str, threads: int) -> None:
    loaded = suite.load(name)
    verified = suite.result("file" if level == "bulk" else level, name, decoder)
    if level == "bulk":
        call = DECODERS[decoder].bind_many([loaded] * BULK_FILE_COUNT, threads)
    else:
        call = DECODERS[decoder].bind(level, loaded, variant, threads)
    if call is None:
        pytest.skip(f"{decoder} does not support {name} at level {level} {variant}")
    benchmark.group = f"{level}, {name}"
    if level == "bulk":
        assert call() == BULK_FILE_COUNT * math.prod(loaded.case.shape)
    else:
        # The verified result was decoded in another process.
        assert checksum(DECODERS[decoder].normalised(level, loaded, call())) == verified.sha256
    benchmark(call)
