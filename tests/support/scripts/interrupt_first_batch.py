"""Interrupts `decode_many` before its first result.

Argument: path of a file that takes seconds to decode.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import dicoxide

source = Path(sys.argv[1]).read_bytes()
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    for _ in dicoxide.decode_many([source] * 4, threads=1):
        print("result")
except KeyboardInterrupt:
    print("interrupted")
