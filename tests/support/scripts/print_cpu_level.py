"""Prints the CPU level that the extension uses."""

from __future__ import annotations

import dicoxide._core as core

print(core.CPU_PATH)
