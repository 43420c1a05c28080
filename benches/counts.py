"""Instruction counts of code paths and of calls from Python, compared with the committed ones: `make bench-check`.

callgrind counts, so other processes and the clock rate have no influence. A path that takes over 3 % more instructions
fails; after an improvement, `--write` commits the new count. The committed counts are valid for one compiler version,
architecture and CPU level, and for calls from Python also one version of Python and NumPy; with others, nothing is
compared and a message says so.
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
PYTHON_CALLS = ROOT / "benches" / "counts_from_python.py"
MAX_INCREASE = 0.03
# The counted programs call this function before and after each counted section: see `rust/part10/examples/counts`.
MARKER_FUNCTION = "getppid"


def main() -> int:
    """Count, and compare with the committed counts or replace them."""
    parser = argparse.ArgumentParser(description="Count instructions of code paths.")
    parser.add_argument("--write", action="store_true", help="replace the committed counts")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("bench-check: valgrind is not installed, nothing is counted")
        return 0
    baselines: dict[str, Any] = json.loads(BASELINES.read_text()) if BASELINES.is_file() else {}
    current = {"compiler": _output("rustc", "--version").split()[1], "machine": platform.machine()}
    if not arguments.write and {name: baselines.get(name) for name in current} != current:
        print(
            f"bench-check: the committed counts are of {baselines.get('compiler')} on {baselines.get('machine')}, "
            f"this is {current}"
        )
        return 0
    binary = _build()
    # Under valgrind the program detects the CPU that valgrind emulates.
    cpu_level, *paths = _output("valgrind", "--tool=none", "-q", binary).split("\n")
    current["cpu_level"] = cpu_level
    if not arguments.write and baselines["cpu_level"] != cpu_level:
        print(f"bench-check: the committed counts are of {baselines['cpu_level']}, this CPU has {cpu_level}")
        return 0
    current["python"], *calls = _output(sys.executable, str(PYTHON_CALLS)).split("\n")
    if not arguments.write and baselines.get("python") != current["python"]:
        print(
            f"bench-check: calls from Python are not compared: the committed counts are of {baselines.get('python')}, "
            f"this is {current['python']}"
        )
        calls = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # First, because it takes longest.
        call_counts = pool.submit(_count, [sys.executable, str(PYTHON_CALLS), *calls], len(calls)) if calls else None
        path_counts = list(pool.map(lambda path: _count([binary, path], 1), paths))
    counts = {path: count for path, [count] in zip(paths, path_counts, strict=True)}
    counts |= zip(calls, call_counts.result() if call_counts else [], strict=True)
    if arguments.write:
        BASELINES.write_text(json.dumps({**current, "instructions": counts}, indent=1) + "\n")
        return 0
    return _compare(baselines.get("instructions", {}), counts)


def _build() -> str:
    """Build the program with the counted paths; return its path."""
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet", "-p", "dicoxide-part10", "--example", "counts"],
        cwd=ROOT,
        check=True,
    )
    metadata = json.loads(_output("cargo", "metadata", "--format-version=1", "--no-deps", "--locked"))
    return str(Path(metadata["target_directory"]) / "release" / "examples" / "counts")


def _count(command: list[str], section_count: int) -> list[int]:
    """Return the instructions of each counted section of a program."""
    with tempfile.TemporaryDirectory() as folder:
        callgrind = [
            "valgrind",
            "--tool=callgrind",
            f"--dump-before={MARKER_FUNCTION}",
            f"--callgrind-out-file={folder}/out",
        ]
        # The order of sets of strings depends on the hash seed.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run([*callgrind, *command], capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            raise ValueError(f"{command} failed: {done.stderr[-1000:]}")
        # callgrind dumps at each marker: out.1 is what precedes the first section, out.2 the first section, out.3 what
        # is between the first and the second, and so on.
        return [_total(Path(folder, f"out.{2 * section + 2}").read_text()) for section in range(section_count)]


def _total(dump: str) -> int:
    match = re.search(r"^totals: (\d+)$", dump, re.MULTILINE)
    if match is None:
        raise ValueError(f"callgrind reports no count: {dump[-500:]}")
    return int(match[1])


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _compare(baselines: dict[str, int], counts: dict[str, int]) -> int:
    """Print each count with its change; return 1 if one has increased too much, else 0."""
    width = max(map(len, counts))
    slower_count = 0
    for path, count in counts.items():
        baseline = baselines.get(path)
        change = None if baseline is None else count / baseline - 1
        if change is None:
            verdict = "new"
        elif change > MAX_INCREASE:
            verdict = "SLOWER"
        else:
            verdict = "faster" if change < -MAX_INCREASE else "ok"
        slower_count += verdict == "SLOWER"
        change_text = "" if change is None else f"{100 * change:+.2f} %"
        print(f"  {path.ljust(width)}  {count:>12,}  {change_text:>9}  {verdict}")
    if slower_count:
        print(f"bench-check: {slower_count} of {len(counts)} paths take more than {MAX_INCREASE:.0%} more instructions")
    return int(slower_count > 0)


if __name__ == "__main__":
    sys.exit(main())
