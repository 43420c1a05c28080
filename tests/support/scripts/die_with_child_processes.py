"""Stand-in for a test process that ends: starts descendants by `support.processes`, prints their ids, and ends.

The argument chooses how: ``kill`` by SIGKILL, ``exit`` without clean-up.
"""

from __future__ import annotations

import os
import signal
import sys

from support.processes import script, started

with started(script("spawn_descendants"), stdout=-1, text=True) as process:
    assert process.stdout is not None
    print(process.stdout.readline().strip(), flush=True)
    if sys.argv[1] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(3)
