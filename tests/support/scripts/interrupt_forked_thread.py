"""Forks in a thread that has decoded; the child, whose main thread it then is, interrupts one long call.

Argument: path of a file with 8 frames of 512 columns.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import dicoxide

path = sys.argv[1]
INDICES = [index % 8 for index in range(200)]
exit_codes = []


def decode() -> float:
    begin = time.perf_counter()
    dicoxide.decode(path, frames=INDICES, threads=1)
    return time.perf_counter() - begin


def interrupted_decode(whole_seconds: float) -> int:
    """Return 0 if a signal ends the call after a quarter of its time and before the end."""
    begin = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, whole_seconds / 4)
    try:
        decode()
    except KeyboardInterrupt:
        # Without the check during the call, the handler runs after it.
        return int(time.perf_counter() - begin > 0.7 * whole_seconds)
    return 2


def fork_after_decoding() -> None:
    whole_seconds = min(decode() for _ in range(3))
    process = os.fork()
    if process == 0:
        os._exit(min(interrupted_decode(whole_seconds) for _ in range(5)))
    exit_codes.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


signal.signal(signal.SIGALRM, signal.default_int_handler)
thread = threading.Thread(target=fork_after_decoding)
thread.start()
thread.join()
print(*exit_codes)
