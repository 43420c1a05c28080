"""Sources on the file system: folders, globs and files, told apart from what is no DICOM file."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dicoxide.bulk._failure import Failure, failure_of

__all__ = ["File", "Finder", "is_dicom"]

# What the first kibibyte says: enough for the preamble and the file meta information that names the SOP class.
_HEAD_BYTES = 1024
_PREAMBLE_BYTES = 128
_DICOMDIR_CLASS = b"1.2.840.10008.1.3.10"
_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
# A file with such a name that is no DICOM file has been damaged; any other is simply something else.
_NAMED_DICOM = (".dcm", ".dicom", ".dic", ".ima")


@dataclass(frozen=True, slots=True)
class File:
    """A file that looks like DICOM, and what tells whether it has changed since."""

    path: str
    size: int
    mtime_ns: int


def is_dicom(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins as a DICOM file does (PS3.10 7.1), or as a data set without preamble and file meta.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    return _looks_like_dicom(_head(path), os.stat(path).st_size)


def _head(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read(_HEAD_BYTES)


def _looks_like_dicom(head: bytes, size: int) -> bool:
    if head[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] == b"DICM":
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


class Finder:
    """Finds the DICOM files of `sources`; what is skipped is counted.

    Attributes
    ----------
    found : int
        DICOM files.
    skipped : int
        Files that were found on the way and are no DICOM files.
    dicomdirs : int
        Directories of media (PS3.10 8), which hold no images.
    duplicates : int
        Files that were there before, under this or another name.
    """

    def __init__(self, sources: Iterable[str], *, leave_out: str | None = None) -> None:
        # Whoever works on these need not be in this directory.
        self._sources = [os.path.abspath(source) for source in sources]
        self._folders: set[tuple[int, int]] = set()
        self._files: set[tuple[int, int]] = set()
        self.found = 0
        self.skipped = 0
        self.dicomdirs = 0
        self.duplicates = 0
        if leave_out is not None and os.path.isdir(leave_out):
            self._folders.add(_identity(os.stat(leave_out)))

    def __iter__(self) -> Iterator[File | Failure]:
        for source in self._sources:
            if os.path.lexists(source) or not glob.has_magic(source):
                yield from self._one(source, is_named=True)
                continue
            matches = sorted(glob.iglob(source, recursive=True, include_hidden=True))
            if not matches:
                yield Failure(source, kind="Unreadable", message="nothing matches this pattern")
            for match in matches:
                yield from self._one(match, is_named=False)

    def _one(self, path: str, *, is_named: bool) -> Iterator[File | Failure]:
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            yield failure_of(error, path, kind="Unreadable")
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._folder(path, status)
        else:
            yield from self._file(path, status, is_named=is_named)

    def _folder(self, path: str, status: os.stat_result) -> Iterator[File | Failure]:
        # A stack of our own: links may nest deeper than Python calls.
        stack = [(path, status)]
        while stack:
            folder, status = stack.pop()
            if (identity := _identity(status)) in self._folders:
                continue
            self._folders.add(identity)
            try:
                names = sorted(os.listdir(folder))
            except OSError as error:
                yield failure_of(error, folder)
                continue
            inner = []
            for name in names:
                path = os.path.join(folder, name)
                try:
                    status = os.stat(path)
                except OSError as error:
                    yield failure_of(error, path)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    inner.append((path, status))
                else:
                    yield from self._file(path, status, is_named=False)
            stack.extend(reversed(inner))

    def _file(self, path: str, status: os.stat_result, *, is_named: bool) -> Iterator[File | Failure]:
        identity = _identity(status)
        if identity in self._files and identity[1]:
            self.duplicates += 1
            return
        self._files.add(identity)
        is_named = is_named or path.lower().endswith(_NAMED_DICOM)
        # Whoever opens a pipe waits for its other end.
        if not stat.S_ISREG(status.st_mode):
            looks_right, head = False, b""
        else:
            try:
                head = _head(path)
            except OSError as error:
                yield failure_of(error, path)
                return
            looks_right = _looks_like_dicom(head, status.st_size)
        if looks_right:
            if _DICOMDIR_CLASS in head or os.path.basename(path).upper() == "DICOMDIR":
                self.dicomdirs += 1
            else:
                self.found += 1
                yield File(path, status.st_size, status.st_mtime_ns)
        elif is_named:
            what = "an empty file" if status.st_size == 0 else "no DICOM file"
            yield Failure(path, kind="NotDicom", clause="PS3.10 7.1", message=f"{what} (PS3.10 7.1)")
        else:
            self.skipped += 1


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
