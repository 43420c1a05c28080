"""A full run, kept: `make record` measures all there is and writes benches/runs/<date>-<cpu>/; then `make numbers`.

Two comparisons by `dicoxide bench`, of built-in images, which anybody can repeat, and of the real ones beside the
project where there are some; and the targets by `ratios.py`. Of each there is what was printed, and of the
comparisons the raw data and a page. `kept.py` makes the summaries.
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

import kept

ROOT = kept.ROOT
# Beside the project, so that no path of a machine is written down.
REAL = "../shared/data"


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--budget", type=float, default=300, help="seconds of a comparison (%(default)g)")
    parser.add_argument("--rounds", type=int, default=21, help="rounds of ratios.py (%(default)s)")
    arguments = parser.parse_args()
    # What is written down has no path of this machine.
    os.chdir(ROOT)
    new = kept.RUNS.relative_to(ROOT) / "new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    document: kept.Document = {}
    for name, paths in {"built-in": [], "real": [REAL]}.items():
        if not all(map(os.path.isdir, paths)):
            continue
        raw = new / f"{name}.json"
        outputs = ["--json", str(raw), "--csv", str(new / f"{name}.csv"), "--html", str(new / f"{name}.html")]
        _run(["-m", "dicoxide", "bench", *paths, "--budget", f"{arguments.budget:g}", *outputs], new / f"{name}.txt")
        for written in new.glob(f"{name}.*"):
            written.write_text(_without_places(written.read_text(encoding="utf-8")), encoding="utf-8")
        document = json.loads(raw.read_text(encoding="utf-8"))
        (new / f"{name}.json.gz").write_bytes(gzip.compress(raw.read_bytes(), 9, mtime=0))
        raw.unlink()
    _run(["benches/ratios.py", "--rounds", str(arguments.rounds)], new / "ratios.txt", fails=True)
    setup = document["setup"]
    words = re.findall(r"[a-z0-9]+", re.sub(r"\(\w+\)|processor|cpu|@.*", "", setup["cpu"].lower()))
    folder = new.with_name(f"{setup['began'][:10]}-{'-'.join(words)}-{setup['cpu_path']}-{setup['cores']}-cores")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    print(folder)
    return 0


def _without_places(text: str) -> str:
    """Without where things are on this machine."""
    text = text.replace(str(Path(REAL).resolve()), REAL)
    return text.replace(sysconfig.get_path("purelib"), "site-packages")


def _run(arguments: list[str], out: Path, *, fails: bool = False) -> None:
    """Run Python in the project; what it prints goes to `out`. Targets that are missed end a command with 1."""
    print(" ".join(arguments), flush=True)
    with out.open("w", encoding="utf-8") as file:
        done = subprocess.run([sys.executable, *arguments], stdout=file, check=False)
    if done.returncode > int(fails):
        raise RuntimeError(f"{arguments} ended with {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
