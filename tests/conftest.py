"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.real_images import SHARED


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds (-m 'not slow' leaves it out)")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared images."""
    if not (SHARED / "MANIFEST.csv").is_file():
        pytest.skip("the shared images are not there (DICOXIDE_SHARED names their folder)")
    return SHARED
