"""What a comparison of decoders has so far, on stderr: a live table on a terminal, else a line every few seconds."""

from __future__ import annotations

import sys
from statistics import geometric_mean
from types import TracebackType
from typing import Any, Self

from dicoxide._extras import is_installed
from dicoxide.bench._decoders import LEVELS, OURS
from dicoxide.bench._run import Now
from dicoxide.cli._progress import Line

__all__ = ["Board"]


class Board:
    """Shows what it is told; a context manager that leaves nothing on the screen."""

    def __init__(self) -> None:
        self._line = Line()
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

    def show(self, now: Now) -> None:
        """Show how far it is."""
        text = f"{now.doing} (at most {max(0.0, now.left_seconds):.0f} s left)"
        if self._live is None:
            self._line.say(text)
        else:
            self._live.update(_table(now, text))


def _table(now: Now, text: str) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    bar = ProgressBar(now.budget_seconds, now.budget_seconds - now.left_seconds, width=40)
    line = Text(text, no_wrap=True, overflow="ellipsis")
    if not now.ratios:
        return Group(line, bar)
    levels = [level for level in LEVELS if any(of == level for of, _ in now.ratios)]
    table = Table(title=f"times as long as {OURS}, so far", title_justify="left", box=None, pad_edge=False)
    table.add_column("decoder", no_wrap=True)
    for level in levels:
        table.add_column(level, justify="right", no_wrap=True)
    for peer in dict.fromkeys(peer for _, peer in now.ratios):
        table.add_row(Text(peer), *(_cell(now.ratios.get((level, peer))) for level in levels))
    return Group(table, line, bar)


def _cell(ratios: list[float] | None) -> Any:
    from rich.text import Text

    if not ratios:
        return Text("")
    mean = geometric_mean(ratios)
    # Bold where another is faster: colours alone tell not everybody.
    return Text(f"{mean:.2f} × of {len(ratios)}", style="bold" if mean < 1 else "")
