"""Errors and notes, worded as the compiled core words them."""

from __future__ import annotations

from typing import NamedTuple

from dicoxide.errors import CorruptFrameError, DecodeError, LimitError, TruncatedFrameError, UnsupportedError

ERROR_KINDS = [
    "Truncated",
    "Malformed",
    "Mismatch",
    "Unsupported",
    "LimitExceeded",
    "Output",
    "Interrupted",
    "Io",
    "NoImage",
]

_CLASSES: dict[str, type[DecodeError]] = {
    "Truncated": TruncatedFrameError,
    "Malformed": CorruptFrameError,
    "Mismatch": CorruptFrameError,
    "Unsupported": UnsupportedError,
    "LimitExceeded": LimitError,
}


def fault(kind: str, what: str, clause: str = "", offset: int | None = None) -> ValueError:
    """The exception that stands for ``kind``; the caller's own faults are a plain ``ValueError``."""
    text = what
    if offset is not None:
        text += f" at byte {offset}"
    if clause:
        text += f" ({clause})"
    if kind == "Output":
        return ValueError(text)
    return _CLASSES[kind](text, kind=kind, clause=clause, offset=offset)


class Tolerated(NamedTuple):
    """A departure from the standard that did not keep the samples from being exact."""

    what: str
    clause: str
    offset: int | None = None


class Budget:
    """Scratch that one call may take beside its output."""

    def __init__(self, max_bytes: int | None, output_bytes: int = 0) -> None:
        self._max_bytes = max_bytes
        self._output_bytes = output_bytes
        self._reserved = 0
        self.reserve(0)

    def reserve(self, scratch_bytes: int) -> None:
        """Ask for scratch before it is allocated; what one frame has used serves the next."""
        self._reserved = max(self._reserved, scratch_bytes)
        needed = self._output_bytes + self._reserved
        if self._max_bytes is not None and needed > self._max_bytes:
            text = f"{needed} bytes of output and scratch needed, max_bytes is {self._max_bytes}"
            raise fault("LimitExceeded", text)
