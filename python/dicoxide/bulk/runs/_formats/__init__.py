"""The formats that a bulk run writes: a module each, with a ``Writer``."""

from __future__ import annotations

from importlib import import_module

from dicoxide.bulk.runs._formats._base import Writer, empty_partials, partial_folder
from dicoxide.bulk.runs._options import Options
from dicoxide.bulk.runs._tasks import Job

__all__ = ["Writer", "empty_partials", "open_writer", "partial_folder"]


def open_writer(out: str, job: Job, options: Options) -> Writer:
    """The writer of one job, nothing written yet."""
    module = import_module(f"dicoxide.bulk.runs._formats._{options.format}")
    writer: Writer = module.Writer(out, job, options)
    return writer
