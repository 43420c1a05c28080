"""What all formats share: a series appears in the output folder at once, when it is complete.

It is made in a folder of its own below ``.partial`` and renamed from there, on the same file system. That folder has no
Zarr metadata, so that no reader of the group ever finds what lies in it.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from typing import Any

from dicoxide._request import Array
from dicoxide.bulk._jobs import Job
from dicoxide.bulk._options import Options

__all__ = ["Writer", "document", "empty_partials", "partial_folder", "write_json"]

# About as much as is decoded and written at once.
BLOCK_BYTES = 32 << 20


def partial_folder(out: str) -> str:
    """Where what is not complete yet lies."""
    return os.path.join(out, ".partial")


def empty_partials(out: str) -> None:
    """Remove what runs that were killed have left."""
    shutil.rmtree(partial_folder(out), ignore_errors=True)


class Writer:
    """Writes one series; subclasses implement `open`, `append` and `close`.

    Attributes
    ----------
    block : int
        How many slices are best appended at once.
    """

    def __init__(self, out: str, job: Job, options: Options) -> None:
        self.job = job
        self.options = options
        self.dtype = options.result_dtype(job)
        self.slice_bytes = max(1, self.dtype.itemsize * _product(job.slice_shape))
        self.block = max(1, min(len(job.slices), BLOCK_BYTES // self.slice_bytes))
        self._out = out
        self.folder = os.path.join(partial_folder(out), f"{job.name}-{uuid.uuid4().hex[:12]}")

    def open(self) -> None:
        """Begin; called once, before anything is appended."""
        os.makedirs(self.folder)

    def append(self, block: Array, indices: Sequence[int]) -> None:
        """Write the next slices.

        Parameters
        ----------
        block : ndarray
            (slices, rows, columns[, samples]) of `dtype`; the caller will use its memory again.
        indices : sequence of int
            Which slices of the job these are; rising, but some may be missing.
        """
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
        names = self.close(kept, document(kept, self.options, failures))
        for name in names:
            self._publish(name)
        shutil.rmtree(self.folder, ignore_errors=True)
        return names

    def abort(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)

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


def document(job: Job, options: Options, failures: list[dict[str, Any]]) -> dict[str, Any]:
    """What an output says of itself, as JSON can hold it: geometry, the series, and each slice's source.

    Lists have one entry a slice, in the order of the array; where all slices agree on the transfer syntax there is one.
    """
    slices = job.slices
    syntaxes = [one.transfer_syntax for one in slices]
    rescales = [one.frame.rescale for one in slices]
    is_rescaled = options.is_rescaled(job)
    return {
        "axes": ["slice", "row", "column", "sample"][: 1 + len(job.slice_shape)],
        "affine_lps": job.geometry["affine_lps"],
        "spacing": job.geometry["spacing"],
        "orientation": job.geometry["orientation"],
        "values": "modality" if is_rescaled else "stored",
        "RescaleSlope": [None if one is None else one[0] for one in rescales],
        "RescaleIntercept": [None if one is None else one[1] for one in rescales],
        "attributes": job.attributes,
        "transfer_syntax": syntaxes[0] if len(set(syntaxes)) == 1 else syntaxes,
        "sop_instance_uids": [one.sop_instance_uid for one in slices],
        "positions": [one.frame.position for one in slices],
        "frame_indices": [one.frame_index for one in slices],
        "sources": [_text(one.path) for one in slices],
        "findings": list(job.findings),
        "missing": failures,
    }


def write_json(path: str, told: dict[str, Any]) -> None:
    """Write `told` for people and programs."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(told, file, indent=1)
        file.write("\n")


def _text(path: str) -> str:
    """A path as text that is valid everywhere; bytes that are no text become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product
