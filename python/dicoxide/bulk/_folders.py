"""The files of folders, and which of them may be DICOM."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"


def find_files(paths: Paths, on_error: Callable[[str, OSError], object]) -> Iterator[str]:
    """Yield files: those named, and all below the folders named; each once, wherever links lead."""
    named = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    seen: set[tuple[int, int] | str] = set()
    for path in named:
        stack = [os.fspath(path)]
        while stack:
            current = stack.pop()
            try:
                status = os.stat(current)
                # Some file systems number nothing.
                identity = (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(current)
                if identity in seen:
                    continue
                seen.add(identity)
                if stat.S_ISDIR(status.st_mode):
                    stack += _children(current)
                    continue
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(errno.EINVAL, "neither a file nor a folder", current)
            except OSError as error:
                on_error(current, error)
                continue
            yield current


def _children(folder: str) -> list[str]:
    """The entries of a folder, the last first; a dangling link or a pipe is nothing to read."""

    def is_readable(entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir() or entry.is_file()
        except OSError:
            return False

    with os.scandir(folder) as entries:
        return sorted((entry.path for entry in entries if is_readable(entry)), reverse=True)


def begins_with_element(start: bytes) -> bool:
    """Whether a data set without preamble may begin so: with group 0002 or 0008, in either byte order."""
    if len(start) < 8:
        return False
    groups = int.from_bytes(start[:2], "little"), int.from_bytes(start[:2], "big")
    elements = int.from_bytes(start[2:4], "little"), int.from_bytes(start[2:4], "big")
    return any(group in (2, 8) and element <= 0x0100 for group, element in zip(groups, elements, strict=True))
