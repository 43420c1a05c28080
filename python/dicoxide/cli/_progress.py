"""Progress on stderr: a live line on a terminal, otherwise a plain line every few seconds."""

from __future__ import annotations

import shutil
import sys
from types import TracebackType
from typing import Any, Self

from dicoxide import _clock
from dicoxide._extras import is_installed
from dicoxide._text_format import format_count, format_rate

__all__ = ["Progress", "StatusLine"]

_PLAIN_SECONDS = 5.0
_LIVE_SECONDS = 0.1
_MIN_COLUMNS = 20


class Progress:
    """Counts what has been done and shows it; a context manager.

    Parameters
    ----------
    frames, files : int
        Expected totals; 0 if unknown.
    unit : str
        Name of what is counted as frames.

    Attributes
    ----------
    files, frames, bytes, errors : int
        Done so far; `frames` includes failed ones, and `errors` counts these.
    """

    def __init__(self, *, frames: int = 0, files: int = 0, unit: str = "frames") -> None:
        self.files = self.frames = self.bytes = self.errors = 0
        self._total_frames = frames
        self._total_files = files
        self._unit = unit
        self._start = _clock.seconds()
        self._live: Any = None
        if sys.stderr.isatty() and is_installed("rich"):
            self._live = _live_progress()
        self._interval = _clock.Interval(_PLAIN_SECONDS if self._live is None else _LIVE_SECONDS)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._task = self._live.add_task("", total=self._total_frames or None, status=self._status())
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._show()
            self._live.stop()

    def add(self, frames: int, files: int, size: int, failed: int) -> None:
        """Count frames, files, bytes and failed frames, and show the result if it is due."""
        self.frames += frames
        self.files += files
        self.bytes += size
        self.errors += failed
        if self._interval.passed():
            self._show()

    def print_line(self, line: str) -> None:
        """Print a line that stays, above the live one."""
        if self._live is None:
            print(line, file=sys.stderr)
        else:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        if self._live is None:
            print(self._status(), file=sys.stderr, flush=True)
        else:
            self._live.update(self._task, completed=self.frames, status=self._status())

    def _status(self) -> str:
        seconds = max(_clock.seconds() - self._start, 1e-6)
        if not self._total_frames:
            return f"{format_count(self.files, 'file')} read"
        remaining = ""
        # The live line has a column for it.
        if self._live is None and 0 < self.frames < self._total_frames:
            remaining = f", {seconds / self.frames * (self._total_frames - self.frames):.0f} s left"
        parts = [f"{self.frames}/{self._total_frames} {self._unit}"]
        if self._total_files:
            parts = [f"{self.files}/{self._total_files} files", *parts, format_rate(self.bytes / seconds)]
        return f"{', '.join(parts)}, {format_count(self.errors, 'error')}{remaining}"


class StatusLine:
    """Shows the current activity: one line that is overwritten on a terminal, otherwise a line every few seconds."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._interval = _clock.Interval(_LIVE_SECONDS if self._is_live else _PLAIN_SECONDS)
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)

    def update(self, text: str) -> None:
        """Show `text`, if the last update is long enough ago."""
        if not self._interval.passed():
            return
        if not self._is_live:
            print(text, file=sys.stderr, flush=True)
            return
        text = text[: max(_MIN_COLUMNS, shutil.get_terminal_size().columns - 1)]
        print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(text)


def _live_progress() -> Any:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(),
        progress.TextColumn("{task.fields[status]}"),
        progress.TimeRemainingColumn(compact=True),
    )
    return progress.Progress(*columns, console=Console(stderr=True), transient=True)
