"""Tests of `dicoxide.torch` use PyTorch, or a stand-in where it is not installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from support.processes import STAND_INS

if find_spec("torch") is None:
    sys.path.append(str(STAND_INS / "pytorch"))
