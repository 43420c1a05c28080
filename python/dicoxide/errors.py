"""Exception classes, one per party at fault, and the warning for recoverable deviations.

Every error about pixel data is a :class:`DecodeError` whose attributes hold what is known about it. The extension
creates these classes by name.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CorruptFrameError",
    "DecodeError",
    "InternalError",
    "LimitError",
    "NonConformantWarning",
    "TruncatedFrameError",
    "UnsupportedError",
]


class DecodeError(ValueError):
    """Pixel data could not be decoded.

    Attributes
    ----------
    kind : str
        ``"Truncated"``, ``"Malformed"``, ``"Mismatch"``, ``"Unsupported"``, ``"LimitExceeded"``, ``"Internal"``,
        ``"NotDicom"`` (the file has another format), ``"NoImage"`` (a valid object without pixel data), or
        ``"Fallback"`` (a decoder of another package failed).
    clause : str
        Clause of the standard that the data violate, for example ``"PS3.5 Annex G.3.2"``; may be empty.
    offset : int or None
        Byte offset from the start of the frame; from the start of the Pixel Data value if the frames could not be
        found.
    transfer_syntax : str or None
        UID of the transfer syntax.
    frame_index : int or None
        Zero-based index of the frame in the object.
    """

    _KIND = "Malformed"

    def __init__(
        self,
        message: str = "",
        *,
        kind: str | None = None,
        clause: str = "",
        offset: int | None = None,
        transfer_syntax: str | None = None,
        frame_index: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = self._KIND if kind is None else kind
        self.clause = clause
        self.offset = offset
        self.transfer_syntax = transfer_syntax
        self.frame_index = frame_index

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, self.__dict__


class CorruptFrameError(DecodeError):
    """The bytes violate their format, or contradict the data set."""


class TruncatedFrameError(CorruptFrameError):
    """The bytes end before the image is complete."""

    _KIND = "Truncated"


class UnsupportedError(DecodeError, NotImplementedError):
    """The data are valid but dicoxide does not decode them.

    This is the only error after which a decoder of another package is tried.
    """

    _KIND = "Unsupported"


class LimitError(DecodeError, MemoryError):
    """The output and the scratch memory needed for it exceed `max_bytes` or the available memory."""

    _KIND = "LimitExceeded"


class InternalError(DecodeError):
    """A bug in dicoxide. Please report it."""

    _KIND = "Internal"


class NonConformantWarning(UserWarning):
    """The data deviate from the standard; the decoded samples are exact nevertheless."""
