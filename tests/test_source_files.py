"""Properties of all source files and documents: length, words (docs/style.md), paths, names of files."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.real_images import ROOT

SOURCES = [
    path
    for pattern in ("*.py", "*.pyi", "*.rs", "*.md", "*.toml", "Makefile", "run")
    for path in ROOT.rglob(pattern)
    if not {"target", ".venv", ".git", "node_modules", "_build"} & set(path.parts)
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_source_file_has_no_todo_and_no_absolute_path(path: Path) -> None:
    text = path.read_text()
    if path == Path(__file__):
        return
    assert not re.search(r"\b(TODO|FIXME|XXX)\b|todo!\(|unimplemented!\(", text)
    assert not re.search(r"/(work|tmp|root|home)/\w", text), "path of one machine"


def test_source_files_have_at_most_450_lines() -> None:
    # Longer files, each with the reason.
    exceptions: dict[str, str] = {}
    for path in [
        *(ROOT / "python").rglob("*.py"),
        *(ROOT / "rust").rglob("src/**/*.rs"),
        *(ROOT / "tests").rglob("*.py"),
    ]:
        if "target" not in path.parts and path.relative_to(ROOT).as_posix() not in exceptions:
            assert len(path.read_text().splitlines()) <= 450, path


# Words that docs/style.md replaces by plain technical terms.
REPLACED_WORDS = r"\b(tells?|told|who|whoever|nobody|somebody|room|door|house|beside|ways?|so many|at hand|in turns)\b"
# Files and folders in which they may occur, each with the reason.
UNCHECKED_PROSE = {
    "docs/style.md": "lists the words",
}


def prose(path: Path) -> Iterator[str]:
    """Yield the lines of comments and docstrings of a source file, or of a document."""
    text = path.read_text()
    if path.suffix == ".md":
        yield from re.sub(r"`[^`\n]*`", "", text).splitlines()
    elif path.suffix == ".rs":
        yield from re.findall(r"(?<!:)//.*", text)
    else:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.string
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield from (ast.get_docstring(node) or "").splitlines()


def test_prose_has_no_replaced_words() -> None:
    violations = []
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        if path.suffix not in (".py", ".rs", ".md") or name.startswith(("benches/runs/", *UNCHECKED_PROSE)):
            continue
        for line in prose(path):
            words = re.findall(REPLACED_WORDS, line, re.IGNORECASE)
            violations += [f"{name}: {word}: {line.strip()}" for word in words]
    assert not violations, "\n".join(violations)


def test_doc_comments_start_with_a_noun_or_verb() -> None:
    start = r"(What|Whether|Where|The same)\b"
    violations = []
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text() if not name.startswith(tuple(UNCHECKED_PROSE)) else ""
        if path.suffix == ".rs":
            # The first line of each doc comment.
            lines = re.findall(r"(?:^|\n)(?!\s*//[/!])[^\n]*\n\s*//[/!] (.*)", "\n" + text)
        elif path.suffix == ".py":
            nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
            lines = [(ast.get_docstring(node) or "").partition("\n")[0] for node in nodes]
        else:
            continue
        violations += [f"{name}: {line}" for line in lines if re.match(start, line)]
    assert not violations, "\n".join(violations)


# Documents that name files of the repository in backquotes.
DOCUMENTS = [
    *sorted(path for path in SOURCES if ROOT / "docs" in path.parents and path.suffix == ".md"),
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "CONTRIBUTING.md",
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_document_names_existing_files(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    names = re.findall(r"`((?:rust|python|tests|benches|docs)/[\w./-]+|test_\w+\.py)`", text)
    known = {test.name for test in (ROOT / "tests").rglob("test_*.py")}
    assert [name for name in names if not ((ROOT / name).exists() or name in known)] == []
