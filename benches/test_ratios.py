"""The fair measurement runs, and its answers are right; its times say nothing here."""

from __future__ import annotations

import json

import pytest

import bulk
import ratios

# A name takes the tables that it begins, too.
NAMES = [name for name in ratios.TABLES if not any(name.startswith(f"{begin}_") for begin in ratios.TABLES)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_tables(name: str, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(bulk, "MANY", 50)
    ratios.main(["--rounds", "1", "--json", str(tmp_path / "measured.json"), name])
    measured = json.loads((tmp_path / "measured.json").read_text())
    for table in measured["tables"].values():
        assert table["claims"] or table["skipped"]
    assert "Targets" in capsys.readouterr().out
