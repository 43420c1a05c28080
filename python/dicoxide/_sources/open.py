"""Opens sources: chooses between the extension, which reads files and bytes, and pydicom."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dicoxide._arguments import Array, owned_bytes
from dicoxide._backend import backend, core
from dicoxide._deviations import Deviation
from dicoxide._sources.attributes import Attributes
from dicoxide._sources.base import Readable, Source
from dicoxide._sources.file_object import SeekableFile, read_to_end, seekable_file
from dicoxide._sources.not_dicom import not_dicom_error
from dicoxide.errors import CorruptFrameError, DecodeError

if TYPE_CHECKING:
    from dicoxide._sources.dataset import DatasetSource

__all__ = ["open_and_decode", "open_many", "open_source", "read_incomplete"]


def open_source(src: Readable, max_bytes: int | None = None) -> Source:
    """Read the header of `src`.

    Parameters
    ----------
    src : path, bytes-like, binary file or pydicom Dataset
        The object. A binary file extends from its current position to its end. Of a seekable one, only the header is
        read now; it must stay open as long as the source is used.
    max_bytes : int, optional
        Maximum size of an inflated data set.

    Raises
    ------
    CorruptFrameError
        If `src` is not a DICOM file (kind ``"NotDicom"``), or an attribute that decoding needs is missing or not a
        number.
    LimitError
        If a deflated data set inflates to more than `max_bytes`.
    OSError
        If the file cannot be read.
    TypeError
        If `src` has another type.
    """
    is_path = isinstance(src, (str, os.PathLike))
    if not is_path and type(src) is not bytes:
        # Duck typing, because pydicom should be imported only if it is needed.
        if hasattr(src, "file_meta") or hasattr(src, "get_item"):
            return _dataset_source(src)
        src = _file_or_bytes(src)  # type: ignore[assignment]
    try:
        return _open(src, max_bytes)  # type: ignore[arg-type]
    except CorruptFrameError as error:
        if not_dicom := not_dicom_error(error, src):
            raise not_dicom from error
        raise


def open_and_decode(src: Readable, *, rescale: bool, raw: bool, reduce: int) -> Source | tuple[Array, list[Deviation]]:
    """Read the header of `src`; if it is a small image, decode it in the same call of the extension.

    Parameters
    ----------
    src : path, bytes-like, binary file or pydicom Dataset
        As for :func:`open_source`, whose exceptions are raised.
    rescale, raw, reduce
        As for :func:`dicoxide.decode`.

    Returns
    -------
    Source or tuple of (ndarray, list of Deviation)
        The samples and all deviations; or the source, for example of several frames, of a frame with an error, or
        of one that only other decoders support.
    """
    if backend != "rust" or not (type(src) in (str, bytes) or isinstance(src, os.PathLike)):
        return open_source(src)
    try:
        opened = core.open_and_decode(src, rescale, not raw, reduce)  # type: ignore[arg-type]
    except CorruptFrameError as error:
        if not_dicom := not_dicom_error(error, src):
            raise not_dicom from error
        raise
    if isinstance(opened, tuple):
        return opened
    from dicoxide._sources.file import FileSource

    return FileSource(src, opened=opened)  # type: ignore[arg-type]


def _open(src: str | os.PathLike[str] | bytes | SeekableFile, max_bytes: int | None) -> Source:
    if backend == "rust":
        from dicoxide._sources.file import FileSource

        return FileSource(src, max_bytes)
    from dicoxide._sources.pydicom_reader import read

    return _dataset_source(read(src.read_all() if isinstance(src, SeekableFile) else src))


def open_many(paths: Sequence[str], threads: int) -> list[Source | Exception]:
    """Read the headers of files on at most `threads` threads.

    Returns
    -------
    list of Source or Exception
        For each path the source, or the exception that :func:`open_source` would raise.
    """
    if backend == "rust":
        from dicoxide._sources.file import FileSource

        return [
            (not_dicom_error(opened, path) or opened)
            if isinstance(opened, Exception)
            else FileSource(path, opened=opened)
            for path, opened in zip(paths, core.open_many(paths, threads), strict=True)
        ]
    return [_source_or_error(path) for path in paths]


def read_incomplete(path: str) -> tuple[Attributes | None, bool]:
    """Read what there is of a file that is damaged or has no pixel data.

    Returns
    -------
    attributes : Attributes or None
        Those before the first element that cannot be separated from the next; None if there are none.
    is_complete : bool
        True if the file ends after its last element.
    """
    try:
        if backend == "rust":
            from dicoxide._sources.file import attributes_of

            elements, is_complete = core.read_elements(path)
            return attributes_of(elements), is_complete
        from dicoxide._sources.dataset_elements import attributes_of as attributes_of_dataset
        from dicoxide._sources.pydicom_reader import read

        return attributes_of_dataset(read(path)), True
    except (DecodeError, OSError):
        return None, False


def _source_or_error(path: str) -> Source | Exception:
    try:
        return open_source(path)
    except Exception as error:
        return error


def _dataset_source(dataset: Any) -> DatasetSource:
    from dicoxide._sources.dataset import dataset_source

    return dataset_source(dataset)


def _file_or_bytes(src: Any) -> bytes | SeekableFile:
    """Return a seekable file; read another file to its end; copy a buffer, because it is mutable."""
    if isinstance(src, SeekableFile):
        return src
    if hasattr(src, "read"):
        file = seekable_file(src)
        return read_to_end(src) if file is None else file
    try:
        return owned_bytes(src)
    except TypeError:
        raise TypeError(
            f"src must be a path, bytes, a binary file or a pydicom Dataset, not {type(src).__name__}"
        ) from None
