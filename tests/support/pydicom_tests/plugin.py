"""A pytest plugin for pydicom's own tests: enables dicoxide, and skips tests whose files would be downloaded.

The environment variable ``DICOXIDE_PYDICOM_MODE`` selects what dicoxide does: ``off``; ``first``, as `dicoxide.enable`;
``instead``: requests of another decoding plugin by name are answered by dicoxide too, so that the expected values of
tests of other plugins are compared with its values.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pydicom.data.data_manager
import pytest
from pydicom.pixels.decoders.base import Decoder

import dicoxide

MODE = os.environ["DICOXIDE_PYDICOM_MODE"]
# Some of pydicom's test files are neither in pydicom nor in pydicom-data, but here.
VECTORS = Path(__file__).parents[2] / "vectors"


def pytest_configure(config: pytest.Config) -> None:
    pydicom.data.data_manager.data_path_with_download = _find_without_download
    if MODE != "off":
        dicoxide.enable()
    if MODE == "instead":
        validate = Decoder._validate_plugins

        def answer_by_dicoxide(decoder: Decoder, plugin: str = "") -> Any:
            is_available = plugin in decoder.available_plugins and "dicoxide" in decoder.available_plugins
            return validate(decoder, "dicoxide" if is_available else plugin)

        Decoder._validate_plugins = answer_by_dicoxide


def _find_without_download(filename: str) -> Path:
    if (VECTORS / filename).is_file():
        return VECTORS / filename
    if "PYTEST_CURRENT_TEST" in os.environ:
        pytest.skip(f"{filename} is in no package")
    raise OSError(f"{filename} is in no package")
