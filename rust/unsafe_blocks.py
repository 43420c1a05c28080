"""List every unsafe block of the workspace with its safety comment (``make unsafe``). Exit code 1 if one has none."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

WORKSPACE = Path(__file__).resolve().parent
# A block, or a function that can only be called in one; not a function pointer type (`unsafe fn(`).
UNSAFE = re.compile(r"\bunsafe (?:\{|fn \w|impl )")
SAFETY_COMMENT = re.compile(r"// SAFETY:|/// # Safety")
# A safety comment starts at most this many lines above its block.
MAX_COMMENT_DISTANCE = 20


def unsafe_blocks(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line number, code and safety comment of each block in ``path``; the comment is empty if it is missing."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        code = line.partition("//")[0]
        if UNSAFE.search(code):
            yield index + 1, code.strip(), _safety_comment(lines, index)


def _safety_comment(lines: list[str], index: int) -> str:
    """Return the safety comment above line ``index``, or above the attributes and the statement it belongs to."""
    comment: list[str] = []
    for line in reversed(lines[max(0, index - MAX_COMMENT_DISTANCE) : index]):
        text = line.strip()
        if text.startswith("//"):
            comment.insert(0, text.lstrip("/ "))
            if SAFETY_COMMENT.match(text):
                return " ".join(comment).removeprefix("SAFETY:").removeprefix("# Safety").strip()
        elif comment or text.endswith((";", "}")):
            break
    return ""


def main() -> int:
    """Print all blocks and their number."""
    count = missing = 0
    for path in sorted(WORKSPACE.rglob("*.rs")):
        if "target" in path.parts:
            continue
        for number, code, comment in unsafe_blocks(path):
            count += 1
            missing += not comment
            print(f"rust/{path.relative_to(WORKSPACE)}:{number}: {code}\n    {comment or 'NO SAFETY COMMENT'}")
    print(f"{count} unsafe blocks and functions, {missing} without a safety comment")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
