"""Whole processes that import and end."""

from __future__ import annotations

import pytest

import processes


@pytest.mark.parametrize("what", ["numpy", "dicoxide"])
def test_import(benchmark, what: str) -> None:
    benchmark.group = "import"
    with processes.import_commands() as commands:
        benchmark.pedantic(commands[what], rounds=7, iterations=1)
