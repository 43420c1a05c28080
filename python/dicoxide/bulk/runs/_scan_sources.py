"""Scan of sources: headers of DICOM images, failures, and counts of the other files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dicoxide.bulk.runs._failure import Failure, failure_from_error
from dicoxide.bulk.series import FileFinder, Header, SkippedFile, UnreadableFile, has_dicom_suffix, read_headers

__all__ = ["SourceScan"]


class SourceScan:
    """Iterates over headers and failures of `sources`, in their order and in bounded memory.

    Slices have the values of the attributes `split_by` as their `labels`.

    Attributes
    ----------
    found : int
        Number of DICOM files.
    skipped : int
        Number of files in folders that are not DICOM files.
    dicomdirs : int
        Number of DICOMDIR files (PS3.10 8), which hold no images.
    unreadable : list of UnreadableFile
        Files and folders that cannot be read; each is also one of the failures.
    """

    def __init__(
        self,
        sources: Iterable[str],
        *,
        exclude: str | None = None,
        threads: int | None = None,
        split_by: tuple[str, ...] = (),
    ) -> None:
        self._finder = FileFinder(sources, exclude=exclude)
        self._threads = threads
        self._split_by = split_by
        self.found = 0
        self.skipped = 0
        self.dicomdirs = 0
        self.unreadable: list[UnreadableFile] = []

    @property
    def duplicates(self) -> int:
        """Number of files that were found before, under this or another name."""
        return self._finder.duplicates

    @property
    def counts(self) -> dict[str, int]:
        """All counts by name."""
        names = ("found", "skipped", "dicomdirs", "duplicates")
        return {name: getattr(self, name) for name in names}

    def __iter__(self) -> Iterator[Header | Failure]:
        for entry in read_headers(self._finder, self._threads, self._split_by):
            if isinstance(entry, Header):
                self.found += 1
                yield entry
            elif isinstance(entry, UnreadableFile):
                self.found += not isinstance(entry.error, OSError)
                self.unreadable.append(entry)
                yield failure_from_error(entry.error, entry.path, series=entry.series_instance_uid or None)
            elif (failure := self._count_skipped(entry)) is not None:
                yield failure

    def _count_skipped(self, file: SkippedFile) -> Failure | None:
        """Count a file that is not an image; return a failure if it was expected to be one."""
        if file.reason == "DICOMDIR":
            self.dicomdirs += 1
            return None
        if file.reason == "not DICOM":
            if not (file.is_named or has_dicom_suffix(file.path)):
                self.skipped += 1
                return None
            clause = "PS3.10 7.1"
            message = f"not a DICOM file ({clause})" if file.error is None else " ".join(str(file.error).split())
            return Failure(file.path, kind="NotDicom", clause=clause, message=message)
        # "no image" and "dangling link" always have an error.
        error = file.error or FileNotFoundError(file.reason)
        self.found += file.reason == "no image"
        return failure_from_error(error, file.path)
