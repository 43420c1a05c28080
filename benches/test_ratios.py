"""The fair measurement runs, and its answers are right; its times say nothing here."""

from __future__ import annotations

import json

import pytest

import bulk
import ratios


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ratios.TABLES)
def test_table(name: str, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(bulk, "MANY", 50)
    ratios.main(["--rounds", "1", "--json", str(tmp_path / "measured.json"), name])
    measured = json.loads((tmp_path / "measured.json").read_text())
    assert measured["tables"][name]["claims"] or measured["tables"][name]["skipped"]
    assert "Targets" in capsys.readouterr().out
