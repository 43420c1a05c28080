"""Decodes one path without end; prints a line when it starts.

Argument: the path.
"""

from __future__ import annotations

import itertools
import sys

import dicoxide

print("started", flush=True)
for _ in dicoxide.decode_many(itertools.repeat(sys.argv[1]), threads=2):
    pass
