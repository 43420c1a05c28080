"""Words and lines that commands share."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from threading import Lock
from types import TracebackType
from typing import Any, Self

from dicoxide.bulk.runs._failure import Failure

__all__ = ["Departures", "counted", "failure_line", "nothing_on_stdout", "numbers_type", "shown"]


def counted(count: int, what: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def shown(text: str) -> str:
    """Text that any terminal can show: what is no text in a path, and controls, become escapes."""
    safe = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in safe)


def failure_line(failure: Failure) -> str:
    """One line that says what failed, and why."""
    frame = "" if failure.frame_index is None else f", frame {failure.frame_index}"
    return shown(f"{failure.path}{frame}: {failure.kind}: {failure.message}")


def numbers_type(convert: Callable[[str], Any], least: int | None = None) -> Callable[[str], Any]:
    """A type for argparse that says what is wrong."""

    def checked(text: str) -> Any:
        try:
            value = convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if least is not None and value < least:
            raise argparse.ArgumentTypeError(f"at least {least} is needed, not {text}")
        return value

    return checked


@contextmanager
def nothing_on_stdout() -> Iterator[None]:
    """Send to stderr whatever others print meanwhile, also from C and from processes that are started."""
    with redirect_stdout(sys.stderr):
        try:
            kept = os.dup(1)
            os.dup2(2, 1)
        except OSError:
            # One of them is closed: there is nothing to keep apart.
            yield
            return
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


class Departures:
    """Counts warnings, mostly of what is tolerated, in place of showing each; a context manager.

    Attributes
    ----------
    counts : dict
        How often each was met.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._lock = Lock()
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> Self:
        self._caught.__enter__()
        warnings.simplefilter("always")

        def show(message: Warning | str, *_: Any, **__: Any) -> None:
            text = " ".join(str(message).split())
            with self._lock:
                self.counts[text] = self.counts.get(text, 0) + 1

        warnings.showwarning = show
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._caught.__exit__(kind, error, traceback)
