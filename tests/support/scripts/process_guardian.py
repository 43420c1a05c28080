"""Kills the process groups of a test process when that ends; started by `support.processes`.

Reads lines from standard input: ``+GROUP`` adds a group, ``-GROUP`` removes it. Ends at the end of input, which comes
when the test process ends, or when that has another parent, because a forked child may still hold the pipe open.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = int(sys.argv[1])
    groups: set[int] = set()
    rest = b""
    while True:
        if not select.select([0], [], [], 0.5)[0]:
            if os.getppid() == parent:
                continue
            break
        data = os.read(0, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"+"):
                groups.add(int(line[1:]))
            else:
                groups.discard(int(line[1:]))
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
