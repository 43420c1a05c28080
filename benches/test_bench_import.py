"""Processes that import a package and end."""

from __future__ import annotations

import pytest

import tables_processes


@pytest.mark.parametrize("package", ["numpy", "dicoxide"])
def test_import(benchmark, package: str) -> None:
    benchmark.group = "import"
    with tables_processes.import_commands() as commands:
        benchmark.pedantic(commands[package], rounds=7, iterations=1)
