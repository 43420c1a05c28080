"""Base class of the writers: a series appears in the output folder by one rename, when it is complete.

It is written to a folder of its own below ``.partial``, which is on the same file system. ``.partial`` has no Zarr
metadata, so readers of a Zarr group ignore it.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Sequence
from typing import Any

from dicoxide._arguments import Array
from dicoxide.bulk.runs._bids import acquisition_of, bids_metadata
from dicoxide.bulk.runs._options import RunOptions
from dicoxide.bulk.runs._series_metadata import series_attributes, series_metadata
from dicoxide.bulk.runs._tasks import ArrayTask
from dicoxide.bulk.series import Acquisition

__all__ = ["BLOCK_BYTES", "Writer", "partial_folder", "remove_partials", "write_json"]

# Approximate size of a block, which is prepared and written at once.
BLOCK_BYTES = 4 << 20
# Attempts to replace an existing output folder, which another Dask worker may write at the same time.
_MAX_RENAMES = 3


def partial_folder(out: str) -> str:
    """Return the folder of incomplete series."""
    return os.path.join(out, ".partial")


def remove_partials(out: str) -> None:
    """Remove incomplete series of runs that were killed."""
    shutil.rmtree(partial_folder(out), ignore_errors=True)


class Writer:
    """Writes one series; subclasses implement `open`, `prepare`, `append`, `truncate` and `close`.

    Attributes
    ----------
    task : ArrayTask
        The task, with all slices.
    dtype : dtype
        Type of the output array.
    slice_bytes : int
        Size of a slice in the output array.
    block_slices : int
        Preferred number of slices in a block; a block holds slices of one repetition.
    folder : str
        The folder to write to until the series is complete.
    """

    def __init__(self, out: str, task: ArrayTask, options: RunOptions) -> None:
        self.task = task
        self.options = options
        self.dtype = options.output_dtype(task)
        self.slice_bytes = max(1, self.dtype.itemsize * math.prod(task.slice_shape))
        self.block_slices = max(1, min(task.plan.depth, BLOCK_BYTES // self.slice_bytes))
        # Path of the file whose attributes are cached, and the attributes.
        self._attributes: tuple[str, dict[str, Any]] = ("", {})
        # Task whose acquisition is cached, and the acquisition.
        self._acquisition: tuple[ArrayTask | None, Acquisition] = (None, Acquisition({}))
        self._out = out
        self.folder = os.path.join(partial_folder(out), f"{task.name}-{os.urandom(6).hex()}")

    def open(self) -> None:
        """Create the files; called once, before the first `append`."""
        os.makedirs(self.folder)

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> Any:
        """Convert a block into the form that `append` writes. Called on several threads, also before `open`.

        Parameters
        ----------
        block : sequence of ndarray
            Slices (rows, columns[, samples]), of types that `dtype` can hold.
        indices : sequence of int
            Ascending indices of the slices in the task; there are gaps where slices failed.
        """
        raise NotImplementedError

    def append(self, prepared: Any, slice_count: int) -> None:
        """Write a prepared block of `slice_count` slices."""
        raise NotImplementedError

    def truncate(self, slice_count: int) -> None:
        """Remove all slices after the first `slice_count`. The remaining ones form complete repetitions."""
        raise NotImplementedError

    def close(self, retained: ArrayTask, metadata: dict[str, Any]) -> list[str]:
        """Complete the files in `folder`, and return their names, the main file last.

        Parameters
        ----------
        retained : ArrayTask
            The task with only the slices that were written.
        metadata : dict
            Metadata of the series; may be modified.
        """
        raise NotImplementedError

    def finish(self, retained: ArrayTask, failures: list[dict[str, Any]]) -> list[str]:
        """Complete the series and move it to the output folder; return the names there."""
        names = self.close(retained, self.metadata(retained, failures))
        for name in names:
            self._publish(name)
        shutil.rmtree(self.folder, ignore_errors=True)
        return names

    def abort(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def metadata(self, task: ArrayTask, failures: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the metadata of the series with the slices of `task`."""
        path = task.plan.first_slice.path
        if self._attributes[0] != path:
            self._attributes = path, series_attributes(path)
        bids = bids_metadata(task, self.acquisition(task))
        return bids | series_metadata(task, self.options, self._attributes[1], failures)

    def acquisition(self, task: ArrayTask) -> Acquisition:
        """Return the parameters of the acquisition of the slices of `task`."""
        if self._acquisition[0] is not task:
            self._acquisition = task, acquisition_of(task)
        return self._acquisition[1]

    def _publish(self, name: str) -> None:
        partial, final = os.path.join(self.folder, name), os.path.join(self._out, name)
        if not os.path.isdir(partial):
            os.replace(partial, final)
            return
        # A rename cannot replace a folder that is not empty, so an existing one is moved away first.
        for attempt in range(_MAX_RENAMES):
            try:
                os.rename(partial, final)
            except OSError:
                if attempt == _MAX_RENAMES - 1 or not os.path.lexists(final):
                    raise
                os.rename(final, os.path.join(self.folder, f"old-{os.urandom(4).hex()}"))
            else:
                return


def write_json(path: str, metadata: dict[str, Any]) -> None:
    """Write metadata as indented JSON."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(metadata, file, indent=1)
        file.write("\n")
