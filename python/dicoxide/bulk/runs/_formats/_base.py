"""What all formats share: a series appears in the output folder at once, when it is complete.

It is made in a folder of its own below ``.partial`` and renamed from there, on the same file system. That folder has no
Zarr metadata, so that no reader of the group ever finds what lies in it.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import uuid
from collections.abc import Sequence
from typing import Any

from dicoxide._arguments import Array
from dicoxide.bulk.runs._options import Options
from dicoxide.bulk.runs._series_metadata import series_attributes
from dicoxide.bulk.runs._tasks import Job

__all__ = ["Writer", "axes", "document", "empty_partials", "partial_folder", "write_json"]

# About as much as is decoded and written at once.
BLOCK_BYTES = 4 << 20


def partial_folder(out: str) -> str:
    """Where what is not complete yet lies."""
    return os.path.join(out, ".partial")


def empty_partials(out: str) -> None:
    """Remove what runs that were killed have left."""
    shutil.rmtree(partial_folder(out), ignore_errors=True)


class Writer:
    """Writes one series; subclasses implement `open`, `prepare`, `append`, `forget` and `close`.

    Attributes
    ----------
    block : int
        How many slices are best appended at once, of one repetition where there is a fourth axis.
    """

    def __init__(self, out: str, job: Job, options: Options) -> None:
        self.job = job
        self.options = options
        self.dtype = options.result_dtype(job)
        self.slice_bytes = max(1, self.dtype.itemsize * math.prod(job.slice_shape))
        self.block = max(1, min(job.plan.depth, BLOCK_BYTES // self.slice_bytes))
        self._attributes: tuple[str, dict[str, Any]] = ("", {})
        self._out = out
        self.folder = os.path.join(partial_folder(out), f"{job.name}-{uuid.uuid4().hex[:12]}")

    def open(self) -> None:
        """Begin; called once, before anything is appended."""
        os.makedirs(self.folder)

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> Any:
        """What `append` writes of a block. Several threads do so at once, also before it is open.

        Parameters
        ----------
        block : sequence of ndarray
            (rows, columns[, samples]) each, of types that `dtype` holds.
        indices : sequence of int
            Which slices of the job these are; rising, but some may be missing.
        """
        raise NotImplementedError

    def append(self, prepared: Any, count: int) -> None:
        """Write the next `count` slices."""
        raise NotImplementedError

    def forget(self, count: int) -> None:
        """Forget what was appended after the first `count` slices, which are whole repetitions."""
        raise NotImplementedError

    def close(self, kept: Job, told: dict[str, Any]) -> list[str]:
        """Complete the files in `folder`, and give their names, the one that others look for last.

        Parameters
        ----------
        kept : Job
            The job with the slices that were appended.
        told : dict
            What the output says of itself; see `document`.
        """
        raise NotImplementedError

    def finish(self, kept: Job, failures: list[dict[str, Any]]) -> list[str]:
        """Complete the series and let it appear; the names of what appeared."""
        names = self.close(kept, self.document(kept, failures))
        for name in names:
            self._publish(name)
        shutil.rmtree(self.folder, ignore_errors=True)
        return names

    def abort(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def document(self, job: Job, failures: list[dict[str, Any]]) -> dict[str, Any]:
        """What the output says of itself; see `document`."""
        path = job.slices[0].path
        if self._attributes[0] != path:
            self._attributes = path, series_attributes(path)
        return document(job, self.options, self._attributes[1], failures)

    def _publish(self, name: str) -> None:
        made, final = os.path.join(self.folder, name), os.path.join(self._out, name)
        if not os.path.isdir(made):
            os.replace(made, final)
            return
        # A folder that is there is not replaced by a rename: it goes out of the way first.
        for attempt in range(3):
            try:
                os.rename(made, final)
            except OSError:
                if attempt == 2 or not os.path.lexists(final):
                    raise
                os.rename(final, os.path.join(self.folder, f"old-{uuid.uuid4().hex[:8]}"))
            else:
                return


def document(job: Job, options: Options, attributes: dict[str, Any], failures: list[dict[str, Any]]) -> dict[str, Any]:
    """What an output says of itself, as JSON can hold it: geometry, the series, and each slice's source.

    Lists have one entry a slice, in the order of the array, the fourth axis slowest; where all slices agree on the
    transfer syntax there is one.
    """
    slices, plan = job.slices, job.plan
    syntaxes = [one.file.transfer_syntax for one in slices]
    rescales = [one.rescale for one in slices]
    orientation = slices[0].orientation
    return {
        "axes": axes(job),
        "axis": plan.axis,
        "axis_values": list(plan.axis_values),
        "axis_unit": plan.axis_unit,
        "part": [list(one) for one in plan.part],
        "affine_lps": job.affine_lps,
        "spacing": job.spacing,
        "orientation": None if orientation is None else list(orientation),
        "values": "modality" if options.is_rescaled(job) else "stored",
        "RescaleSlope": [None if one is None else one[0] for one in rescales],
        "RescaleIntercept": [None if one is None else one[1] for one in rescales],
        "attributes": attributes,
        "transfer_syntax": syntaxes[0] if len(set(syntaxes)) == 1 else syntaxes,
        "sop_instance_uids": [one.sop_instance_uid or None for one in slices],
        "positions": [one.position for one in slices],
        "frame_indices": [one.frame_index for one in slices],
        "sources": [_text(one.path) for one in slices],
        "findings": job.findings,
        "missing": failures,
    }


def axes(job: Job) -> list[str]:
    """Names of the array's axes."""
    names = ["slice", "row", "column", "sample"][: 1 + len(job.slice_shape)]
    return names if job.plan.axis is None else ["repetition", *names]


def write_json(path: str, told: dict[str, Any]) -> None:
    """Write `told` for people and programs."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(told, file, indent=1)
        file.write("\n")


def _text(path: str) -> str:
    """A path as text that is valid everywhere; bytes that are no text become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
