"""Raises KeyboardInterrupt while the extension looks up NumPy's C interface for the first array.

The file to decode comes from standard input.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import numpy.lib

import dicoxide


def interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


numpy.lib.NumpyVersion.__init__ = interrupted  # type: ignore[method-assign]
[(_, array)] = dicoxide.decode_many([sys.stdin.buffer.read()])
print(array.shape)
