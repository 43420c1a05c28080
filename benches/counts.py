"""Instructions of the core's paths, counted by callgrind, against those that were committed: `make bench-check`.

Counts don't depend on neighbours or clocks. A path that takes more than 3 % more fails; one that takes less asks for
`--write`, so that what was won is kept. Baselines are of one version of the compiler and one architecture: with others
there is nothing to compare with, which is said.
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
ALLOWED = 0.03


def main() -> int:
    """Count, and compare or write."""
    parser = argparse.ArgumentParser(description="Count instructions of the core's paths.")
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
    tier, *paths = _output(binary, under=True).split("\n")
    here["tier"] = tier
    if not arguments.write and before["tier"] != tier:
        print(f"bench-check: the baselines are of {before['tier']}, this CPU has {tier}")
        return 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(paths, pool.map(lambda path: _count(binary, path), paths), strict=True))
    if arguments.write:
        BASELINES.write_text(json.dumps({**here, "instructions": counts}, indent=1) + "\n")
    return _compared(before.get("instructions", {}), counts) if not arguments.write else 0


def _built() -> str:
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet", "-p", "dicoxide-core", "--example", "counts"],
        cwd=ROOT,
        check=True,
    )
    metadata = json.loads(_output("cargo", "metadata", "--format-version=1", "--no-deps", "--locked"))
    return str(Path(metadata["target_directory"]) / "release" / "examples" / "counts")


def _count(binary: str, path: str) -> int:
    """Instructions of one run: what three take more than one, halved."""
    return (_counted(binary, path, 3) - _counted(binary, path, 1)) // 2


def _counted(binary: str, path: str, times: int) -> int:
    with tempfile.NamedTemporaryFile() as out:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", binary, path, str(times)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if found is None:
        raise ValueError(f"callgrind tells no count: {done.stderr[-500:]}")
    return int(found[1])


def _output(*command: str, under: bool = False) -> str:
    # What the program finds under valgrind is what valgrind emulates.
    wrapped = ("valgrind", "--tool=none", "-q") if under else ()
    done = subprocess.run([*wrapped, *command], cwd=ROOT, capture_output=True, text=True, check=True)
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
