"""Whole processes that import and end."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = {"numpy": "import numpy", "dicoxide": "import dicoxide, sys; sys.exit('pydicom' in sys.modules)"}


@pytest.mark.parametrize("what", CODE)
def test_import(benchmark, what: str) -> None:
    benchmark.group = "import"
    benchmark.pedantic(
        subprocess.run, args=([sys.executable, "-c", CODE[what]],), kwargs={"check": True}, rounds=7, iterations=1
    )
