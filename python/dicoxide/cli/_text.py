"""Printing and argument parsing that several commands use."""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from threading import Lock
from types import TracebackType
from typing import Any, Self

from dicoxide._text_format import format_count
from dicoxide.bulk.runs import Failure

__all__ = [
    "EXIT_CODES",
    "WINDOW_HELP",
    "WarningCounter",
    "argument_type",
    "failure_line",
    "finding_lines",
    "print_warnings",
    "printable",
    "stdout_to_stderr",
    "window_argument",
]

# Findings and names of arrays that are printed.
_MAX_FINDINGS = 40
_MAX_NAMES = 3
# Findings about frames that are in no array, or are missing.
_INCOMPLETE = frozenset({"unreadable_file", "duplicate", "duplicate_position", "gap", "incomplete_axis"})

WINDOW_HELP = (
    "CENTER,WIDTH in modality units, index or explanation of a window of the image, first, full, range, or "
    "LOW%%,HIGH%% (default: first)"
)
EXIT_CODES = "Exit codes: 0 success, 1 some inputs failed, 2 usage error, 130 interrupted."


def printable(text: str) -> str:
    """Return `text` for a terminal: control characters, and bytes of a path that are not text, become escapes."""
    valid = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in valid)


def failure_line(failure: Failure) -> str:
    """Return a failure in one line: ``path, frame 3: Truncated: message``."""
    frame = "" if failure.frame_index is None else f", frame {failure.frame_index}"
    return printable(f"{failure.path}{frame}: {failure.kind}: {failure.message}")


def finding_lines(findings_by_series: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Format findings, one line each: ``NAME: kind: message``. A finding of several arrays has one line.

    Findings about missing frames come first. The JSON of each array has those that are not shown.
    """
    names: dict[tuple[str, str], list[str]] = {}
    for name, findings in findings_by_series.items():
        for finding in findings:
            names.setdefault((finding["kind"], finding["message"]), []).append(name)
    ordered = sorted(names.items(), key=lambda item: item[0][0] not in _INCOMPLETE)
    for (kind, message), members in ordered[:_MAX_FINDINGS]:
        shown = ", ".join(members[:_MAX_NAMES])
        more = f" and {len(members) - _MAX_NAMES} more" if len(members) > _MAX_NAMES else ""
        yield printable(f"{shown}{more}: {kind}: {message}")
    if len(ordered) > _MAX_FINDINGS:
        yield f"… {format_count(len(ordered) - _MAX_FINDINGS, 'more finding')}; --json has all"


def argument_type(
    convert: Callable[[str], Any], minimum: int | None = None, maximum: int | None = None
) -> Callable[[str], Any]:
    """Return a type for argparse whose errors have the message of the ValueError, or the minimum or maximum."""

    def checked(text: str) -> Any:
        try:
            value = convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if minimum is not None and value < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}, not {text}")
        if maximum is not None and value > maximum:
            raise argparse.ArgumentTypeError(f"must be at most {maximum}, not {text}")
        return value

    return checked


_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_WINDOW = re.compile(f"{_NUMBER},{_NUMBER}")
_PERCENTILES = re.compile(f"{_NUMBER}%,{_NUMBER}%")


def window_argument(text: str) -> Any:
    """Return the argument `window` of :func:`dicoxide.render` for the text of an option.

    ``40,400`` is center and width, ``1%,99%`` are percentiles, ``1`` is an index, and everything else is passed as it
    is: ``first``, ``full``, ``range``, or the explanation of a window.
    """
    if match := _WINDOW.fullmatch(text):
        return float(match[1]), float(match[2])
    if match := _PERCENTILES.fullmatch(text):
        low, high = float(match[1]), float(match[2])
        if not 0 <= low < high <= 100:
            raise argparse.ArgumentTypeError(f"percentiles must be ascending and from 0 to 100, not {text!r}")
        return "percentile", low, high
    return int(text) if text.strip().isdecimal() and text.isascii() and len(text) < 10 else text


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Redirect stdout to stderr within the block, also for C libraries and child processes."""
    with redirect_stdout(sys.stderr):
        try:
            original = os.dup(1)
            os.dup2(2, 1)
        except OSError:
            # stdout or stderr is closed: there is nothing to separate.
            yield
            return
        try:
            yield
        finally:
            os.dup2(original, 1)
            os.close(original)


class WarningCounter:
    """Counts warnings, mostly about deviations from the standard, instead of showing each; a context manager.

    Attributes
    ----------
    counts : dict of str to int
        Number of warnings with each text.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._lock = Lock()
        self._catcher = warnings.catch_warnings()

    def __enter__(self) -> Self:
        self._catcher.__enter__()
        warnings.simplefilter("always")

        def count(message: Warning | str, *_: Any, **__: Any) -> None:
            text = " ".join(str(message).split())
            with self._lock:
                self.counts[text] = self.counts.get(text, 0) + 1

        warnings.showwarning = count
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._catcher.__exit__(kind, error, traceback)


def print_warnings(counts: Mapping[str, int]) -> None:
    """Print the warnings of a `WarningCounter` to stderr, one line for each text."""
    for text, count in counts.items():
        times = "" if count == 1 else f" ({format_count(count, 'time')})"
        print(f"warning: {printable(text)}{times}", file=sys.stderr)
