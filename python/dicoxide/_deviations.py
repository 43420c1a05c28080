"""Departures from the standard that are tolerated: one warning each, or an error."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import TypeAlias

from dicoxide.errors import CorruptFrameError, NonConformantWarning

# Frame index or None, one line, clause, byte offset or None.
Note: TypeAlias = tuple[int | None, str, str, int | None]

_PACKAGE = os.path.dirname(__file__)


def _line(note: Note) -> str:
    index, text, clause, offset = note
    where = "" if index is None else f"frame {index}: "
    at = "" if offset is None else f" at byte {offset}"
    return f"{where}{text}{at} ({clause})"


def warn(notes: Sequence[Note]) -> None:
    """One warning a departure, at the line outside of this package that asked for the frames."""
    for note in notes:
        warnings.warn(_line(note), NonConformantWarning, stacklevel=stack_level())


def stack_level() -> int:
    """The `stacklevel` for the function that asks, of the line outside of this package that led there."""
    level, caller = 1, sys._getframe(1)
    while caller.f_back is not None and caller.f_code.co_filename.startswith((_PACKAGE, "<frozen importlib")):
        level, caller = level + 1, caller.f_back
    return level


def refuse(notes: Sequence[Note], transfer_syntax: str) -> None:
    """Raise the first departure, if there is one."""
    for note in notes:
        index, _, clause, offset = note
        raise CorruptFrameError(
            _line(note), clause=clause, offset=offset, transfer_syntax=transfer_syntax, frame_index=index
        )
