"""Instructions of paths and calls, counted by callgrind, against those that were committed: `make bench-check`.

Counts don't depend on neighbours or clocks. A path that takes more than 3 % more fails; one that takes less asks for
`--write`, so that what was won is kept. Baselines are of one version of the compiler, one architecture, and for calls
from Python one version of it and of NumPy: with others there is nothing to compare with, which is said.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BASELINES = ROOT / "benches" / "counts.json"
CALLS = ROOT / "benches" / "counted_calls.py"
ALLOWED = 0.03
# What is counted calls it before and after: see `rust/part10/examples/counts`.
MARK = "getppid"


def main() -> int:
    """Count, and compare or write."""
    parser = argparse.ArgumentParser(description="Count instructions of paths.")
    parser.add_argument("--write", action="store_true", help="commit to what is counted now")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("bench-check: valgrind is not here, nothing is counted")
        return 0
    before: dict[str, Any] = json.loads(BASELINES.read_text()) if BASELINES.is_file() else {}
    here = {"compiler": _output("rustc", "--version").split()[1], "machine": platform.machine()}
    if not arguments.write and {name: before.get(name) for name in here} != here:
        print(f"bench-check: the baselines are of {before.get('compiler')} on {before.get('machine')}, this is {here}")
        return 0
    binary = _built()
    # What the program finds under valgrind is what valgrind emulates.
    tier, *paths = _output("valgrind", "--tool=none", "-q", binary).split("\n")
    here["tier"] = tier
    if not arguments.write and before["tier"] != tier:
        print(f"bench-check: the baselines are of {before['tier']}, this CPU has {tier}")
        return 0
    here["python"], *calls = _output(sys.executable, str(CALLS)).split("\n")
    if not arguments.write and before.get("python") != here["python"]:
        print(
            f"bench-check: no calls from Python: the baselines are of {before.get('python')}, this is {here['python']}"
        )
        calls = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # It takes longest.
        of_calls = pool.submit(_counted, [sys.executable, str(CALLS), *calls], len(calls)) if calls else None
        path_counts = list(pool.map(lambda path: _counted([binary, path], 1), paths))
    counts = {path: count for path, [count] in zip(paths, path_counts, strict=True)}
    counts |= zip(calls, of_calls.result() if of_calls else [], strict=True)
    if arguments.write:
        BASELINES.write_text(json.dumps({**here, "instructions": counts}, indent=1) + "\n")
    return _compared(before.get("instructions", {}), counts) if not arguments.write else 0


def _built() -> str:
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet", "-p", "dicoxide-part10", "--example", "counts"],
        cwd=ROOT,
        check=True,
    )
    metadata = json.loads(_output("cargo", "metadata", "--format-version=1", "--no-deps", "--locked"))
    return str(Path(metadata["target_directory"]) / "release" / "examples" / "counts")


def _counted(command: list[str], count: int) -> list[int]:
    """Instructions of `count` stretches of a program, each between two marks."""
    with tempfile.TemporaryDirectory() as folder:
        wrapper = ["valgrind", "--tool=callgrind", f"--dump-before={MARK}", f"--callgrind-out-file={folder}/out"]
        # Sets of strings have an order by it.
        done = subprocess.run(
            [*wrapper, *command], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONHASHSEED": "0"}
        )
        if done.returncode != 0:
            raise ValueError(f"{command} fails: {done.stderr[-1000:]}")
        # There is a file for each mark, of what comes before it: every other one is of a stretch.
        files = [Path(folder, f"out.{2 * stretch + 2}") for stretch in range(count)]
        return [_total(file.read_text()) for file in files]


def _total(dump: str) -> int:
    found = re.search(r"^totals: (\d+)$", dump, re.MULTILINE)
    if found is None:
        raise ValueError(f"callgrind tells no count: {dump[-500:]}")
    return int(found[1])


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _compared(before: dict[str, int], counts: dict[str, int]) -> int:
    width = max(map(len, counts))
    failed = 0
    for path, count in counts.items():
        was = before.get(path)
        change = None if was is None else count / was - 1
        verdict = "new" if change is None else "SLOWER" if change > ALLOWED else "faster" if change < -ALLOWED else "ok"
        failed += verdict == "SLOWER"
        told = "" if change is None else f"{100 * change:+.2f} %"
        print(f"  {path.ljust(width)}  {count:>12,}  {told:>9}  {verdict}")
    if failed:
        print(f"bench-check: {failed} of {len(counts)} paths take more than {ALLOWED:.0%} more instructions")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
