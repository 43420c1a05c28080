"""Reads files and bytes with pydicom, and turns pydicom's exceptions on corrupt data into `CorruptFrameError`.

Used for :meth:`dicoxide.Image.to_pydicom`, and for all sources if the extension is not available.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from dicoxide.errors import CorruptFrameError, DecodeError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Values of more bytes than this are read from the file when they are accessed. A view of a mapped file needs none.
_DEFER_BYTES = 1 << 16


def read(src: str | os.PathLike[str] | bytes | BinaryIO) -> Dataset:
    """Read a path, bytes or a binary file with pydicom.

    Raises
    ------
    CorruptFrameError
        If pydicom cannot read it.
    OSError
        If the system cannot open or read the file, or it is neither a regular file nor a directory.
    """
    from pydicom import dcmread

    with convert_errors("the file"):
        if isinstance(src, (str, os.PathLike)):
            mode = os.stat(src).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                # Opening a pipe would block until its other end is opened.
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fspath(src))
            with _BoundedReader(os.fspath(src)) as file:
                dataset = dcmread(file, force=True, defer_size=_DEFER_BYTES)
            # pydicom uses this class to open the file again for deferred values.
            dataset.fileobj_type = _BoundedReader
            _check_complete(dataset, os.stat(src).st_size)
            return dataset
        if not isinstance(src, bytes):
            return dcmread(src, force=True)
        dataset = dcmread(io.BytesIO(src), force=True)
        _check_complete(dataset, len(src))
        return dataset


def _check_complete(dataset: Dataset, file_bytes: int) -> None:
    """Raise if pydicom has stopped reading before the pixel data, without an exception.

    pydicom drops all elements if the delimiter of the last one is missing. It reads an element of an invalid VR with
    the length of implicit VR, which may be that of all following elements.
    """
    if "PixelData" in dataset:
        return
    meta = getattr(dataset, "file_meta", None)
    # Preamble, prefix and the group length element have 144 bytes.
    if not len(dataset) and meta and file_bytes > 144 + int(meta.get("FileMetaInformationGroupLength") or 0):
        raise EOFError("an element is not complete")
    raw_elements = [element for element in dataset.values() if element.is_raw]
    without_vr = [element for element in raw_elements if element.VR is None]
    if 0 < len(without_vr) < len(raw_elements):
        raise ValueError(f"element {without_vr[0].tag} has an invalid VR")


class _BoundedReader(io.BufferedReader):
    """A file whose ``read`` never requests more bytes than the file has left.

    ``BufferedReader.read(size)`` allocates `size` bytes first, and in a corrupt file an element may declare 4 GiB.
    """

    def __init__(self, path: str, mode: str = "rb") -> None:
        super().__init__(io.FileIO(path, mode))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DEFER_BYTES:
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        return super().read(size)


@contextmanager
def convert_errors(subject: str, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Convert exceptions that pydicom raises on corrupt bytes to `CorruptFrameError`.

    pydicom converts elements when they are first accessed, and raises exceptions of many classes then. All are
    converted but two groups, which pass unchanged:

    - `DecodeError` and `MemoryError`,
    - `OSError` with an ``errno``, which the system has raised (those of pydicom have none), unless its class is in
      `also`.

    Parameters
    ----------
    subject : str
        Subject of the message: "the file", "the pixel data".
    also : tuple of exception classes
        Classes of system errors to convert too.
    """
    try:
        yield
    except (DecodeError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, also):
            raise
        raise unreadable_error(subject, error) from error


def unreadable_error(subject: str, error: Exception) -> CorruptFrameError:
    """Return the `CorruptFrameError` for an exception of pydicom."""
    text = " ".join(str(error).split())
    return CorruptFrameError(f"{subject} cannot be read: {text} (PS3.10 7)", clause="PS3.10 7")
