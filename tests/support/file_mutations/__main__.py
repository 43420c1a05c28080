"""The command: a campaign, or one case again.

python -m support.file_mutations --cases 200000 --json outcome.json
python -m support.file_mutations --others --cases 20000
python -m support.file_mutations --case CT_small.dcm:17 --dump broken.dcm
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

from support.file_mutations import checks, interfaces, source_files, worker
from support.file_mutations.campaign import WORKER, Campaign, Summary


def main() -> int:
    """Run what the command line says; 1 where anything failed."""
    parser = argparse.ArgumentParser(prog="python -m support.file_mutations", description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000, help="how many in all; small files get most of them")
    parser.add_argument("--start", type=int, default=0, help="the number of the first case of each file")
    parser.add_argument("--files", default="", help="only those with this in their names")
    parser.add_argument(worker.OTHERS, action="store_true", help="only what other decoders take, and by them")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--minutes", type=float, default=None, help="begin with no further file after these")
    parser.add_argument("--json", type=Path, help="where to write the outcome")
    parser.add_argument("--case", metavar="FILE:N", help="try case N of a file here, and tell what comes of it")
    parser.add_argument("--dump", type=Path, help="where to write the bytes of that case")
    arguments = parser.parse_args()
    if arguments.case:
        return _repeat(arguments.case, arguments.dump, others=arguments.others)
    begin = time.monotonic()
    names = [name for name in source_files.files() if arguments.files in name]
    if arguments.others:
        names = [name for name in names if source_files.is_of_others(name)]
    until = None if arguments.minutes is None else begin + 60 * arguments.minutes

    def write(summary: Summary) -> None:
        """After each file, so that nothing is lost where it is ended."""
        if arguments.json:
            outcome = {"seconds": round(time.monotonic() - begin, 1), **summary.as_dict()}
            arguments.json.write_text(json.dumps(outcome, indent=1) + "\n")

    campaign = Campaign(
        jobs=arguments.jobs,
        # The time of others is not ours.
        seconds=60 if arguments.others else 10,
        start=arguments.start,
        is_over=lambda: until is not None and time.monotonic() > until,
        told=write,
        worker=(*WORKER, worker.OTHERS) if arguments.others else WORKER,
    )
    summary = campaign.run(source_files.shares(names, arguments.cases))
    _print(summary, time.monotonic() - begin)
    return 1 if summary.failures else 0


def _repeat(case: str, dump: Path | None, *, others: bool) -> int:
    ending, _, number = case.rpartition(":")
    found = [name for name in source_files.files() if name.endswith(ending)]
    exact = [name for name in found if name == ending]
    if len(exact or found) != 1:
        sys.exit(f"{ending} is no file's name, or several files': {', '.join(found)}")
    [name] = exact or found
    interfaces.prepare(others=others)
    mutant = source_files.mutant(name, int(number))
    if dump is not None:
        dump.write_bytes(mutant.data)
    print(f"{name}:{number}: {mutant.mutator}, {len(mutant.data)} bytes, promise: {mutant.promise.value}")
    written = dump or Path(f"{Path(name).stem}-{number}.dcm")
    check = checks.Check(
        mutant, checks.sound(source_files.files()[name].read_bytes()), written, int(number), others=others
    )
    failures = check.failures()
    if dump is None:
        written.unlink()
    for way, kind in check.kinds.items():
        print(f"  {way}: {kind}")
    for failure in failures:
        print(f"  failed: {failure}")
    return 1 if failures else 0


def _print(summary: Summary, seconds: float) -> None:
    print(f"{summary.cases} cases in {seconds:.0f} s, {len(summary.failures)} failures")
    for way, kinds in summary.outcomes.items():
        print(f"  {way}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    if summary.beyond_us:
        print(f"  {len(summary.beyond_us)} cases that pydicom itself did not end")
    alike = Counter(f"{mutator}: {failure[:70]}" for _, _, mutator, failure in summary.failures)
    for text, count in alike.most_common():
        print(f"  {count} × {text}")
    for name, number, mutator, failure in summary.failures[:200]:
        print(f"  {name}:{number} ({mutator}): {failure}")


if __name__ == "__main__":
    sys.exit(main())
