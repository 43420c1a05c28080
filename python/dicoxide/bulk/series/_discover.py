"""Finds the files of sources: paths, folders with everything below them, and globs.

Each file is found once, even if links or other names lead to it again.
"""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

__all__ = [
    "CandidateFile",
    "FileFinder",
    "Paths",
    "SkippedFile",
    "UnreadableFile",
    "has_dicom_suffix",
    "is_dicomdir",
]

Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"

# Files with these names are expected to be DICOM.
_DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")
_DICOMDIR_CLASS = b"1.2.840.10008.1.3.10"


class CandidateFile(NamedTuple):
    """A regular file that may be a DICOM image.

    Attributes
    ----------
    path : str
        Absolute path.
    is_named : bool
        True if the caller named the file; False if it was found in a folder or by a glob.
    size : int
        Size in bytes when it was found.
    mtime_ns : int
        Modification time when it was found, in nanoseconds.
    """

    path: str
    is_named: bool
    size: int
    mtime_ns: int


class SkippedFile(NamedTuple):
    """A file that is not an image.

    `reason` is ``"not DICOM"``, ``"DICOMDIR"``, ``"no image"`` or ``"dangling link"``.
    """

    path: str
    reason: str
    is_named: bool
    error: Exception | None = None


class UnreadableFile(NamedTuple):
    """A file or folder that cannot be read, and the error.

    The UIDs are those of its study and series, or empty if they could not be read.
    """

    path: str
    error: Exception
    study_instance_uid: str = ""
    series_instance_uid: str = ""


class FileFinder:
    """Iterates over the files of `sources`, in the order of the sources and sorted by name within each folder.

    Parameters
    ----------
    sources : path, or iterable of paths
        Files, folders, or glob patterns; a pattern that is also the name of an existing path is that path.
    exclude : str, optional
        A folder to leave out.

    Attributes
    ----------
    duplicates : int
        Number of files that were found before, under this or another name.
    """

    def __init__(self, sources: Paths, *, exclude: str | None = None) -> None:
        paths = [sources] if isinstance(sources, (str, os.PathLike)) else sources
        # Dask workers may have another working directory.
        self._sources = [os.path.abspath(os.fspath(path)) for path in paths]
        self._seen_folders: set[tuple[int, int] | str] = set()
        self._seen_files: set[tuple[int, int] | str] = set()
        self.duplicates = 0
        if exclude is not None and os.path.isdir(exclude):
            self._seen_folders.add(_file_identity(exclude, os.stat(exclude)))

    def __iter__(self) -> Iterator[CandidateFile | SkippedFile | UnreadableFile]:
        for source in self._sources:
            if os.path.lexists(source) or not glob.has_magic(source):
                yield from self._walk_path(source, is_named=True)
                continue
            matches = sorted(glob.iglob(source, recursive=True, include_hidden=True))
            if not matches:
                yield UnreadableFile(source, FileNotFoundError(errno.ENOENT, "no file matches this pattern", source))
            for match in matches:
                yield from self._walk_path(match, is_named=False)

    def _walk_path(self, path: str, *, is_named: bool) -> Iterator[CandidateFile | SkippedFile | UnreadableFile]:
        try:
            status = os.stat(path)
        except OSError as error:
            yield UnreadableFile(path, error)
        except ValueError as error:
            yield UnreadableFile(path, OSError(errno.EINVAL, str(error), path))
        else:
            if stat.S_ISDIR(status.st_mode):
                yield from self._walk_folder(path, status)
            else:
                yield from self._check_file(path, status, is_named=is_named)

    def _walk_folder(self, path: str, status: os.stat_result) -> Iterator[CandidateFile | SkippedFile | UnreadableFile]:
        # An explicit stack: folders may nest deeper than Python's recursion limit.
        stack = [(path, status)]
        while stack:
            folder, status = stack.pop()
            if (identity := _file_identity(folder, status)) in self._seen_folders:
                continue
            self._seen_folders.add(identity)
            try:
                with os.scandir(folder) as iterator:
                    entries = sorted(iterator, key=lambda entry: entry.name)
            except OSError as error:
                yield UnreadableFile(folder, error)
                continue
            subfolders = []
            for entry in entries:
                try:
                    status = os.stat(entry.path)
                except OSError as error:
                    yield SkippedFile(entry.path, "dangling link", False, error)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    subfolders.append((entry.path, status))
                else:
                    yield from self._check_file(entry.path, status, is_named=False)
            stack.extend(reversed(subfolders))

    def _check_file(
        self, path: str, status: os.stat_result, *, is_named: bool
    ) -> Iterator[CandidateFile | SkippedFile | UnreadableFile]:
        identity = _file_identity(path, status)
        if identity in self._seen_files:
            self.duplicates += 1
            return
        self._seen_files.add(identity)
        if stat.S_ISREG(status.st_mode):
            yield CandidateFile(path, is_named, status.st_size, status.st_mtime_ns)
        elif is_named:
            # Opening a pipe would block until another process opens its other end.
            yield UnreadableFile(path, OSError(errno.EINVAL, "neither a regular file nor a folder", path))
        else:
            yield SkippedFile(path, "not DICOM", False)


def _file_identity(path: str, status: os.stat_result) -> tuple[int, int] | str:
    # Some file systems have no inode numbers.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def has_dicom_suffix(path: str) -> bool:
    """True if the name of the file declares it to be a DICOM file."""
    return path.lower().endswith(_DICOM_SUFFIXES)


def is_dicomdir(path: str, head: bytes) -> bool:
    """True if the file is a DICOMDIR, the index of a medium (PS3.10 8), which holds no images."""
    return _DICOMDIR_CLASS in head or os.path.basename(path).upper() == "DICOMDIR"
