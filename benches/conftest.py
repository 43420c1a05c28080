"""What the pytest-benchmark files share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from suite import Suite


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """Images and verdicts."""
    made = Suite(str(tmp_path_factory.mktemp("suite")))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def packed() -> tuple[bytes, npt.NDArray[Any]]:
    """16 frames of 511 × 511 packed bits, so that most begin within a byte; and their samples."""
    samples = np.random.default_rng(1).integers(0, 2, (16, 511, 511), dtype=np.uint8)
    return np.packbits(samples, bitorder="little").tobytes(), samples
