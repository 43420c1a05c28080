"""`.ci/release-notes` prints the section of a tag in the changelog, and fails for other tags and missing sections."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from support.processes import run
from support.real_images import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="releases are made on Linux")
CARGO = '[workspace.package]\nversion = "0.2.0"\n\n[workspace.dependencies]\npyo3 = { version = "0.3" }\n'


@pytest.mark.parametrize(
    ("tag", "changelog", "expected"),
    [
        ("v0.2.0", "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n### Added\n- a\n\n## 0.1.0\n- b\n", "### Added\n- a\n"),
        ("v0.2.0", "# Changelog\n\n## Unreleased\n- a\n", "CHANGELOG.md has no section 0.2.0"),
        ("v0.2.0", "# Changelog\n\n## 0.2.0\n\n## 0.1.0\n- b\n", "CHANGELOG.md has no section 0.2.0"),
        ("v0.2.1", "# Changelog\n\n## 0.2.1\n- a\n", "tag v0.2.1, version 0.2.0"),
        ("0.2.0", "# Changelog\n\n## 0.2.0\n- a\n", "tag 0.2.0, version 0.2.0"),
    ],
    ids=["section", "no section", "empty section", "other version", "tag without v"],
)
def test_release_notes_are_the_section_or_an_error(tmp_path: Path, tag: str, changelog: str, expected: str) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy2(ROOT / ".ci" / "release-notes", tmp_path / ".ci")
    (tmp_path / "Cargo.toml").write_text(CARGO, encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    result = run([tmp_path / ".ci" / "release-notes", tag])
    if result.returncode == 0:
        assert result.stdout.lstrip("\n") == expected
    else:
        assert result.stderr == f"{expected}\n"
