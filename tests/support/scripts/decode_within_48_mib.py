"""Decodes files through every interface in a process that may take 48 MiB more than after its imports.

Arguments: a small file that is decoded before the limit is set, then the files. Prints per file and interface,
separated by tabs: path, interface, ``gives`` or the class of the error, and the shape or the message.
"""

from __future__ import annotations

import resource
import sys
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pydicom

import dicoxide
import dicoxide.plugins.pydicom_v3

LIMIT_BYTES = 48 << 20


def only(results: Iterable[tuple[Any, Any]]) -> Any:
    """Return the only result, or raises it if it is an error."""
    [(_, result)] = results
    if isinstance(result, Exception):
        raise result
    return result


def read(path: str) -> pydicom.Dataset | None:
    """Read a Dataset; None if that takes pydicom too long or passes its own limits."""
    if path.endswith("items.dcm"):
        # pydicom makes a Dataset of each item, which takes minutes.
        return None
    try:
        return pydicom.dcmread(path)
    except (MemoryError, RecursionError):
        return None


def interfaces(path: str) -> dict[str, Callable[[], Any]]:
    """Return functions that decode a file, by the name of their interface."""
    data = Path(path).read_bytes()
    found: dict[str, Callable[[], Any]] = {
        "path": partial(dicoxide.decode, path),
        "bytes": partial(dicoxide.decode, data),
        "one thread": partial(dicoxide.decode, data, threads=1),
        "raw": partial(dicoxide.decode, data, raw=True),
        "first": partial(dicoxide.decode, path, frames=0),
        "last": partial(dicoxide.decode, path, frames=-1),
        "slice": partial(dicoxide.decode, path, frames=slice(0, 9)),
        "view": partial(dicoxide.decode, path, copy=False),
        "strict": partial(dicoxide.decode, path, strict=True),
        "iter_frames": lambda: list(dicoxide.iter_frames(path)),
        "decode_many": lambda: only(dicoxide.decode_many([path], on_error="return")),
    }
    dataset = read(path)
    if dataset is not None:
        found["Dataset"] = partial(dicoxide.decode, dataset)
        found["handler"] = partial(dicoxide.pydicom_handler.get_pixeldata, dataset)
    return found


warnings.simplefilter("ignore")
small, *paths = sys.argv[1:]
dicoxide.decode(small)
list(dicoxide.decode_many([small]))
with open("/proc/self/statm") as file:
    used_bytes = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used_bytes + LIMIT_BYTES, resource.RLIM_INFINITY))
for path in paths:
    for name, decode in interfaces(path).items():
        try:
            result = decode()
            print(path, name, "gives", getattr(result, "shape", len(result)), sep="\t")
        except ValueError as error:
            print(path, name, type(error).__name__, error, sep="\t")
