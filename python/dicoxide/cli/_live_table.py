"""Progress of a benchmark run on stderr: a live table on a terminal, otherwise one line every few seconds."""

from __future__ import annotations

import sys
from statistics import geometric_mean
from types import TracebackType
from typing import Any, Self

from dicoxide._extras import is_installed
from dicoxide._text_format import format_ratio
from dicoxide.bench import DICOXIDE, LEVELS, BenchProgress
from dicoxide.cli._progress import StatusLine

__all__ = ["LiveTable"]


class LiveTable:
    """Shows the ratios measured so far; a context manager that clears its output at the end."""

    def __init__(self) -> None:
        self._line = StatusLine()
        self._live: Any = None
        if sys.stderr.isatty() and is_installed("rich"):
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), transient=True, refresh_per_second=5)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        else:
            self._line.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        else:
            self._line.__exit__(kind, error, traceback)

    def show(self, progress: BenchProgress) -> None:
        """Show the progress of the run."""
        text = f"{progress.activity} (at most {max(0.0, progress.remaining_seconds):.0f} s left)"
        if self._live is None:
            self._line.update(text)
        else:
            self._live.update(_table(progress, text))


def _table(progress: BenchProgress, text: str) -> Any:
    """Return a table of geometric means by decoder and level, above the progress bar."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    bar = ProgressBar(progress.budget_seconds, progress.budget_seconds - progress.remaining_seconds, width=40)
    line = Text(text, no_wrap=True, overflow="ellipsis")
    if not progress.ratios:
        return Group(line, bar)
    measured_levels = {level for level, _ in progress.ratios}
    levels = [level for level in LEVELS if level in measured_levels]
    # Not the title of the table, which would be wrapped to its width.
    title = Text(f"run time relative to {DICOXIDE} so far", style="italic")
    table = Table(box=None, pad_edge=False)
    table.add_column("decoder", no_wrap=True)
    for level in levels:
        table.add_column(level, justify="right", no_wrap=True)
    for decoder in dict.fromkeys(decoder for _, decoder in progress.ratios):
        table.add_row(Text(decoder), *(_cell(progress.ratios.get((level, decoder))) for level in levels))
    return Group(title, table, line, bar)


def _cell(ratios: list[float] | None) -> Any:
    from rich.text import Text

    if not ratios:
        return Text("")
    mean = geometric_mean(ratios)
    # Bold, because colour alone is not accessible.
    return Text(f"{format_ratio(mean)} of {len(ratios)}", style="bold" if mean < 1 else "")
