"""Numbers in documents are those of the runs that are kept."""

from __future__ import annotations

import sys

import pytest

import kept

FOLDERS = kept.folders()


def test_the_readme_has_the_numbers_of_the_newest_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["kept.py", "--check"])
    assert kept.main() == 0, "make numbers"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_summary_is_made_of_its_data(folder) -> None:
    assert (folder / "README.md").read_text(encoding="utf-8") == kept.summary(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_run_is_whole(folder) -> None:
    document = kept.document(folder / "built-in.json.gz")
    assert document["schema"] == "dicoxide-bench/1"
    assert not document["setup"]["interrupted"]
    assert {"built-in.csv", "built-in.html", "built-in.txt"} <= {path.name for path in folder.iterdir()}
