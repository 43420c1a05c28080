"""What pydicom reads of files and bytes, and whose fault it is where it cannot."""

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

# Values above this many bytes stay in the file until they are asked for, so that a mapped view never reads them.
_DEFER_BYTES = 1 << 16


def read(src: str | os.PathLike[str] | bytes | BinaryIO) -> Dataset:
    """What pydicom reads of a path, bytes or a binary file."""
    from pydicom import dcmread

    with reading("the file"):
        if isinstance(src, (str, os.PathLike)):
            mode = os.stat(src).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                # Whoever opens a pipe waits for its other end.
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fspath(src))
            with _Reader(os.fspath(src)) as file:
                dataset = dcmread(file, force=True, defer_size=_DEFER_BYTES)
            # With which it opens the file again for what it has left there.
            dataset.fileobj_type = _Reader
            return dataset
        return dcmread(io.BytesIO(src) if isinstance(src, bytes) else src, force=True)


class _Reader(io.BufferedReader):
    """Reads no more than is there: Python allocates first what a broken length asks for."""

    def __init__(self, path: str, mode: str = "rb") -> None:
        super().__init__(io.FileIO(path, mode))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DEFER_BYTES:
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        return super().read(size)


@contextmanager
def reading(what: str, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """What pydicom raises where it reads broken bytes is their fault; what the system raises, unless `also`, is not.

    The system's have a number, pydicom's own OSError has none. pydicom converts elements when they are asked for, and
    has no class for what can go wrong then.
    """
    try:
        yield
    except (DecodeError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, also):
            raise
        raise unreadable(what, error) from error


def unreadable(what: str, error: Exception) -> CorruptFrameError:
    text = " ".join(str(error).split())
    return CorruptFrameError(f"{what} cannot be read: {text} (PS3.10 7)", clause="PS3.10 7")
