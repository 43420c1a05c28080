"""Every make command that documents, workflows and scripts name has a rule."""

from __future__ import annotations

import re
from pathlib import Path

from support.real_images import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
RULES = set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE))


def test_phony_targets_are_the_rules() -> None:
    # A phony target without a rule does nothing and succeeds.
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)).split()
    assert sorted(phony) == sorted(RULES)


def test_named_commands_have_rules() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benches/*.md")]
    code = [*ROOT.glob(".ci/*"), *ROOT.glob(".github/workflows/*.yml")]
    for path in documents:
        for names in re.findall(r"`make ([a-z][a-z -]*)", path.read_text(encoding="utf-8")):
            assert set(names.split()) <= RULES, f"{path}: make {names}"
    for path in filter(Path.is_file, code):
        for line in re.findall(r"^\s*(?:- run: )?make (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert set(line.split()) <= RULES, f"{path}: make {line}"
