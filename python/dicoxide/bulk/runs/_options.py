"""Options of a run that determine its output."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dicoxide._arguments import Rescale
from dicoxide._rendering import check_options
from dicoxide.bulk.runs._frame_selection import FrameSelection
from dicoxide.bulk.runs._tasks import ArrayTask
from dicoxide.bulk.series import NO_SPLIT_OPTIONS, SplitOptions

__all__ = ["ARRAY_FORMATS", "FORMATS", "PICTURE_FORMATS", "RenderRequest", "RunOptions"]

# Formats whose slices are always rendered, and those that hold rendered slices on request.
PICTURE_FORMATS = ("png", "jpeg", "webp", "tiff")
ARRAY_FORMATS = ("zarr", "npy")
FORMATS = ("zarr", "npy", "nifti", *PICTURE_FORMATS)


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """Options of :func:`dicoxide.render` for the slices of a run."""

    window: Any = "first"
    overlays: bool = False
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options that the output depends on; the number of threads is not one of them. Can be pickled.

    Attributes
    ----------
    format : {"zarr", "npy", "nifti", "png", "jpeg", "webp", "tiff"}
        Output format.
    rescale, quantity, dtype, strict, max_bytes
        As for :func:`dicoxide.decode`; `dtype` of rendered slices as for :func:`dicoxide.render`.
    frames : FrameSelection
        Frames of each object to decode.
    split : SplitOptions
        Attributes that decide what is a separate volume.
    compressed : bool
        Compress Zarr chunks and NIfTI files.
    render : RenderRequest, optional
        Write rendered slices; pictures are rendered with the default if this is None.
    quality : int
        Quality of JPEG and WebP, 1 to 100.
    """

    format: str = "zarr"
    rescale: Rescale = False
    quantity: str | None = None
    dtype: str | None = None
    strict: bool = False
    max_bytes: int | None = None
    frames: FrameSelection = field(default_factory=FrameSelection)
    split: SplitOptions = NO_SPLIT_OPTIONS
    compressed: bool = True
    render: RenderRequest | None = None
    quality: int = 90

    @property
    def rendering(self) -> RenderRequest | None:
        """How slices are rendered; None if they are not."""
        return RenderRequest() if self.render is None and self.format in PICTURE_FORMATS else self.render

    def applied_rescale(self, task: ArrayTask) -> Rescale:
        """Return the requested rescale; True for some grey images without a request.

        These are slices with different rescales, whose stored values are not comparable; and NIfTI of objects with a
        Modality LUT, which slope and intercept cannot replace. False for rendered slices.
        """
        if self.rendering is not None:
            return False
        if self.rescale or not task.plan.photometric_interpretation.startswith("MONOCHROME"):
            return self.rescale
        if task.plan.has_mixed_rescale:
            return True
        return self.format == "nifti" and any(frame.has_modality_lut for frame in task.slices)

    def output_dtype(self, task: ArrayTask) -> np.dtype[Any]:
        """Return the type of the array that `task` is decoded to."""
        if self.dtype is not None:
            return np.dtype(self.dtype)
        if self.rendering is not None:
            return np.dtype("u1")
        return np.dtype("f4") if self.applied_rescale(task) else task.plan.dtype

    def decode_arguments(self, task: ArrayTask) -> dict[str, Any]:
        """Return the keyword arguments for :func:`dicoxide.decode`, or those of :func:`dicoxide.decode_many`.

        Rendered slices have the argument ``render``.
        """
        if (rendering := self.rendering) is not None:
            request = asdict(rendering) | {"dtype": self.output_dtype(task).name}
            if task.slices[0].tile is not None:
                # The slices of a mosaic are cut out of the whole frame.
                del request["max_size"]
            common = {"strict": self.strict or None, "max_bytes": self.max_bytes}
            # An archive is shown as far as it can be; warnings name what is invalid.
            render = check_options(**request)._replace(skip_invalid=True)
            return {key: value for key, value in common.items() if value is not None} | {"render": render}
        arguments: dict[str, Any] = {
            "rescale": self.applied_rescale(task) or None,
            "quantity": self.quantity,
            "dtype": self.dtype,
            "strict": self.strict or None,
            "max_bytes": self.max_bytes,
        }
        return {key: value for key, value in arguments.items() if value is not None}

    def fingerprint(self, task: ArrayTask) -> str:
        """Return a hash of the options, and of the sources (paths, sizes, modification times) and their order."""
        slices = [(frame.path, frame.file.size, frame.file.mtime_ns, frame.frame_index) for frame in task.slices]
        # Paths may hold bytes that are not valid text; JSON escapes them.
        text = json.dumps([asdict(self), task.name, task.shape, task.plan.dtype.str, task.plan.axis_values, slices])
        return hashlib.sha256(text.encode("ascii")).hexdigest()
