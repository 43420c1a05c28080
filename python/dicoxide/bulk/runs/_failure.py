"""What went wrong with one source, as a line of ``errors.jsonl``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dicoxide.errors import DecodeError

__all__ = ["Failure"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure; the fields are those of :class:`dicoxide.DecodeError`, and where it happened.

    Besides the kinds of `DecodeError`, `kind` is ``"NotDicom"``, ``"NoImage"``, ``"Unreadable"`` (the system refused),
    ``"Changed"`` (while it was read), ``"Request"`` (the options do not fit this image), ``"Duplicate"`` (copies of
    a series that failed, left out), ``"Write"`` or ``"Worker"``.
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
        """The fields by name."""
        return asdict(self)


def failure_of(
    error: BaseException,
    path: str,
    *,
    kind: str | None = None,
    sop_instance_uid: str | None = None,
    transfer_syntax: str | None = None,
    frame_index: int | None = None,
    series: str | None = None,
) -> Failure:
    """What `error` says, with what else is known of the source."""
    message = " ".join(str(error).split()) or type(error).__name__
    clause, offset = "", None
    if isinstance(error, DecodeError):
        found, clause, offset = error.kind, error.clause, error.offset
        transfer_syntax = error.transfer_syntax or transfer_syntax
        frame_index = frame_index if error.frame_index is None or frame_index is not None else error.frame_index
    elif isinstance(error, OSError):
        found = "Unreadable"
        message = f"{(error.strerror or message).lower()}"
    elif isinstance(error, (ValueError, TypeError, IndexError)):
        found = "Request"
    elif isinstance(error, MemoryError):
        found, message = "LimitExceeded", "not enough memory"
    else:
        found, message = "Internal", f"{type(error).__name__}: {message}"
    if found == "NoImage":
        message = f"no image: {message}"
    return Failure(path, sop_instance_uid, transfer_syntax, kind or found, clause, offset, frame_index, message, series)
