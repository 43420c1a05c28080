"""Output of commands in encodings without the characters of tables, such as those of pipes on Windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command_line import dicoxide_command
from support.processes import environment
from support.synthetic_series import slices, write_all


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
@pytest.mark.parametrize("command", ["info", "doctor", "decode"])
def test_command_prints_tables_in_any_encoding(tmp_path: Path, command: str, encoding: str) -> None:
    write_all(slices(2), tmp_path / "folder")
    arguments = {
        "info": [tmp_path / "folder"],
        "doctor": [],
        "decode": [tmp_path / "folder", "-o", tmp_path / "out", "--format", "npy", "--dry-run"],
    }[command]
    result = dicoxide_command(
        command, *arguments, env=environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0"), encoding=encoding
    )
    assert result.code == 0, result.err
    assert ("───" if encoding == "utf-8" else "---") in result.out
    assert "?" not in result.out
