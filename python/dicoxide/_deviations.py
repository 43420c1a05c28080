"""Deviations: recoverable violations of the DICOM standard.

Each is reported as one :class:`~dicoxide.NonConformantWarning`, or raised as an error with ``strict=True``.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable
from typing import NamedTuple

from dicoxide.errors import CorruptFrameError, NonConformantWarning

_PACKAGE = os.path.dirname(__file__)


# The core makes them by position: keep the order of the fields equal to `FrameDeviation` in rust/py/src/frame_args.rs.
class Deviation(NamedTuple):
    """A recoverable violation of the standard; the samples are exact nevertheless."""

    frame_index: int | None
    """Zero-based index of the frame, or None if the deviation concerns the whole value."""
    message: str
    """The value found and the value expected, in one line."""
    clause: str
    """Clause of the standard that is violated, for example ``"PS3.5 8.1.1"``."""
    offset: int | None
    """Byte offset in the frame, or in the Pixel Data value if `frame_index` is None."""

    def __str__(self) -> str:
        frame = "" if self.frame_index is None else f"frame {self.frame_index}: "
        offset = "" if self.offset is None else f" at byte {self.offset}"
        return f"{frame}{self.message}{offset} ({self.clause})"


def warn(deviations: Iterable[Deviation]) -> None:
    """Issue one warning per deviation, attributed to the line outside of this package that called into it."""
    for deviation in deviations:
        warnings.warn(str(deviation), NonConformantWarning, stacklevel=stack_level())


def raise_first(deviations: Iterable[Deviation], transfer_syntax: str) -> None:
    """Raise the first deviation as `CorruptFrameError`; return if there is none."""
    for deviation in deviations:
        raise CorruptFrameError(
            str(deviation),
            clause=deviation.clause,
            offset=deviation.offset,
            transfer_syntax=transfer_syntax,
            frame_index=deviation.frame_index,
        )


def stack_level() -> int:
    """Return the `stacklevel` with which a warning of the caller is attributed to code outside of this package."""
    level, caller = 1, sys._getframe(1)
    while caller.f_back is not None and caller.f_code.co_filename.startswith((_PACKAGE, "<frozen importlib")):
        level, caller = level + 1, caller.f_back
    return level
