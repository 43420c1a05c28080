"""Worker process: reads jobs from standard input, writes one line per case to standard output.

A case may end the process: by a crash, by the memory limit, or by the timeout. Lines are in the order of cases, so the
reader knows which case it was.
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
# Keeps fallback decoders enabled.
FALLBACK_OPTION = "--others"


def main() -> None:
    """Run jobs until the end of standard input."""
    # Decoders may print to standard output, which is redirected to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    faulthandler.enable()
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    fallback = FALLBACK_OPTION in sys.argv
    interfaces.prepare(fallback=fallback)
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        path = Path(folder) / "case.dcm"
        for line in sys.stdin:
            job = json.loads(line)
            unchanged = checks.decode_unchanged(source_files.files()[job["file"]].read_bytes())
            for number in range(job["start"], job["stop"]):
                faulthandler.dump_traceback_later(job["seconds"], exit=True)
                mutant = source_files.mutant(job["file"], number)
                check = checks.Check(mutant, unchanged, path, number, fallback=fallback)
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


def memory_folder() -> str | None:
    """Return a folder that is in memory, if the system has one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    main()
