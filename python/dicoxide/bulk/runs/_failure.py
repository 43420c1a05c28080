"""Failures of a run: one line of ``errors.jsonl`` each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dicoxide.errors import DecodeError

__all__ = ["Failure", "failure_from_error", "os_error_text"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure: the fields of :class:`dicoxide.DecodeError`, the path and the series.

    `kind` is a kind of `DecodeError`, or one of:

    - ``"NotDicom"``: the file is not a DICOM file;
    - ``"NoImage"``: the object has no pixel data;
    - ``"Unreadable"``: the operating system refused to read it;
    - ``"Changed"``: the file changed between scanning and decoding;
    - ``"Request"``: the options do not apply to this image;
    - ``"Duplicate"``: the file was left out as a copy of an instance, and the series has failures;
    - ``"Write"``: the output could not be written;
    - ``"Worker"``: a Dask worker failed.
    """

    path: str
    sop_instance_uid: str | None = None
    transfer_syntax: str | None = None
    kind: str = "Malformed"
    clause: str = ""
    offset: int | None = None
    frame_index: int | None = None
    message: str = ""
    series: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def failure_from_error(
    error: BaseException,
    path: str,
    *,
    sop_instance_uid: str | None = None,
    transfer_syntax: str | None = None,
    frame_index: int | None = None,
    series: str | None = None,
) -> Failure:
    """Return the failure for an exception of a source; `frame_index` takes precedence over that of the error."""
    message = " ".join(str(error).split()) or type(error).__name__
    clause, offset = "", None
    if isinstance(error, DecodeError):
        kind, clause, offset = error.kind, error.clause, error.offset
        transfer_syntax = error.transfer_syntax or transfer_syntax
        if frame_index is None:
            frame_index = error.frame_index
    elif isinstance(error, OSError):
        kind, message = "Unreadable", os_error_text(error)
    elif isinstance(error, (ValueError, TypeError, IndexError)):
        kind = "Request"
    elif isinstance(error, MemoryError):
        kind, message = "LimitExceeded", "not enough memory"
    else:
        kind, message = "Internal", f"{type(error).__name__}: {message}"
    return Failure(path, sop_instance_uid, transfer_syntax, kind, clause, offset, frame_index, message, series)


def os_error_text(error: OSError) -> str:
    """Return the text of a system error, without number and path: ``permission denied``."""
    return (error.strerror or " ".join(str(error).split())).lower()
