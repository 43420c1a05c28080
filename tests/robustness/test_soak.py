"""Everything that decodes, at once, for some seconds; `make soak` does it for hours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from support import soak

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="what is at once there is Python's")


@pytest.mark.slow
def test_a_short_one() -> None:
    for result in soak.soak(10, processes=2, threads=3):
        assert result["wrong"] == []
        assert len(result["done"]) == 11


@pytest.mark.filterwarnings("ignore")
class TestWhatIsFound:
    """Bugs, planted: each is seen."""

    @staticmethod
    def wrong(tmp_path: Path, work: Any) -> str:
        process = soak.Soak(tmp_path, 2, 0, only="MR_small")
        process._work = [work]
        return "\n".join(process.run(1.0)["wrong"])

    def test_nothing_without(self, tmp_path: Path) -> None:
        assert self.wrong(tmp_path, lambda rng: None) == ""

    def test_a_sample_that_is_another(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        process = soak.Soak(tmp_path, 2, 0, only="MR_small")
        right = dicoxide.decode
        monkeypatch.setattr(dicoxide, "decode", lambda src, **options: right(src, **options) + np.uint8(1))
        assert "AssertionError" in "\n".join(process.run(1.0)["wrong"])

    def test_descriptors_that_stay(self, tmp_path: Path) -> None:
        retained = []

        def work(rng: Any) -> None:
            if len(retained) < 20:
                retained.append((tmp_path / "kept").open("w"))

        assert "descriptors" in self.wrong(tmp_path, work)
        for file in retained:
            file.close()

    def test_plugins_that_are_others(self, tmp_path: Path) -> None:
        try:
            assert "plugins" in self.wrong(tmp_path, lambda rng: dicoxide.enable())
        finally:
            dicoxide.disable()

    def test_memory_that_grows(self) -> None:
        flat = [(float(index), 100 << 20) for index in range(100)]
        assert soak.growth_of(flat) == 0
        grows = [(index, size + int(index * (1 << 20))) for index, size in flat]
        assert soak.growth_of(grows) > soak._NOISE_BYTES
        # What a warm-up takes is not counted.
        assert soak.growth_of([(index, size * (1 + (index > 20))) for index, size in flat]) == 0
