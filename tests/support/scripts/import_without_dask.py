"""Prints the errors of using and importing `dicoxide.dask` without dask."""

from __future__ import annotations

import sys

sys.modules["dask"] = None  # type: ignore[assignment]
import dicoxide

try:
    _ = dicoxide.dask
except ImportError as error:
    print(error)
try:
    import dicoxide.dask
except ImportError as error:
    print(error)
