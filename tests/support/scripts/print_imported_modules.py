"""Prints the modules that importing dicoxide adds to those of NumPy."""

from __future__ import annotations

import sys

import numpy

before = set(sys.modules)
import dicoxide

print(*sorted(set(sys.modules) - before))
