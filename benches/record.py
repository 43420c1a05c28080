"""Measures everything and stores it in benches/runs/<date>-<cpu>/: `make record`, which then runs `make numbers`.

A recorded run has two comparisons by `dicoxide bench`, each with raw data, text output and report: of built-in images,
which anyone can repeat, and of the shared corpus, if available. It also has the output of `ratios.py`. Summaries are
written by `update_readme.py`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import update_readme

ROOT = update_readme.ROOT
# A relative path, so that recorded files contain no path of this machine.
SHARED_CORPUS = "../shared/data"


def main() -> int:
    """Measure and write the files of a run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--budget", type=float, default=300, help="seconds of each comparison (%(default)g)")
    parser.add_argument("--rounds", type=int, default=21, help="rounds of ratios.py (%(default)s)")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    new_folder = update_readme.RUNS.relative_to(ROOT) / "new"
    shutil.rmtree(new_folder, ignore_errors=True)
    new_folder.mkdir(parents=True)
    document: update_readme.Document = {}
    for name, paths in {"built-in": [], "real": [SHARED_CORPUS]}.items():
        if not all(map(os.path.isdir, paths)):
            continue
        json_path = new_folder / f"{name}.json"
        outputs = ["--json", json_path, "--csv", new_folder / f"{name}.csv", "--html", new_folder / f"{name}.html"]
        command = ["-m", "dicoxide", "bench", *paths, "--budget", f"{arguments.budget:g}", *map(str, outputs)]
        _run_python(command, new_folder / f"{name}.txt")
        for output in new_folder.glob(f"{name}.*"):
            output.write_text(_without_local_paths(output.read_text(encoding="utf-8")), encoding="utf-8")
        document = json.loads(json_path.read_text(encoding="utf-8"))
        (new_folder / f"{name}.json.gz").write_bytes(gzip.compress(json_path.read_bytes(), 9, mtime=0))
        json_path.unlink()
    # ratios.py returns 1 if a target is missed.
    _run_python(["benches/ratios.py", "--rounds", str(arguments.rounds)], new_folder / "ratios.txt", max_return_code=1)
    setup = document["setup"]
    cpu_words = re.findall(r"[a-z0-9]+", re.sub(r"\(\w+\)|processor|cpu|@.*", "", setup["cpu"].lower()))
    folder = new_folder.with_name(
        f"{setup['began'][:10]}-{'-'.join(cpu_words)}-{setup['cpu_path']}-{setup['cores']}-cores"
    )
    shutil.rmtree(folder, ignore_errors=True)
    new_folder.rename(folder)
    print(folder)
    return 0


def _without_local_paths(text: str) -> str:
    """Replace absolute paths of the corpus and of installed packages."""
    text = text.replace(str(Path(SHARED_CORPUS).resolve()), SHARED_CORPUS)
    return text.replace(sysconfig.get_path("purelib"), "site-packages")


def _run_python(arguments: list[str], output: Path, *, max_return_code: int = 0) -> None:
    """Run Python with `arguments`, and write its stdout to `output`."""
    print(" ".join(arguments), flush=True)
    with output.open("w", encoding="utf-8") as file:
        done = subprocess.run([sys.executable, *arguments], stdout=file, check=False)
    if done.returncode > max_return_code:
        raise RuntimeError(f"{arguments} failed with exit code {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
