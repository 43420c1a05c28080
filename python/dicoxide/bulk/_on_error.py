"""The parameter ``on_error`` of functions that decode many sources."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

__all__ = ["OnError", "check_on_error"]

OnError: TypeAlias = Literal["raise", "return", "skip"]


def check_on_error(on_error: str) -> None:
    """Raise a ValueError if `on_error` is not valid."""
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error must be 'raise', 'return' or 'skip', not {on_error!r}")
