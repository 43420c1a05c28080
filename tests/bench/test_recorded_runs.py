"""The generated documents agree with the recorded benchmark runs."""

from __future__ import annotations

import sys

import pytest

import update_readme

FOLDERS = update_readme.folders()


def test_readme_has_the_numbers_of_the_newest_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["update_readme.py", "--check"])
    assert update_readme.main() == 0, "README.md is not up to date: make numbers"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_summary_of_a_run_agrees_with_its_data(folder) -> None:
    assert (folder / "README.md").read_text(encoding="utf-8") == update_readme.run_summary(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_recorded_run_is_complete(folder) -> None:
    document = update_readme.load_document(folder / "built-in.json.gz")
    assert document["schema"] == "dicoxide-bench/1"
    assert not document["setup"]["interrupted"]
    assert {"built-in.csv", "built-in.html", "built-in.txt"} <= {path.name for path in folder.iterdir()}


def test_own_syntaxes_are_those_without_a_fallback_decoder() -> None:
    cases = [{"name": name, "keyword": name} for name in ("RLELossless", "ExplicitVRLittleEndian", "JPEGXL")]
    document = {
        "cases": cases,
        "results": [
            {"peer": peer, "level": level, "case": case, "status": status}
            for peer, level, case, status in [
                ("dicoxide", "codec", "RLELossless", "wrong"),
                ("dicoxide", "codec", "ExplicitVRLittleEndian", "unchecked"),
                ("dicoxide", "pixel_array", "ExplicitVRLittleEndian", "unsupported"),
                ("dicoxide", "codec", "JPEGXL", "unsupported"),
                ("dicoxide", "file", "JPEGXL", "ok"),
                ("imagecodecs", "codec", "JPEGXL", "ok"),
            ]
        ],
    }
    assert update_readme.own_syntaxes(document) == {"RLELossless", "ExplicitVRLittleEndian"}
