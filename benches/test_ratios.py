"""Runs each table of `ratios.py` with one round; checks results, not times."""

from __future__ import annotations

import json

import pytest

import ratios
import tables_files

# The name of a table also selects those that start with it.
NAMES = [name for name in ratios.TABLES if not any(name.startswith(f"{prefix}_") for prefix in ratios.TABLES)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_table_runs_with_correct_results(name: str, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(tables_files, "FILE_COUNT", 50)
    ratios.main(["--rounds", "1", "--json", str(tmp_path / "measured.json"), name])
    document = json.loads((tmp_path / "measured.json").read_text())
    for table in document["tables"].values():
        assert table["targets"] or table["skipped"]
    assert "Targets" in capsys.readouterr().out
