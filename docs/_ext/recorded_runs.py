"""The newest recorded run of `dicoxide bench` in benches/runs, of which the site shows the summary and the reports."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import NamedTuple


class RecordedRun(NamedTuple):
    """A folder of benches/runs."""

    folder: Path

    def copy_reports(self, target: Path) -> None:
        """Copy the reports, which are single HTML files, to `target`/benchmark, and remove those of another run."""
        shutil.rmtree(target, ignore_errors=True)
        reports = target / "benchmark"
        reports.mkdir(parents=True)
        for path in sorted(self.folder.iterdir()):
            if path.suffix in (".html", ".csv", ".txt"):
                shutil.copyfile(path, reports / path.name)

    def write_summary(self, target: Path) -> None:
        """Write README.md of the run, with headings one level lower, and links to the copied reports."""
        text = (self.folder / "README.md").read_text(encoding="utf-8")
        text = re.sub(r"^#", "##", text, flags=re.MULTILINE)
        text = re.sub(r"\[([^]]+)\]\(([\w.-]+)\)", r'<a href="../benchmark/\2">\1</a>', text)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def newest_run(root: Path) -> RecordedRun:
    """Return the newest run below the folder of the repository; names of runs start with their date."""
    return RecordedRun(sorted((root / "benches" / "runs").glob("[0-9]*"))[-1])
