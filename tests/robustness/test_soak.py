"""Concurrent decoding through all interfaces for several seconds; `make soak` runs for hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from support import soak

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend does not decode concurrently")


@pytest.mark.slow
def test_short_soak_finds_nothing() -> None:
    for result in soak.soak(10, processes=2, threads=3):
        assert result["wrong"] == []
        assert len(result["done"]) == 11


@pytest.mark.filterwarnings("ignore")
class TestPlantedFaults:
    """Planted faults: each one is reported."""

    @staticmethod
    def wrong(tmp_path: Path, work: Any) -> str:
        process = soak.Soak(tmp_path, 2, 0, only="MR_small")
        process._jobs = [work]
        return "\n".join(process.run(1.0)["wrong"])

    def test_soak_without_fault_reports_nothing(self, tmp_path: Path) -> None:
        assert self.wrong(tmp_path, lambda rng: None) == ""

    def test_soak_reports_a_wrong_sample(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        process = soak.Soak(tmp_path, 2, 0, only="MR_small")
        right = dicoxide.decode
        monkeypatch.setattr(dicoxide, "decode", lambda src, **options: right(src, **options) + np.uint8(1))
        assert "AssertionError" in "\n".join(process.run(1.0)["wrong"])

    def test_soak_reports_open_descriptors(self, tmp_path: Path) -> None:
        retained = []

        def work(rng: Any) -> None:
            if len(retained) < 20:
                retained.append((tmp_path / "kept").open("w"))

        assert "descriptors" in self.wrong(tmp_path, work)
        for file in retained:
            file.close()

    def test_soak_reports_changed_plugins(self, tmp_path: Path) -> None:
        try:
            assert "plugins" in self.wrong(tmp_path, lambda rng: dicoxide.enable())
        finally:
            dicoxide.disable()

    def test_growth_of_detects_growing_memory(self) -> None:
        flat = [(float(index), 100 << 20) for index in range(100)]
        assert soak.growth_of(flat) == 0
        grows = [(index, size + int(index * (1 << 20))) for index, size in flat]
        assert soak.growth_of(grows) > soak._NOISE_BYTES
        # Growth during the warm-up is not counted.
        assert soak.growth_of([(index, size * (1 + (index > 20))) for index, size in flat]) == 0
