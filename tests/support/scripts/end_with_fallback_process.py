"""Starts the process of a fallback decoder, prints its id, and ends.

Arguments: path of a file whose second frame takes a minute, ``idle`` or ``busy``, and how to end: ``_exit``, ``exit``,
``kill`` or ``abort``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import dicoxide
from dicoxide._fallback_decoders import isolated_process, pydicom_plugins

path, state, end = sys.argv[1:]
pydicom_plugins.available = lambda uid: ("gdcm",)
dicoxide.decode(path, frames=0)
[process] = isolated_process._alive
print(process._process.pid, flush=True)
if state == "busy":
    threading.Thread(target=dicoxide.decode, args=(path, 1), daemon=True).start()
    time.sleep(0.3)
if end == "_exit":
    os._exit(0)
if end == "exit":
    sys.exit()
if end == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
os.abort()
