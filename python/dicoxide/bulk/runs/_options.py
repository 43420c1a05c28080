"""What is asked of a bulk run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dicoxide.bulk.runs._frames import FrameSelection
from dicoxide.bulk.runs._tasks import Job

__all__ = ["FORMATS", "Options"]

FORMATS = ("zarr", "npy", "nifti", "png")


@dataclass(frozen=True, slots=True)
class Options:
    """What the result depends on; the number of threads is no part of it. Can be pickled.

    Attributes
    ----------
    format : {"zarr", "npy", "nifti", "png"}
        What is written.
    rescale, dtype, strict, max_bytes
        As for :func:`dicoxide.decode`.
    frames : FrameSelection
        Which frames of each object.
    compressed : bool
        Compress Zarr chunks and NIfTI files.
    """

    format: str = "zarr"
    rescale: bool = False
    dtype: str | None = None
    strict: bool = False
    max_bytes: int | None = None
    frames: FrameSelection = field(default_factory=FrameSelection)
    compressed: bool = True

    def is_rescaled(self, job: Job) -> bool:
        """Whether values are rescaled: images for looking at always are, where that has a meaning."""
        if self.rescale:
            return True
        is_grey = job.plan.photometric_interpretation.startswith("MONOCHROME")
        return self.format == "png" and is_grey and len(job.slice_shape) == 2

    def result_dtype(self, job: Job) -> np.dtype[Any]:
        """Type of the array that `job` becomes."""
        if self.dtype is not None:
            return np.dtype(self.dtype)
        return np.dtype("f4") if self.is_rescaled(job) else job.plan.dtype

    def decoding(self, job: Job) -> dict[str, Any]:
        """The keywords for :func:`dicoxide.decode`."""
        wanted: dict[str, Any] = {
            "rescale": self.is_rescaled(job) or None,
            "dtype": self.dtype,
            "strict": self.strict or None,
            "max_bytes": self.max_bytes,
        }
        return {key: value for key, value in wanted.items() if value is not None}

    def fingerprint(self, job: Job) -> str:
        """Changes when the sources, their order, or what is made of them change."""
        slices = [(one.path, one.file.size, one.file.mtime_ns, one.frame_index) for one in job.slices]
        # Paths may hold bytes that are no text; JSON escapes them.
        text = json.dumps([asdict(self), job.name, job.shape, job.plan.dtype.str, job.plan.axis_values, slices])
        return hashlib.sha256(text.encode("ascii")).hexdigest()
