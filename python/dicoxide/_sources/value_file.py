"""Pixel Data values that are read by position, without a copy of the whole value in memory."""

from __future__ import annotations

import os
from collections.abc import Callable

from dicoxide._sources.file_object import SeekableFile

__all__ = ["ValueFile"]


class ValueFile:
    """The value of one element, read by byte offset from its start. Used by one thread at a time.

    Parameters
    ----------
    src : str, PathLike, bytes or SeekableFile
        The file or buffer that holds the value.
    start, size : int
        Byte offset of the value in `src`, and its length in bytes.
    """

    __slots__ = ("_descriptor", "_read", "_start", "size")

    def __init__(self, src: str | os.PathLike[str] | bytes | SeekableFile, start: int, size: int) -> None:
        self._start = start
        self.size = size
        self._descriptor = -1
        self._read: Callable[[int, int], bytes]
        if isinstance(src, bytes):
            buffer = src
            self._read = lambda offset, count: buffer[offset : offset + count]
        elif isinstance(src, SeekableFile):
            self._read = src.read_at
        else:
            # A descriptor, not a file object, which would warn if a call that failed has left it open.
            descriptor = self._descriptor = os.open(src, os.O_RDONLY | getattr(os, "O_BINARY", 0))

            def read(offset: int, count: int) -> bytes:
                os.lseek(descriptor, offset, os.SEEK_SET)
                return os.read(descriptor, count)

            self._read = read

    def __del__(self) -> None:
        self.close()

    def read_at(self, offset: int, count: int) -> bytes:
        """Read at most `count` bytes at `offset`; fewer at the end of the value, or if the file has become shorter."""
        return self._read(self._start + offset, max(0, min(count, self.size - offset)))

    def close(self) -> None:
        """Close the file, if one was opened. May be called again; nothing can be read afterwards."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
            self._read = _raise_closed


def _raise_closed(offset: int, count: int) -> bytes:
    raise ValueError("the file is closed")
