"""How far a run is, on stderr: a live line on a terminal, else a plain one every few seconds."""

from __future__ import annotations

import shutil
import sys
from types import TracebackType
from typing import Any, Self

from dicoxide import _clock
from dicoxide._extras import is_installed

__all__ = ["Line", "Progress", "size_text"]

_PLAIN_SECONDS = 5.0
_LIVE_SECONDS = 0.1


class Progress:
    """Counts what has been done and shows it; a context manager.

    Attributes
    ----------
    files, frames, bytes, errors : int
        Done so far; failed frames are done too.
    """

    def __init__(self, *, frames: int = 0, files: int = 0) -> None:
        self.files = self.frames = self.bytes = self.errors = 0
        self._all_frames = frames
        self._all_files = files
        self._began = _clock.seconds()
        self._live: Any = None
        if sys.stderr.isatty() and is_installed("rich"):
            self._live = _live()
        self._interval = _clock.Interval(_PLAIN_SECONDS if self._live is None else _LIVE_SECONDS)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return _clock.seconds() - self._began

    def __enter__(self) -> Self:
        if self._live is not None:
            self._task = self._live.add_task("", total=self._all_frames or None, told=self._told())
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._show()
            self._live.stop()

    def add(self, frames: int, files: int, size: int, failed: int) -> None:
        """So much more has been done."""
        self.frames += frames
        self.files += files
        self.bytes += size
        self.errors += failed
        if self._interval.passed():
            self._show()

    def say(self, line: str) -> None:
        """Print a line, above the live one."""
        if self._live is None:
            print(line, file=sys.stderr)
        else:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        if self._live is None:
            print(self._told(), file=sys.stderr, flush=True)
        else:
            self._live.update(self._task, completed=self.frames, told=self._told())

    def _told(self) -> str:
        seconds = max(self.seconds, 1e-6)
        if not self._all_frames:
            return f"{self.files} files read"
        left = ""
        if self._live is None and 0 < self.frames < self._all_frames:
            left = f", {seconds / self.frames * (self._all_frames - self.frames):.0f} s left"
        return (
            f"{self.files}/{self._all_files} files, {self.frames}/{self._all_frames} frames, "
            f"{self.bytes / 1e6 / seconds:.0f} MB/s, {self.errors} errors{left}"
        )


class Line:
    """What is being done now, on stderr: one line that changes on a terminal, else one every few seconds."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._interval = _clock.Interval(_LIVE_SECONDS if self._is_live else _PLAIN_SECONDS)
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Show `text`, if it is time for it."""
        if not self._interval.passed():
            return
        if not self._is_live:
            print(text, file=sys.stderr, flush=True)
            return
        text = text[: max(20, shutil.get_terminal_size().columns - 1)]
        print("\r" + text.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(text)


def _live() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Live

    columns = (BarColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn(compact=True))
    return Live(*columns, console=Console(stderr=True), transient=True)


def size_text(count: int) -> str:
    """So many bytes, for people."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
