"""Reads volumes in a process that may take 256 MiB more than after its imports; prints results or error classes.

Arguments: paths.
"""

from __future__ import annotations

import resource
import sys
import warnings

# Imported before the limit is set.
import pydicom.pixels.decoders
import pydicom.pixels.utils

import dicoxide

try:
    import dask

    import dicoxide.dask
except ImportError:
    dask = None

warnings.simplefilter("ignore")
with open("/proc/self/statm") as file:
    used_bytes = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used_bytes + (256 << 20), resource.RLIM_INFINITY))
functions = [
    lambda path: dicoxide.read_series([path]),
    lambda path: dicoxide.read_series([path], on_error="return"),
]
if dask is not None:
    dask.config.set(scheduler="synchronous")
    functions.append(lambda path: dicoxide.dask.from_files([path]).compute())
for path in sys.argv[1:]:
    for function in functions:
        try:
            print(function(path))
        except dicoxide.DecodeError as error:
            print(type(error).__name__)
