"""NIfTI output: ``NAME.nii.gz`` (``NAME.nii`` if not compressed), ``NAME.json``, and ``NAME.bval`` and ``NAME.bvec``.

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
from dicoxide.bulk.runs._bids import repetition_step
from dicoxide.bulk.runs._formats import _base
from dicoxide.bulk.runs._formats._nifti_header import RGB, NiftiHeader, header_bytes, header_size
from dicoxide.bulk.runs._tasks import ArrayTask, finding_json
from dicoxide.bulk.series import Finding

__all__ = ["Writer", "affine_ras"]


def affine_ras(task: ArrayTask) -> Array | None:
    """Return the 4×4 float64 matrix from (column, row, slice) indices to mm in RAS; None without a geometry."""
    affine = task.affine_lps
    return None if affine is None else np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array(affine, np.float64)


def fsl_vectors(task: ArrayTask) -> Array | None:
    """Return gradients as FSL reads them: (3, volumes), components along columns, rows and slices.

    The first component has the opposite sign if the determinant of the affine in RAS is positive. None without an
    affine, which defines these axes, or without b-values.
    """
    gradients, affine = task.plan.gradients, affine_ras(task)
    if gradients is None or affine is None or task.plan.geometry is None:
        return None
    columns, rows = task.plan.geometry.direction[:, :2].T
    # The slice axis may be sheared; FSL takes the axes as orthogonal.
    vectors = gradients @ np.stack([columns, rows, np.cross(columns, rows)], axis=1)
    if np.linalg.det(affine[:3, :3]) > 0:
        vectors[:, 0] = -vectors[:, 0]
    return np.asarray(vectors.T) + 0.0


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
        names = [f"{name}.json", *self._write_gradients(retained), self._file_name]
        return names

    def _write_gradients(self, task: ArrayTask) -> list[str]:
        """Write b-values and directions for FSL if a volume has a direction; return the names of the files."""
        b_values, vectors = task.plan.b_values, fsl_vectors(task)
        if b_values is None or vectors is None or not vectors.any():
            return []
        names = [f"{self.task.name}.bval", f"{self.task.name}.bvec"]
        for name, rows in zip(names, (b_values[None], vectors), strict=True):
            with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
                file.writelines(" ".join(f"{value:.9g}" for value in row) + "\n" for row in rows)
        return names

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
        step = repetition_step(task, self.acquisition(task))
        zooms = (between_columns or 1.0, between_rows or 1.0, between_slices or 1.0, step or 1.0)
        header = NiftiHeader(
            shape=shape,
            dtype=RGB if samples else self.dtype,
            zooms=zooms[: len(shape)],
            has_time=step is not None,
            affine=affine_ras(task),
            scaling=self._scaling(task),
            description=task.plan.description,
        )
        return header_bytes(header, self._header_size)

    def _scaling(self, task: ArrayTask) -> tuple[float, float]:
        """Return slope and intercept for the header; identity for values without rescale."""
        if self.options.applied_rescale(task) or len(task.slice_shape) > 2:
            return 1.0, 0.0
        return task.plan.first_slice.rescale or (1.0, 0.0)

    def _stored_header(self, header: bytes) -> bytes:
        """Return the header as it is stored: in a gzip member without compression, whose length is constant."""
        return header if not self.options.compressed else _gzip_member(header, 0)


def _index_shape(task: ArrayTask) -> tuple[int, ...]:
    """Return (columns, rows, slices[, repetitions]); the samples of a pixel are one element."""
    leading = task.shape[: len(task.shape) - len(task.slice_shape)]
    rows, columns = task.slice_shape[:2]
    return (columns, rows, *leading[::-1])


def _gzip_member(data: bytes | memoryview, level: int = 1) -> bytes:
    """Compress `data` to one member of a gzip file (RFC 1952 2.2); readers concatenate the members."""
    stream = zlib.compressobj(level, wbits=31)
    return stream.compress(data) + stream.flush()
