"""Prints the error of importing `dicoxide` without NumPy."""

from __future__ import annotations

import sys

sys.modules["numpy"] = None  # type: ignore[assignment]
try:
    import dicoxide
except ImportError as error:
    print(error)
