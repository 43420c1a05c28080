"""Output formats of a run: one module with a ``Writer`` for each.

A new format is a module with a ``Writer``, an entry in ``_options.FORMATS`` and a row in docs/bulk.md. The formats of
``_options.PICTURE_FORMATS`` are one module.
"""

from __future__ import annotations

from importlib import import_module

from dicoxide.bulk.runs._formats._base import Writer, partial_folder, remove_partials
from dicoxide.bulk.runs._options import PICTURE_FORMATS, RunOptions
from dicoxide.bulk.runs._tasks import ArrayTask

__all__ = ["Writer", "begin_output", "finish_output", "open_writer", "partial_folder", "remove_partials"]


def open_writer(out: str, task: ArrayTask, options: RunOptions) -> Writer:
    """Return the writer of one task; nothing is written yet."""
    name = "pictures" if options.format in PICTURE_FORMATS else options.format
    module = import_module(f"dicoxide.bulk.runs._formats._{name}")
    writer: Writer = module.Writer(out, task, options)
    return writer


def begin_output(out: str, format_name: str) -> None:
    """Prepare the output folder, before the first series is written."""
    if format_name == "zarr":
        from dicoxide.bulk.runs._formats import _zarr

        _zarr.begin_group(out)


def finish_output(out: str, format_name: str) -> None:
    """Complete the output folder, after the last series was written."""
    if format_name == "zarr":
        from dicoxide.bulk.runs._formats import _zarr

        _zarr.finish_group(out)
