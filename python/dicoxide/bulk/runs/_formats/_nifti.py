"""``NAME.nii.gz`` (``NAME.nii`` uncompressed) and ``NAME.json``.

NIfTI indexes (column, row, slice, time), the first fastest: the bytes of an array (repetitions, slices, rows, columns)
in C order, so what NiBabel shows is the transposed array. Its world is RAS where DICOM's is LPS: the first two axes
change their sign.
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
from dicoxide.bulk.runs._tasks import Job

__all__ = ["Writer", "affine_ras"]

# Header and the four bytes that say that no extension follows.
_HEADER_BYTES = 352
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def affine_ras(job: Job) -> Array | None:
    """(column, row, slice) to mm in RAS, 4×4 float64; None where the job has no affine."""
    affine = job.affine_lps
    return None if affine is None else np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array(affine, np.float64)


class Writer(_base.Writer):
    """Appends to one stream behind a header of constant length, which is written last."""

    _file: BinaryIO

    def open(self) -> None:
        self._header(self.job)
        super().open()
        self._name = f"{self.job.name}.nii" + (".gz" if self.options.compressed else "")
        self._file = open(os.path.join(self.folder, self._name), "wb")  # noqa: SIM115
        self._file.write(self._framed(bytes(_HEADER_BYTES)))
        # How many slices there are, and where the file ended then.
        self._ends = [(0, self._file.tell())]

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> bytes | memoryview:
        data = np.stack(block, dtype=self.dtype.newbyteorder("<"), casting="safe").data.cast("B")
        return _member(data) if self.options.compressed else data

    def append(self, prepared: bytes | memoryview, count: int) -> None:
        self._file.write(prepared)
        self._ends.append((self._ends[-1][0] + count, self._file.tell()))

    def forget(self, count: int) -> None:
        while self._ends[-1][0] > count:
            self._ends.pop()
        self._file.truncate(self._file.seek(self._ends[-1][1]))

    def close(self, kept: Job, told: dict[str, Any]) -> list[str]:
        self._file.seek(0)
        self._file.write(self._framed(self._header(kept)))
        self._file.close()
        name = self.job.name
        if affine_ras(kept) is None:
            told["findings"].append("the NIfTI file has no position and orientation: sform and qform codes are 0")
        if self._scaling(kept) is None:
            told["findings"].append("slices have different rescale, NIfTI one for all: its values are as stored")
        _base.write_json(os.path.join(self.folder, f"{name}.json"), told)
        return [f"{name}.json", self._name]

    def abort(self) -> None:
        if hasattr(self, "_file"):
            # What could not be written is removed anyway.
            with suppress(OSError):
                self._file.close()
        super().abort()

    def _header(self, job: Job) -> bytes:
        import nibabel

        header = nibabel.Nifti1Header(endianness="<")
        *leading, rows, columns = job.shape[: len(job.shape) - len(job.slice_shape) + 2]
        rest = job.slice_shape[2:]
        if rest and (rest != (3,) or self.dtype != np.uint8):
            raise ValueError(f"NIfTI holds colour as three samples of uint8, not {rest[0]} of {self.dtype}")
        header.set_data_dtype(_RGB if rest else self.dtype)
        header.set_data_shape((columns, rows, *leading[::-1]))
        between, of_rows, of_columns = job.spacing
        unit, step = _time(job)
        header.set_zooms((of_columns or 1.0, of_rows or 1.0, between or 1.0, step)[: 1 + len(leading) + 1])
        header.set_xyzt_units("mm", unit)
        affine = affine_ras(job)
        if affine is not None:
            header.set_qform(affine, code=1)
            header.set_sform(affine, code=1)
        header.set_slope_inter(*(self._scaling(job) or (1.0, 0.0)))
        header["descrip"] = job.plan.description.encode("ascii", "replace")[:79]
        header["magic"] = b"n+1"
        header["vox_offset"] = _HEADER_BYTES
        packed: bytes = header.binaryblock
        return packed.ljust(_HEADER_BYTES, b"\0")

    def _scaling(self, job: Job) -> tuple[float, float] | None:
        """Slope and intercept for the header; identity where values are rescaled or nothing is; None if they differ."""
        if self.options.is_rescaled(job) or len(job.slice_shape) > 2:
            return 1.0, 0.0
        found = {one.rescale for one in job.slices}
        return None if len(found) > 1 else next(iter(found)) or (1.0, 0.0)

    def _framed(self, header: bytes) -> bytes:
        """The header as a gzip member that is not compressed, so that its length is always the same."""
        return header if not self.options.compressed else _member(header, 0)


def _time(job: Job) -> tuple[str | None, float]:
    """Unit and step of the fourth axis where it is a time; NIfTI has no words for other ones."""
    values = job.plan.axis_values
    unit = {"s": "sec", "ms": "msec"}.get(job.plan.axis_unit)
    if unit is None or job.plan.axis == "EchoTime":
        return None, 1.0
    return unit, (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 1.0


def _member(data: bytes | memoryview, level: int = 1) -> bytes:
    """One member of a gzip file (RFC 1952 2.2); several after each other are one stream."""
    stream = zlib.compressobj(level, wbits=31)
    return stream.compress(data) + stream.flush()
