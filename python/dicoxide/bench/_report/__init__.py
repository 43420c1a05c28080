"""HTML report of a comparison: a single file that needs no network and runs no script."""

from __future__ import annotations

from typing import Any

from dicoxide._extras import require

__all__ = ["require_report_packages", "write_html"]


def require_report_packages() -> None:
    """Raise a MissingExtraError if a package that the report needs is not installed."""
    require("jinja2", "altair", "vl-convert-python", feature="--html")


def write_html(document: dict[str, Any], path: str) -> None:
    """Write the report of a document of schema ``dicoxide-bench/1`` to `path`.

    Raises
    ------
    MissingExtraError
        If Jinja2, Altair or vl-convert is not installed.
    """
    require_report_packages()
    from dicoxide.bench._report._page import render

    text = render(document)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
