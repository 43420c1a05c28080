"""Peak memory of a process. Imports little, because imports count as memory."""

from __future__ import annotations

import sys


def peak_bytes() -> int:
    """Return the peak resident memory of this process."""
    # getrusage may report the peak of the parent process for a new process; /proc/self/status does not.
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
