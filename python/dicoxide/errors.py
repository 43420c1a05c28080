"""What can go wrong, by whose fault.

Every error that a decoder raises is a :class:`DecodeError` and carries what is known about it; the
extension builds these classes by name.
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
    """A frame could not be decoded.

    Attributes
    ----------
    kind : str
        ``"Truncated"``, ``"Malformed"``, ``"Mismatch"``, ``"Unsupported"``, ``"LimitExceeded"``, ``"NoImage"`` where
        an object is sound but has no pixel data, ``"Internal"``, or ``"Fallback"`` where another decoder of pydicom's
        failed.
    clause : str
        The rule that was broken, for example ``"PS3.5 Annex G.3.2"``; may be empty.
    offset : int or None
        Bytes from the start of the frame (of the Pixel Data value where frames could not be told apart).
    transfer_syntax : str or None
        UID of the transfer syntax.
    frame_index : int or None
        Index of the frame in the object.
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
    """The bytes break a rule of their format, or contradict the data set."""


class TruncatedFrameError(CorruptFrameError):
    """The bytes end before the image does."""

    _KIND = "Truncated"


class UnsupportedError(DecodeError, NotImplementedError):
    """Valid, but not decoded here. The only error after which another decoder is asked."""

    _KIND = "Unsupported"


class LimitError(DecodeError, MemoryError):
    """The result, or what it takes to make it, is larger than allowed."""

    _KIND = "LimitExceeded"


class InternalError(DecodeError):
    """A bug in dicoxide: please report it."""

    _KIND = "Internal"


class NonConformantWarning(UserWarning):
    """The samples are exact, but the bytes were not as the standard wants them."""
