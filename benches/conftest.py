"""Fixtures of the pytest-benchmark files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from suite import Suite


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """Images and verified results."""
    suite = Suite(str(tmp_path_factory.mktemp("suite")))
    yield suite
    suite.stop()


@pytest.fixture(scope="session")
def packed() -> tuple[bytes, npt.NDArray[Any]]:
    """16 frames of 511 × 511 packed bits, most of which start within a byte; and their samples."""
    samples = np.random.default_rng(1).integers(0, 2, (16, 511, 511), dtype=np.uint8)
    return np.packbits(samples, bitorder="little").tobytes(), samples
