"""Binary file objects: seekable ones are read by position, like paths; others are read to their end.

File objects of other packages are duck-typed: they need a method that reads, one that seeks and one that returns the
position; ``seekable`` is called if there is one. The position of a seekable file is the same after each read, so that
the object starts where the file was when it was opened, however often and from whichever thread it is decoded.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from weakref import WeakValueDictionary

from dicoxide._arguments import owned_bytes

__all__ = ["SeekableFile", "read_to_end", "seekable_file"]

# Classes of files that are decompressed as they are read: seeking back decompresses again from the start.
_DECOMPRESSING = (
    ("gzip", "GzipFile"),
    ("bz2", "BZ2File"),
    ("lzma", "LZMAFile"),
    ("zipfile", "ZipExtFile"),
    ("isal.igzip", "IGzipFile"),
)
# Attributes under which wrappers of the standard library hold the file they read from (tarfile nests three).
_WRAPPED = ("raw", "fileobj", "_fileobj")
_MAX_WRAPPERS = 8


class _FileLock:
    """The lock of one file object, shared by all `SeekableFile` of it."""

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()


# By `id` of the file. An entry lives as long as a `SeekableFile`, which also keeps the file, so ids are not reused.
_locks: WeakValueDictionary[int, _FileLock] = WeakValueDictionary()
_locks_lock = threading.Lock()


def _reset_locks() -> None:
    """Replace all locks: the threads that held them do not exist in a forked child."""
    global _locks_lock  # noqa: PLW0603
    _locks_lock = threading.Lock()
    for entry in list(_locks.values()):
        entry.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_locks)


def _lock_of(file: Any) -> _FileLock:
    with _locks_lock:
        lock = _locks.get(id(file))
        if lock is None:
            lock = _locks[id(file)] = _FileLock()
    return lock


class SeekableFile:
    """A seekable binary file, from its position to its end, as bytes that are read by offset.

    Attributes
    ----------
    size : int
        Number of bytes when the file was opened.
    """

    __slots__ = ("_file", "_lock", "_start", "size")

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._lock = _lock_of(file)
        self._start = start
        self.size = size

    def read_at(self, offset: int, count: int) -> bytes:
        """Read at most `count` bytes at `offset`; called by the extension, from any thread."""
        with self.positioned(offset) as file:
            return _checked_bytes(file.read(count))

    def head(self, count: int) -> bytes:
        """Read the first `count` bytes, fewer if the file is shorter."""
        return self.read_at(0, count)

    def read_all(self) -> bytes:
        """Read all bytes."""
        with self.positioned(0) as file:
            return _checked_bytes(file.read())

    @contextmanager
    def positioned(self, offset: int) -> Iterator[BinaryIO]:
        """Move the file to `offset` for the body of a ``with`` statement; other threads wait."""
        with self._lock.lock:
            position = self._file.tell()
            self._file.seek(self._start + offset)
            try:
                yield self._file
            finally:
                self._file.seek(position)


def seekable_file(file: Any) -> SeekableFile | None:
    """Return `file` as bytes that are read by offset, or None if it has to be read to its end.

    Raises
    ------
    TypeError
        If it is a text file.
    ValueError
        If it is closed.
    """
    if isinstance(file, io.TextIOBase):
        raise TypeError("src is a text file, bytes expected: open it in binary mode")
    if type(file) is io.BytesIO or _is_decompressing(file):
        # BytesIO.read() does not copy.
        return None
    seekable = getattr(file, "seekable", None)
    if seekable is not None and not seekable():
        return None
    lock = _lock_of(file)
    with lock.lock:
        try:
            start = file.tell()
            file.seek(0, os.SEEK_END)
        except (AttributeError, NotImplementedError, OSError, TypeError, ValueError):
            # Streams that claim to be seekable. A closed file raises the same error when it is read.
            return None
        # Some objects return None from `seek`.
        end = file.tell()
        file.seek(start)
        return SeekableFile(file, start, max(0, end - start))


def read_to_end(file: BinaryIO) -> bytes:
    """Read a binary file from its position to its end."""
    if type(file) is not io.BytesIO:
        return _checked_bytes(file.read())
    position = file.tell()
    data = file.read()
    file.seek(position)
    return data


def _checked_bytes(data: Any) -> bytes:
    """Return what ``read`` of a file object returned as bytes.

    Raises
    ------
    TypeError
        If it is not bytes-like, as from a text file.
    BlockingIOError
        If it is None, as from a non-blocking file without data.
    """
    if isinstance(data, bytes):
        return data
    if data is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    try:
        return owned_bytes(data)
    except TypeError:
        raise TypeError(f"src.read() returned {type(data).__name__}, bytes expected") from None


def _is_decompressing(file: Any) -> bool:
    """Return True if `file`, or a file that it reads from, is an instance of one of `_DECOMPRESSING`."""
    classes = tuple(
        getattr(sys.modules[module], name) for module, name in _DECOMPRESSING if hasattr(sys.modules.get(module), name)
    )
    for _ in range(_MAX_WRAPPERS):
        if isinstance(file, classes):
            return True
        wrapped = (getattr(file, name, None) for name in _WRAPPED)
        file = next((inner for inner in wrapped if hasattr(inner, "read")), None)
        if file is None:
            break
    return False
