"""Ends the interpreter with an iterator that has given one result.

Arguments: path and the name of the iterator function.
"""

from __future__ import annotations

import sys

import dicoxide

path, function = sys.argv[1:]
sources = path if function == "iter_frames" else [path] * 50
results = getattr(dicoxide, function)(sources, threads=2)
next(results)
print("the end")
