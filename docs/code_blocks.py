"""Runs the code of a page: each block in order, all in one namespace and one folder.

    python docs/code_blocks.py PAGE       in a folder with the files of docs/sample_files.py

- ``python`` blocks are executed; ``pycon`` blocks have prompts, and their output is compared (doctest, with ``...``).
- ``sh`` blocks are run by bash, with stand-ins for ``pip`` and ``make`` that only check their arguments.
- ``<!-- setup`` … ``-->`` is Python that readers do not see, for variables that a page assumes.
- A first line ``# Not run: REASON`` skips a block; ``# Needs: PACKAGE, …`` skips it if one is not installed.

A line is printed for each block that is skipped, and the traceback of the first one that fails.
"""

from __future__ import annotations

import doctest
import itertools
import os
import re
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import dicoxide

ROOT = Path(__file__).resolve().parent.parent

# Languages of blocks that are run, and of those that are only shown.
RUN_LANGUAGES = frozenset({"python", "pycon", "sh", "setup"})
SHOWN_LANGUAGES = frozenset({"text", "json", "toml", "yaml", "diff", "rust"})
# Seconds after which a block of shell commands fails.
_SHELL_TIMEOUT = 120

_BLOCK = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[^`\n]*)\n(?P<source>.*?)^(?P=fence)[ ]*$(?:\n\n!\[[^]]*\]\((?P<picture>[^)]*)\))?"
    r"|^<!-- setup\n(?P<setup>.*?)^-->",
    re.MULTILINE | re.DOTALL,
)
_MARKER = re.compile(r"(?:>>> )?# (Not run|Needs): (.+)")

# Commands of shell blocks, by name. A benchmark of a page takes seconds, not minutes.
_SCRIPTS = {
    "python": 'exec "$DOCS_PYTHON" "$@"\n',
    "dicoxide": '[ "$1" = bench ] && set -- "$@" --budget 1 --peer pydicom\nexec "$DOCS_PYTHON" -m dicoxide "$@"\n',
    "pip": 'exec "$DOCS_PYTHON" "$DOCS_CODE" pip "$@"\n',
    "make": 'exec "$DOCS_PYTHON" "$DOCS_CODE" make "$@"\n',
}


class Block(NamedTuple):
    """One block of code."""

    language: str
    source: str
    line: int
    """Line of the page, one-based, before the first line of `source`."""
    picture: str | None
    """Target of the picture after the block."""

    @property
    def skip_reason(self) -> str | None:
        """Reason for which the block is not run here, by its first line."""
        marker = _MARKER.match(self.source)
        if marker is None:
            return None
        kind, text = marker.groups()
        if kind == "Not run":
            return text
        missing = [name for name in text.split(", ") if find_spec(name) is None]
        return f"needs {', '.join(missing)}" if missing else None


def read_blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a page in Markdown, also those that are not run; not those of Sphinx directives."""
    for match in _BLOCK.finditer(text):
        is_setup = match["setup"] is not None
        language = "setup" if is_setup else match["language"].strip()
        if not language.startswith("{"):
            start = match.start("setup" if is_setup else "source")
            yield Block(
                language, match["setup" if is_setup else "source"], text.count("\n", 0, start), match["picture"]
            )


def run_block(block: Block, page: Path, namespace: dict[str, Any], commands: Path) -> None:
    """Run a block; raise its exception.

    Parameters
    ----------
    block : Block
        Block to run.
    page : Path
        Its page, for tracebacks.
    namespace : dict
        Variables of Python blocks; changed.
    commands : Path
        Folder with the commands that shell blocks use first.
    """
    if block.language == "sh":
        environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.source], env=environment, timeout=_SHELL_TIMEOUT, check=True
        )
    elif block.language == "pycon":
        test = doctest.DocTestParser().get_doctest(block.source, namespace, page.name, str(page), block.line)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        if runner.run(test, clear_globs=False).failed:
            raise AssertionError(f"{page}:{block.line + 1}: another output than the page shows")
        namespace.update(test.globs)
    else:
        # Blank lines before the block, so that a traceback has the line of the page.
        exec(compile("\n" * block.line + block.source, str(page), "exec"), namespace)


def write_commands(folder: Path) -> None:
    """Write the commands that shell blocks use, and set the variables that they need."""
    for name, script in _SCRIPTS.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        path.chmod(0o755)
    os.environ |= {"DOCS_PYTHON": sys.executable, "DOCS_CODE": str(Path(__file__).resolve())}


def check_pip_arguments(arguments: list[str]) -> None:
    """Check the arguments of ``pip install``: dicoxide has the extras, pyproject.toml has the groups."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if arguments[:1] != ["install"]:
        sys.exit(f"pip install expected, found: pip {' '.join(arguments)}")
    for before, argument in itertools.pairwise(arguments):
        if before == "--group" and argument not in project["dependency-groups"]:
            sys.exit(f"pyproject.toml has no group {argument}")
        requirement = re.fullmatch(r"(dicoxide|\.)\[([\w,]+)\]", argument)
        if requirement and (unknown := {*requirement[2].split(",")} - {*project["project"]["optional-dependencies"]}):
            sys.exit(f"dicoxide has no extra {', '.join(sorted(unknown))}")


def check_make_arguments(arguments: list[str]) -> None:
    """Check the arguments of ``make``: Makefile has the targets."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for argument in arguments:
        if "=" not in argument and not re.search(rf"^{re.escape(argument)}:", makefile, re.MULTILINE):
            sys.exit(f"Makefile has no target {argument}")


def main(page: Path) -> int:
    """Run the blocks of a page; return 1 at the first one that fails."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    # A warning is an error, except those about images that are shown because of their deviations.
    warnings.simplefilter("error")
    warnings.simplefilter("default", dicoxide.NonConformantWarning)
    with tempfile.TemporaryDirectory() as folder:
        write_commands(Path(folder))
        for block in read_blocks(page.read_text(encoding="utf-8")):
            if block.language not in RUN_LANGUAGES:
                continue
            if reason := block.skip_reason:
                print(f"skipped: {page.name}:{block.line}: {reason}")
                continue
            try:
                run_block(block, page, namespace, Path(folder))
            except Exception:
                traceback.print_exc()
                print(f"failed: {page.name}:{block.line}: {block.language}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "pip":
        check_pip_arguments(sys.argv[2:])
    elif sys.argv[1] == "make":
        check_make_arguments(sys.argv[2:])
    else:
        sys.exit(main(Path(sys.argv[1]).resolve()))
