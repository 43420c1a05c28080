"""Creates exceptions with the messages of the core, so that tests can compare both backends."""

from __future__ import annotations

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


def make_error(kind: str, message: str, clause: str = "", offset: int | None = None) -> ValueError:
    """Return the exception for an error kind of the core; ``"Output"``, an error of the caller, is a `ValueError`."""
    text = message
    if offset is not None:
        text += f" at byte {offset}"
    if clause:
        text += f" ({clause})"
    if kind == "Output":
        return ValueError(text)
    return _CLASSES[kind](text, kind=kind, clause=clause, offset=offset)
