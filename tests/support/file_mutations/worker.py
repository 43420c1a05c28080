"""The process that tries cases: jobs on standard input, a line for each case on standard output.

It may be ended by what it tries, by the limit on its memory, or by its own watch where a case takes too long; who
reads its lines then knows which case it was.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import sys
import tempfile
from pathlib import Path

from support.file_mutations import checks, interfaces, source_files

MEMORY_BYTES = 3 << 30
# Of the command line: other decoders stay.
OTHERS = "--others"


def main() -> None:
    """Try what is asked for until nothing more comes."""
    # What decoders print goes nowhere near the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    faulthandler.enable()
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    others = OTHERS in sys.argv
    interfaces.prepare(others=others)
    with tempfile.TemporaryDirectory(dir=_in_memory()) as folder:
        path = Path(folder) / "case.dcm"
        for line in sys.stdin:
            job = json.loads(line)
            sound = checks.sound(source_files.files()[job["file"]].read_bytes())
            for number in range(job["start"], job["stop"]):
                faulthandler.dump_traceback_later(job["seconds"], exit=True)
                mutant = source_files.mutant(job["file"], number)
                check = checks.Check(mutant, sound, path, number, others=others)
                failures = check.failures()
                faulthandler.cancel_dump_traceback_later()
                answer = {
                    "number": number,
                    "mutator": mutant.mutator,
                    "kinds": check.kinds,
                    "failures": failures,
                }
                answers.write(json.dumps(answer) + "\n")
            answers.write("{}\n")


def _in_memory() -> str | None:
    """A folder that no disk stands behind, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    main()
