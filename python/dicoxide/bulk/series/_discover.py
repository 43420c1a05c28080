"""The files that sources lead to: named, below folders, or matching globs; each once, wherever links lead."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

__all__ = ["File", "Finder", "Other", "Paths", "Unreadable", "looks_like_dicom"]

Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"

# What the first kibibyte says: enough for the preamble and the file meta information that names the SOP class.
HEAD_BYTES = 1024
_PREAMBLE_BYTES = 128
_DICOMDIR_CLASS = b"1.2.840.10008.1.3.10"
_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)


class File(NamedTuple):
    """A file to read."""

    path: str
    # Whether it was asked for by its name, not met in a folder or by a glob.
    is_named: bool
    # What it was when it was found.
    size: int
    mtime_ns: int


class Other(NamedTuple):
    """What is no image, and why: ``"not DICOM"``, ``"DICOMDIR"``, ``"no image"`` or ``"dangling link"``."""

    path: str
    why: str
    is_named: bool
    error: Exception | None = None


class Unreadable(NamedTuple):
    """What cannot be read, and why."""

    path: str
    error: Exception


class Finder:
    """Finds the files of `sources`: paths, or text with the magic of globs where no path is called so.

    Attributes
    ----------
    duplicates : int
        Files that were there before, under this or another name.
    """

    def __init__(self, sources: Paths, *, leave_out: str | None = None) -> None:
        named = [sources] if isinstance(sources, (str, os.PathLike)) else sources
        # Whoever works on these need not be in this directory.
        self._sources = [os.path.abspath(os.fspath(source)) for source in named]
        self._folders: set[tuple[int, int] | str] = set()
        self._files: set[tuple[int, int] | str] = set()
        self.duplicates = 0
        if leave_out is not None and os.path.isdir(leave_out):
            self._folders.add(_identity(leave_out, os.stat(leave_out)))

    def __iter__(self) -> Iterator[File | Other | Unreadable]:
        for source in self._sources:
            if os.path.lexists(source) or not glob.has_magic(source):
                yield from self._one(source, is_named=True)
                continue
            matches = sorted(glob.iglob(source, recursive=True, include_hidden=True))
            if not matches:
                yield Unreadable(source, FileNotFoundError(errno.ENOENT, "nothing matches this pattern", source))
            for match in matches:
                yield from self._one(match, is_named=False)

    def _one(self, path: str, *, is_named: bool) -> Iterator[File | Other | Unreadable]:
        try:
            status = os.stat(path)
        except OSError as error:
            yield Unreadable(path, error)
        except ValueError as error:
            yield Unreadable(path, OSError(errno.EINVAL, str(error), path))
        else:
            if stat.S_ISDIR(status.st_mode):
                yield from self._folder(path, status)
            else:
                yield from self._file(path, status, is_named=is_named)

    def _folder(self, path: str, status: os.stat_result) -> Iterator[File | Other | Unreadable]:
        # A stack of our own: links may nest deeper than Python calls.
        stack = [(path, status)]
        while stack:
            folder, status = stack.pop()
            if (identity := _identity(folder, status)) in self._folders:
                continue
            self._folders.add(identity)
            try:
                with os.scandir(folder) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                yield Unreadable(folder, error)
                continue
            inner = []
            for entry in entries:
                try:
                    status = os.stat(entry.path)
                except OSError as error:
                    yield Other(entry.path, "dangling link", False, error)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    inner.append((entry.path, status))
                else:
                    yield from self._file(entry.path, status, is_named=False)
            stack.extend(reversed(inner))

    def _file(self, path: str, status: os.stat_result, *, is_named: bool) -> Iterator[File | Other | Unreadable]:
        identity = _identity(path, status)
        if identity in self._files:
            self.duplicates += 1
            return
        self._files.add(identity)
        if stat.S_ISREG(status.st_mode):
            yield File(path, is_named, status.st_size, status.st_mtime_ns)
        elif is_named:
            # Whoever opens a pipe waits for its other end.
            yield Unreadable(path, OSError(errno.EINVAL, "neither a file nor a folder", path))
        else:
            yield Other(path, "not DICOM", False)


def _identity(path: str, status: os.stat_result) -> tuple[int, int] | str:
    # Some file systems number nothing.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def has_preamble(head: bytes) -> bool:
    """Whether a file that begins with `head` is what PS3.10 7.1 says."""
    return head[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] == b"DICM"


def looks_like_dicom(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes begins as a DICOM file does, or as a data set without preamble and file meta."""
    if has_preamble(head):
        return True
    # Without a preamble: the first element is of group 0002 or 0008, in either byte order and with or without a VR.
    if len(head) < 8:
        return False
    order = {b"\x02\x00": "little", b"\x08\x00": "little", b"\x00\x02": "big", b"\x00\x08": "big"}.get(head[:2])
    if order is None:
        return False
    if head[4:6] in _REPRESENTATIONS:
        return True
    length = int.from_bytes(head[4:8], "little")
    element = int.from_bytes(head[2:4], "little")
    return order == "little" and element <= 0x1200 and length % 2 == 0 and length <= min(size - 8, 1 << 16)


def is_dicomdir(path: str, head: bytes) -> bool:
    """Whether it is the directory of a medium (PS3.10 8), which holds no images."""
    return _DICOMDIR_CLASS in head or os.path.basename(path).upper() == "DICOMDIR"
