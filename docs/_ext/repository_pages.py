"""Documents of the repository as pages of the site.

README.md, SECURITY.md and others are written for readers of the repository. Pages of the site include them, so that
nothing is written twice. Their relative links are those of the repository; here they become links to the page of the
document, or plain text if the site does not have the file.

Comments that only the tests of code need (docs/code_blocks.py) are left out of all pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Page of each document that is included as a whole, by path in the repository.
PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "explanation/architecture.md",
    "SECURITY.md": "explanation/security.md",
    "CHANGELOG.md": "reference/changelog.md",
    "CONTRIBUTING.md": "development/contributing.md",
    "benches/README.md": "explanation/measurements.md",
}

# Links and pictures of Markdown with a relative target; not in backquotes.
_LINK = re.compile(r"(!?)\[((?:[^\[\]`]|`[^`]*`)*)\]\((?!\w+:|#|<)([^)\s#]*)(#[^)\s]*)?\)")
# Blocks and spans of code, which have no links.
_CODE = re.compile(r"^(`{3,}).*?^\1`*$|`[^`\n]+`(?!\])", re.MULTILINE | re.DOTALL)
# Markers of blocks of code, and hidden blocks.
_MARKER = re.compile(r"^(`{3,}\w+\n)(?:>>> )?# (?:Not run|Needs): .+\n", re.MULTILINE)
_SETUP = re.compile(r"^<!-- setup\n.*?^-->\n\n?", re.MULTILINE | re.DOTALL)
# Page of the newest recorded run.
RUN_PAGE = "explanation/benchmark.md"


def rewrite_links(text: str, document: Path, docs: Path) -> str:
    """Return the text of a document with links that are valid on any page of the site.

    Parameters
    ----------
    text : str
        Markdown.
    document : Path
        Path of the document, to which its links are relative.
    docs : Path
        Source folder of the site.
    """
    root = docs.parent

    def replace(match: re.Match[str]) -> str:
        picture, label, target, anchor = match.groups()
        path = Path(os.path.normpath(document.parent / target))
        if not path.is_relative_to(root) or not path.exists():
            # Sphinx reports the link.
            return match.group()
        name = path.relative_to(root).as_posix()
        if name in PAGES:
            path = docs / PAGES[name]
        elif name.startswith("benches/runs"):
            path = docs / RUN_PAGE
        if path.is_relative_to(docs):
            return f"{picture}[{label}](/{path.relative_to(docs).as_posix()}{anchor or ''})"
        return label

    code = [match.span() for match in _CODE.finditer(text)]
    parts, end = [], 0
    for match in _LINK.finditer(text):
        if not any(start <= match.start() < stop for start, stop in code):
            parts += [text[end : match.start()], replace(match)]
            end = match.end()
    return "".join([*parts, text[end:]])


def remove_test_comments(text: str) -> str:
    """Return the text of a document without hidden blocks and without markers in blocks of code."""
    return _SETUP.sub("", _MARKER.sub(r"\1", text))


def _read_page(app: Sphinx, docname: str, source: list[str]) -> None:
    text = remove_test_comments(source[0])
    source[0] = rewrite_links(text, Path(app.env.doc2path(docname)), Path(app.srcdir))


def _read_included(app: Sphinx, relative_path: Path, _parent: str, content: list[str]) -> None:
    docs = Path(app.srcdir)
    document = Path(os.path.normpath(docs / relative_path))
    if document.suffix == ".md":
        content[0] = rewrite_links(remove_test_comments(content[0]), document, docs)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", _read_page)
    app.connect("include-read", _read_included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
