"""Links of documents, the names in the API reference, and the parts of the documentation site that need no Sphinx."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import dicoxide
import dicoxide.bulk
from support.real_images import ROOT

sys.path.insert(0, str(ROOT / "docs"))
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
from check_site import check_site
from repository_pages import PAGES, remove_test_comments, rewrite_links

DOCS = ROOT / "docs"
DOCUMENTS = [
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "benches").glob("*.md"), *DOCS.rglob("*.md")]
    if "_build" not in path.parts
]
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")


def without_code(text: str) -> str:
    text = re.sub(r"^(`{3,}).*?^\1`*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]+`", "code", text)


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub and MyST give to the headings of a document."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^(`{3,}).*?^\1`*$", "", text, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    broken = []
    for target, anchor in LINK.findall(without_code(path.read_text(encoding="utf-8"))):
        file = (path.parent / target).resolve() if target else path
        is_included = file.suffix == ".md" and file.exists() and "{include}" in file.read_text(encoding="utf-8")
        if not file.exists() or (anchor and not is_included and anchor not in anchors(file)):
            broken.append(f"{target}#{anchor}")
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_of_document_lead_to_files_and_headings(path: Path) -> None:
    assert broken_links(path) == []


def test_broken_links_of_document_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Some title\n[a](missing.md) [b](#some-title) [c](#other) `[d](code.md)`\n", encoding="utf-8")
    assert broken_links(page) == ["missing.md#", "#other"]


def documented_names() -> set[str]:
    names = set()
    for path in (DOCS / "reference" / "api").glob("*.md"):
        module = ""
        for directive, name in re.findall(r"^\.\. ([\w:]+):: ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            if directive == "currentmodule":
                module = name
            else:
                names.add(name if name.startswith("dicoxide") else f"{module}.{name}")
    return names


def test_api_reference_has_every_public_name() -> None:
    names = documented_names()
    assert {f"dicoxide.{name}" for name in dicoxide.__all__} <= names
    from_bulk = {f"dicoxide.bulk.{name}" for name in dicoxide.bulk.__all__ if name not in dicoxide.__all__}
    # The type and the check of an argument, which other subpackages share.
    assert from_bulk - {"dicoxide.bulk.OnError", "dicoxide.bulk.check_on_error"} <= names
    assert {"dicoxide.dask", "dicoxide.torch"} <= names


def test_pages_of_documents_exist() -> None:
    for document, page in PAGES.items():
        assert (ROOT / document).exists()
        assert (DOCS / page).exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x](docs/bulk.md#output)", "[x](/bulk.md#output)"),
        ("[`x`](SECURITY.md)", "[`x`](/explanation/security.md)"),
        ("![x](docs/images/ct.png)", "![x](/images/ct.png)"),
        ("[x](benches/runs/)", "[x](/explanation/benchmark.md)"),
        ("[x](docs/missing.md)", "[x](docs/missing.md)"),
        ("[licence](LICENSE-MIT)", "licence"),
        ("[x](https://example.org) [y](#anchor)", "[x](https://example.org) [y](#anchor)"),
        ("`[x](docs/bulk.md)`", "`[x](docs/bulk.md)`"),
        ("```text\n[x](docs/bulk.md)\n```", "```text\n[x](docs/bulk.md)\n```"),
    ],
    ids=["page", "document", "picture", "run", "missing", "other file", "no file", "code", "block"],
)
def test_rewrite_links_of_document_returns_links_of_site(text: str, expected: str) -> None:
    assert rewrite_links(text, ROOT / "README.md", DOCS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\n# Needs: torch\nx = 1\n```\n", "```python\nx = 1\n```\n"),
        ("```pycon\n>>> # Needs: torch\n>>> x\n```\n", "```pycon\n>>> x\n```\n"),
        ("```sh\n# Not run: takes minutes.\n# All images.\nx\n```\n", "```sh\n# All images.\nx\n```\n"),
        ("```python\nx = 1\n# Needs: thought\n```\n", "```python\nx = 1\n# Needs: thought\n```\n"),
        ("A\n\n<!-- setup\nx = 1\n-->\n\nB\n", "A\n\nB\n"),
        ("A\n\n<!-- other -->\n", "A\n\n<!-- other -->\n"),
    ],
    ids=["python", "pycon", "sh", "comment", "setup", "other comment"],
)
def test_remove_test_comments_leaves_code_and_text(text: str, expected: str) -> None:
    assert remove_test_comments(text) == expected


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="other.html">', None),
        ('<a href="other.html#here">', None),
        ('<a href="https://example.org">', None),
        ('<a href="missing.html">', "page.html: missing.html: no such file"),
        ('<a href="other.html#there">', "page.html: other.html#there: no such anchor"),
        ('<script src="https://example.org/x.js">', "page.html: loads https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "page.html: loads //example.org/x.css"),
        ('<img src="missing.png">', "page.html: missing.png: no such file"),
        ("<p style=\"background: url('https://example.org/x.png')\">", "page.html: loads https://example.org/x.png"),
    ],
)
def test_check_site_reports_broken_links_and_other_hosts(html: str, fault: str | None, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    (tmp_path / "other.html").write_text('<p id="here">', encoding="utf-8")
    assert check_site(tmp_path) == ([] if fault is None else [fault])


def test_check_site_reports_style_sheets_that_load_other_hosts(tmp_path: Path) -> None:
    (tmp_path / "site.css").write_text("@import 'https://example.org/a.css'; .x { src: url(font.woff2) }")
    assert check_site(tmp_path) == ["site.css: loads https://example.org/a.css"]
