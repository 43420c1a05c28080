"""The code of README.md and of the pages of docs runs, each page in a process and a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dicoxide
from support.processes import run
from support.real_images import ROOT

sys.path.insert(0, str(ROOT / "docs"))
from code_blocks import RUN_LANGUAGES, SHOWN_LANGUAGES, read_blocks
from sample_files import write_sample_files

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "benches").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PAGES = {
    path.relative_to(ROOT).as_posix(): list(read_blocks(path.read_text(encoding="utf-8")))
    for path in sorted(DOCUMENTS)
    if "_build" not in path.parts
}
RUN_PAGES = [page for page, blocks in PAGES.items() if {block.language for block in blocks} & RUN_LANGUAGES]
# Reasons are read before other tests put stand-ins on the path.
SKIPPED_BLOCKS = [
    (f"{page}:{block.line}", reason)
    for page, blocks in PAGES.items()
    for block in blocks
    if (reason := block.skip_reason)
]


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_sample_files(folder)
    return folder


def run_page(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "docs" / "code_blocks.py"), str(page)]
    return run(command, cwd=folder, timeout=300)


@pytest.mark.skipif(dicoxide.backend != "rust", reason="pages decode JPEG 2000")
@pytest.mark.parametrize("page", RUN_PAGES)
def test_code_of_page_runs(page: str, samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    shutil.copytree(samples, folder)
    result = run_page(ROOT / page, folder)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize(("place", "reason"), SKIPPED_BLOCKS, ids=[place for place, _ in SKIPPED_BLOCKS])
def test_code_block_that_cannot_run_here(place: str, reason: str) -> None:
    pytest.skip(f"{place}: {reason}")


@pytest.mark.parametrize("page", PAGES)
def test_blocks_of_page_have_a_known_language(page: str) -> None:
    assert {block.language for block in PAGES[page]} <= RUN_LANGUAGES | SHOWN_LANGUAGES


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", "page.md:5: python"),
        ("```pycon\n>>> 1 + 1\n3\n```\n", "page.md:1: pycon"),
        ("```sh\ndicoxide info missing.dcm\n```\n", "page.md:1: sh"),
        ('```sh\npip install "dicoxide[nothing]"\n```\n', "page.md:1: sh"),
        ("```sh\nmake nothing\n```\n", "page.md:1: sh"),
        ("<!-- setup\nx = 1\n-->\n\n```python\ny\n```\n", "page.md:5: python"),
    ],
    ids=["python", "output", "command", "extra", "target", "name"],
)
def test_block_with_an_error_fails(block: str, message: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(block, encoding="utf-8")
    result = run_page(page, tmp_path)
    assert result.returncode == 1
    assert f"failed: {message}" in result.stderr


def test_block_with_a_marker_is_skipped_and_reported(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n# Not run: needs a network.\nfail()\n```\n\n```python\n# Needs: no_such_package\nfail()\n```\n",
        encoding="utf-8",
    )
    result = run_page(page, tmp_path)
    assert result.returncode == 0
    assert "page.md:1: needs a network." in result.stdout
    assert "page.md:6: needs no_such_package" in result.stdout
