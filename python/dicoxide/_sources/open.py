"""The one place that chooses who reads a source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dicoxide._arguments import owned_bytes
from dicoxide._backend import backend, core
from dicoxide._sources.base import Readable, Source

if TYPE_CHECKING:
    from dicoxide._sources.dataset import DatasetSource

__all__ = ["open_many", "open_source"]


def open_source(src: Readable, max_bytes: int | None = None) -> Source:
    """Read the header of `src`.

    Raises
    ------
    CorruptFrameError
        If attributes that decoding needs are missing or no numbers, or the file is no DICOM file.
    LimitError
        If a deflated data set inflates to more than `max_bytes`.
    OSError
        If the file cannot be read.
    TypeError
        If `src` is nothing that can be read.
    """
    is_path = isinstance(src, (str, os.PathLike))
    if not is_path and type(src) is not bytes:
        # Duck typing, before anything is imported: a data set of any class that behaves like pydicom's.
        if hasattr(src, "file_meta") or hasattr(src, "get_item"):
            return _of_dataset(src)
        src = _bytes_of(src)
    if backend == "rust":
        from dicoxide._sources.file import FileSource

        return FileSource(src, max_bytes)  # type: ignore[arg-type]
    from dicoxide._sources.pydicom_reader import read

    return _of_dataset(read(src))  # type: ignore[arg-type]


def open_many(paths: Sequence[str], threads: int) -> list[Source | Exception]:
    """Read the headers of files, on at most `threads` threads: what `open_source` gives of each, or raises."""
    if backend == "rust":
        from dicoxide._sources.file import FileSource

        return [
            opened if isinstance(opened, Exception) else FileSource(path, opened=opened)
            for path, opened in zip(paths, core.open_many(paths, threads), strict=True)
        ]
    return [_opened(path) for path in paths]


def _opened(path: str) -> Source | Exception:
    try:
        return open_source(path)
    except Exception as error:
        return error


def _of_dataset(dataset: Any) -> DatasetSource:
    from dicoxide._sources.dataset import describe

    return describe(dataset)


def _bytes_of(src: Any) -> bytes:
    """All that a binary file has left, or the bytes of a buffer, which could change."""
    if hasattr(src, "read"):
        read = src.read()
        if isinstance(read, bytes):
            return read
        raise TypeError(f"src.read() gives {type(read).__name__}, a binary file is expected")
    try:
        return owned_bytes(src)
    except TypeError:
        raise TypeError(
            f"src must be a path, bytes, a binary file or a pydicom Dataset, not {type(src).__name__}"
        ) from None
