"""Prints the errors of using and importing `dicoxide.torch` without torch."""

from __future__ import annotations

import sys

sys.modules["torch"] = None  # type: ignore[assignment]
import dicoxide

try:
    _ = dicoxide.torch
except ImportError as error:
    print(error)
try:
    import dicoxide.torch
except ImportError as error:
    print(error)
