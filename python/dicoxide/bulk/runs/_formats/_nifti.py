"""NIfTI output: ``NAME.nii.gz`` (``NAME.nii`` if not compressed) and ``NAME.json``.

NIfTI indexes (column, row, slice, time), the first index fastest. An array (repetitions, slices, rows, columns) in C
order has the same bytes, so NiBabel returns the transposed array. NIfTI coordinates are RAS and those of DICOM LPS, so
the first two axes of the affine change sign.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bulk.runs._formats import _base
from dicoxide.bulk.runs._formats._nifti_header import RGB, NiftiHeader, header_bytes, header_size
from dicoxide.bulk.runs._tasks import ArrayTask, finding_json
from dicoxide.bulk.series import Finding

__all__ = ["Writer", "affine_ras"]


def affine_ras(task: ArrayTask) -> Array | None:
    """Return the 4×4 float64 matrix from (column, row, slice) indices to mm in RAS; None without a geometry."""
    affine = task.affine_lps
    return None if affine is None else np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array(affine, np.float64)


class Writer(_base.Writer):
    """Appends slices to one file. The header has a constant length and is written last."""

    _file: BinaryIO

    def open(self) -> None:
        self._header_size = header_size(_index_shape(self.task))
        # Fails here if NIfTI cannot hold the array, before anything is written.
        self._header(self.task)
        super().open()
        self._file_name = f"{self.task.name}.nii" + (".gz" if self.options.compressed else "")
        self._file = open(os.path.join(self.folder, self._file_name), "wb")  # noqa: SIM115
        self._file.write(self._stored_header(bytes(self._header_size)))
        # Number of slices and file size after each block, for `truncate`.
        self._block_ends = [(0, self._file.tell())]

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> bytes | memoryview:
        samples = np.stack(block, dtype=self.dtype.newbyteorder("<"), casting="safe").data.cast("B")
        return _gzip_member(samples) if self.options.compressed else samples

    def append(self, prepared: bytes | memoryview, slice_count: int) -> None:
        self._file.write(prepared)
        self._block_ends.append((self._block_ends[-1][0] + slice_count, self._file.tell()))

    def truncate(self, slice_count: int) -> None:
        while self._block_ends[-1][0] > slice_count:
            self._block_ends.pop()
        self._file.truncate(self._file.seek(self._block_ends[-1][1]))

    def close(self, retained: ArrayTask, metadata: dict[str, Any]) -> list[str]:
        self._file.seek(0)
        self._file.write(self._stored_header(self._header(retained)))
        self._file.close()
        name = self.task.name
        if affine_ras(retained) is None:
            text = "no position or orientation in the NIfTI file: sform and qform codes are 0"
            metadata["findings"].append(finding_json(Finding("no_affine", text)))
        _base.write_json(os.path.join(self.folder, f"{name}.json"), metadata)
        return [f"{name}.json", self._file_name]

    def abort(self) -> None:
        if hasattr(self, "_file"):
            # Closing flushes buffered bytes, which may fail; the file is removed anyway.
            with suppress(OSError):
                self._file.close()
        super().abort()

    def _header(self, task: ArrayTask) -> bytes:
        samples = task.slice_shape[2:]
        if samples and (samples != (3,) or self.dtype != np.uint8):
            raise ValueError(f"NIfTI needs 3 uint8 samples per pixel for colour, not {samples[0]} {self.dtype}")
        shape = _index_shape(task)
        between_slices, between_rows, between_columns = task.spacing
        zooms = (between_columns or 1.0, between_rows or 1.0, between_slices or 1.0, _time_step(task))
        header = NiftiHeader(
            shape=shape,
            dtype=RGB if samples else self.dtype,
            zooms=zooms[: len(shape)],
            affine=affine_ras(task),
            scaling=self._scaling(task),
            description=task.plan.description,
        )
        return header_bytes(header, self._header_size)

    def _scaling(self, task: ArrayTask) -> tuple[float, float]:
        """Return slope and intercept for the header; identity for values without rescale."""
        if self.options.applied_rescale(task) or len(task.slice_shape) > 2:
            return 1.0, 0.0
        return task.slices[0].rescale or (1.0, 0.0)

    def _stored_header(self, header: bytes) -> bytes:
        """Return the header as it is stored: in a gzip member without compression, whose length is constant."""
        return header if not self.options.compressed else _gzip_member(header, 0)


def _index_shape(task: ArrayTask) -> tuple[int, ...]:
    """Return (columns, rows, slices[, repetitions]); the samples of a pixel are one element."""
    leading = task.shape[: len(task.shape) - len(task.slice_shape)]
    rows, columns = task.slice_shape[:2]
    return (columns, rows, *leading[::-1])


def _time_step(task: ArrayTask) -> float:
    """Return the step of the fourth axis in seconds if it is a time, 1 otherwise."""
    values = task.plan.axis_values
    unit = {"s": 1.0, "ms": 1e-3}.get(task.plan.axis_unit)
    if unit is None or task.plan.axis == "EchoTime":
        return 1.0
    return unit * (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 1.0


def _gzip_member(data: bytes | memoryview, level: int = 1) -> bytes:
    """Compress `data` to one member of a gzip file (RFC 1952 2.2); readers concatenate the members."""
    stream = zlib.compressobj(level, wbits=31)
    return stream.compress(data) + stream.flush()
