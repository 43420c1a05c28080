"""Runs the Python blocks of a page, and writes the pictures that it shows.

A block before an image link leaves an array of uint8 in the variable ``picture``; it is saved as the file of the link.

    python docs/make_pictures.py [FOLDER]     FOLDER: written instead of docs, for tests
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from code_blocks import read_blocks
from PIL import Image

DOCS = Path(__file__).parent
PAGES = ("rendering.md",)


def make_pictures(page: Path, folder: Path) -> list[Path]:
    """Run the blocks of `page`, all in one namespace, and return the files written below `folder`."""
    namespace: dict[str, Any] = {}
    written = []
    for block in read_blocks(page.read_text(encoding="utf-8")):
        if block.language != "python":
            continue
        # Blank lines before the block, so that a traceback has the line of the page.
        exec(compile("\n" * block.line + block.source, str(page), "exec"), namespace)
        if block.picture:
            path = folder / block.picture
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(namespace["picture"]).save(path, optimize=True)
            written.append(path)
    return written


if __name__ == "__main__":
    target_folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS
    for name in PAGES:
        for path in make_pictures(DOCS / name, target_folder):
            print(path)
