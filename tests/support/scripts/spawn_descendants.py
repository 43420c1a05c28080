"""Starts a child, prints both process ids, and waits: both ignore what signals can be ignored.

``python spawn_descendants.py`` keeps the child in its own process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
