"""What lies in some sources, as the commands tell it: headers, failures, and counts of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dicoxide.bulk.runs._failure import Failure, failure_of
from dicoxide.bulk.series import FileFinder, Header, SkippedFile, UnreadableFile, read_headers

__all__ = ["Survey"]

# A file with such a name that is no DICOM file has been damaged; any other is simply something else.
_NAMED_DICOM = (".dcm", ".dicom", ".dic", ".ima")


class Survey:
    """Headers and failures of `sources`, in their order and in bounded memory.

    Attributes
    ----------
    found : int
        DICOM files.
    skipped : int
        Files that were found on the way and are no DICOM files.
    dicomdirs : int
        Directories of media (PS3.10 8), which hold no images.
    """

    def __init__(self, sources: Iterable[str], *, exclude: str | None = None, threads: int | None = None) -> None:
        self._finder = FileFinder(sources, exclude=exclude)
        self._threads = threads
        self.found = 0
        self.skipped = 0
        self.dicomdirs = 0

    @property
    def duplicates(self) -> int:
        """Files that were there before, under this or another name."""
        return self._finder.duplicates

    @property
    def counts(self) -> dict[str, int]:
        """What was found, by name."""
        names = ("found", "skipped", "dicomdirs", "duplicates")
        return {name: getattr(self, name) for name in names}

    def __iter__(self) -> Iterator[Header | Failure]:
        for one in read_headers(self._finder, self._threads):
            if isinstance(one, Header):
                self.found += 1
                yield one
            elif isinstance(one, UnreadableFile):
                self.found += not isinstance(one.error, OSError)
                yield failure_of(one.error, one.path)
            elif (failure := self._other(one)) is not None:
                yield failure

    def _other(self, one: SkippedFile) -> Failure | None:
        if one.reason == "DICOMDIR":
            self.dicomdirs += 1
            return None
        if one.reason == "not DICOM":
            if not (one.is_named or one.path.lower().endswith(_NAMED_DICOM)):
                self.skipped += 1
                return None
            what = "no DICOM file" if one.error is None else " ".join(str(one.error).split())
            return Failure(one.path, kind="NotDicom", clause="PS3.10 7.1", message=f"{what} (PS3.10 7.1)")
        assert one.error is not None
        self.found += one.reason == "no image"
        return failure_of(one.error, one.path)
