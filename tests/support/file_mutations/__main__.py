"""Run a campaign of file mutations, or repeat one case.

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
    """Run the command; return 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m support.file_mutations", description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000, help="total number of cases; small files get most of them")
    parser.add_argument("--start", type=int, default=0, help="number of the first case of each file")
    parser.add_argument("--files", default="", help="only files whose names contain this text")
    parser.add_argument(worker.FALLBACK_OPTION, action="store_true", help="only files that fallback decoders decode")
    parser.add_argument("--jobs", type=int, default=1, help="number of worker processes")
    parser.add_argument("--minutes", type=float, default=None, help="start no further file after this time")
    parser.add_argument("--json", type=Path, help="file to write the summary to")
    parser.add_argument(
        "--case", metavar="FILE:N", help="repeat case N of a file in this process and print its outcome"
    )
    parser.add_argument("--dump", type=Path, help="file to write the bytes of that case to")
    arguments = parser.parse_args()
    if arguments.case:
        return _repeat(arguments.case, arguments.dump, fallback=arguments.others)
    begin = time.monotonic()
    names = [name for name in source_files.files() if arguments.files in name]
    if arguments.others:
        names = [name for name in names if source_files.needs_fallback(name)]
    until = None if arguments.minutes is None else begin + 60 * arguments.minutes

    def write(summary: Summary) -> None:
        """Write the summary after each file, so that an interrupted campaign has results."""
        if arguments.json:
            document = {"seconds": round(time.monotonic() - begin, 1), **summary.as_dict()}
            arguments.json.write_text(json.dumps(document, indent=1) + "\n")

    campaign = Campaign(
        jobs=arguments.jobs,
        # The speed of fallback decoders is not checked.
        seconds=60 if arguments.others else 10,
        start=arguments.start,
        is_over=lambda: until is not None and time.monotonic() > until,
        on_summary=write,
        worker=(*WORKER, worker.FALLBACK_OPTION) if arguments.others else WORKER,
    )
    summary = campaign.run(source_files.shares(names, arguments.cases))
    _print(summary, time.monotonic() - begin)
    return 1 if summary.failures else 0


def _repeat(case: str, dump: Path | None, *, fallback: bool) -> int:
    ending, _, number = case.rpartition(":")
    matches = [name for name in source_files.files() if name.endswith(ending)]
    exact = [name for name in matches if name == ending]
    if len(exact or matches) != 1:
        sys.exit(f"{ending} matches no file or several: {', '.join(matches)}")
    [name] = exact or matches
    interfaces.prepare(fallback=fallback)
    mutant = source_files.mutant(name, int(number))
    if dump is not None:
        dump.write_bytes(mutant.data)
    print(f"{name}:{number}: {mutant.mutator}, {len(mutant.data)} bytes, expectation: {mutant.expectation.value}")
    written = dump or Path(f"{Path(name).stem}-{number}.dcm")
    check = checks.Check(
        mutant,
        checks.decode_unchanged(source_files.files()[name].read_bytes()),
        written,
        int(number),
        fallback=fallback,
    )
    failures = check.failures()
    if dump is None:
        written.unlink()
    for interface, kind in check.kinds.items():
        print(f"  {interface}: {kind}")
    for failure in failures:
        print(f"  failed: {failure}")
    return 1 if failures else 0


def _print(summary: Summary, seconds: float) -> None:
    print(f"{summary.cases} cases in {seconds:.0f} s, {len(summary.failures)} failures")
    for interface, kinds in summary.outcomes.items():
        print(f"  {interface}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    if summary.pydicom_failures:
        print(f"  {len(summary.pydicom_failures)} cases in which pydicom crashed or took too long")
    similar = Counter(f"{mutator}: {failure[:70]}" for _, _, mutator, failure in summary.failures)
    for text, count in similar.most_common():
        print(f"  {count} × {text}")
    for name, number, mutator, failure in summary.failures[:200]:
        print(f"  {name}:{number} ({mutator}): {failure}")


if __name__ == "__main__":
    sys.exit(main())
