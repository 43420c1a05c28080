"""Markers and fixtures of all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.processes import end_with_parent
from support.real_images import SHARED


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes many seconds; only `make test-all` runs it")
    config.addinivalue_line("markers", "serial: measures time or needs all cores; runs after the parallel tests")
    if hasattr(config, "workerinput"):
        # A worker of pytest-xdist whose controller is killed would finish its test first.
        end_with_parent()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared images."""
    if not (SHARED / "MANIFEST.csv").is_file():
        pytest.skip("the shared images are not available (DICOXIDE_SHARED names their folder)")
    return SHARED
