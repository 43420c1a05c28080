"""Checks the built site: links between pages and their anchors, and that pages load nothing from other hosts.

    python docs/check_site.py FOLDER

Sphinx checks links in the sources; this checks what came of them, also of included documents and of inline HTML.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["check_site"]

# Attributes whose targets a browser loads to show the page, by tag.
_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}
_LOADED_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch"}
_CSS_ADDRESS = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s]+)""")


class Page(NamedTuple):
    """Anchors of a page, and the addresses that it links to and that it loads."""

    anchors: frozenset[str]
    links: tuple[str, ...]
    loaded: tuple[str, ...]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.anchors += [values[name] for name in ("id", "name") if name in values]
        self.loaded += _CSS_ADDRESS.findall(values.get("style", ""))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and _LOADED_RELATIONS & set(values.get("rel", "").split()):
            self.loaded.append(values.get("href", ""))
        elif tag in _LOADED and _LOADED[tag] in values:
            self.loaded.append(values[_LOADED[tag]])


@cache
def read_page(path: Path) -> Page:
    """Read a page."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return Page(frozenset(reader.anchors), tuple(reader.links), tuple(reader.loaded))


def check_site(folder: Path) -> list[str]:
    """Return one line per fault of the pages and style sheets in a folder."""
    faults = []
    # Files of _static belong to the theme; some are templates.
    for path in sorted(path for path in folder.rglob("*.html") if "_static" not in path.parts):
        name = path.relative_to(folder).as_posix()
        page = read_page(path)
        for address in page.links:
            faults += [f"{name}: {fault}" for fault in _check_link(path, address)]
        for address in page.loaded:
            if urlsplit(address).netloc:
                faults.append(f"{name}: loads {address}")
            elif not address.startswith("data:"):
                faults += [f"{name}: {fault}" for fault in _check_link(path, address)]
    for path in sorted(folder.rglob("*.css")):
        addresses = _CSS_ADDRESS.findall(path.read_text(encoding="utf-8"))
        name = path.relative_to(folder).as_posix()
        faults += [f"{name}: loads {address}" for address in addresses if urlsplit(address).netloc]
    return faults


def _check_link(path: Path, address: str) -> list[str]:
    """Return the fault of a link of a page, if it has one; links to other sites have none."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return []
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return [f"{address}: no such file"]
    anchor = unquote(parts.fragment)
    if anchor and target.suffix == ".html" and anchor not in read_page(target).anchors:
        return [f"{address}: no such anchor"]
    return []


if __name__ == "__main__":
    messages = check_site(Path(sys.argv[1]))
    print("\n".join(messages), file=sys.stderr)
    sys.exit(1 if messages else 0)
