"""Every unsafe block of the workspace with its proof: `make unsafe`. Ends with 1 if one has none."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
# A block, or a function that must be called in one; a type of such functions is neither.
BLOCK = re.compile(r"\bunsafe (?:\{|fn \w|impl )")
PROOF = re.compile(r"// SAFETY: |/// # Safety")


def blocks(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, code and proof of each; the proof is the comment above, or above the attributes and the statement of it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        code = line.partition("//")[0]
        if BLOCK.search(code):
            yield number + 1, code.strip(), _proof(lines, number)


def _proof(lines: list[str], number: int) -> str:
    words: list[str] = []
    for line in reversed(lines[max(0, number - 20) : number]):
        text = line.strip()
        if text.startswith("//"):
            words.insert(0, text.lstrip("/ "))
            if PROOF.match(text):
                return " ".join(words).removeprefix("SAFETY: ").removeprefix("# Safety").strip()
        elif words or text.endswith((";", "}")):
            break
    return ""


def main() -> int:
    """Print them."""
    count = missing = 0
    for path in sorted(HERE.rglob("*.rs")):
        if "target" in path.parts:
            continue
        for number, code, proof in blocks(path):
            count += 1
            missing += not proof
            print(f"rust/{path.relative_to(HERE)}:{number}: {code}\n    {proof or 'NO PROOF'}")
    print(f"{count} unsafe blocks and functions, {missing} without a proof")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
