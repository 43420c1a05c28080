"""Reads a file with pydicom in a process that may take 64 MiB more than after its imports.

Argument: path. Prints the lengths of OB values, or the class of the error.
"""

from __future__ import annotations

import resource
import sys
import warnings

# Imported before the limit is set.
import pydicom.pixels.utils

import dicoxide
from dicoxide._sources.pydicom_reader import read

warnings.simplefilter("ignore")
with open("/proc/self/statm") as file:
    used_bytes = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used_bytes + (64 << 20), resource.RLIM_INFINITY))
try:
    print([len(element.value) for element in read(sys.argv[1]) if element.VR == "OB"])
except dicoxide.DecodeError as error:
    print(type(error).__name__)
