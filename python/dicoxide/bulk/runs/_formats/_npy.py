"""``NAME.npy``, ([repetitions,] slices, rows, columns[, samples]) in C order, and ``NAME.json``."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bulk.runs._formats import _base
from dicoxide.bulk.runs._tasks import Job

__all__ = ["Writer"]


class Writer(_base.Writer):
    """Appends to one file; its header is written again where slices are missing."""

    _file: BinaryIO
    _header_bytes: int

    def open(self) -> None:
        super().open()
        self._file = open(os.path.join(self.folder, f"{self.job.name}.npy"), "wb")  # noqa: SIM115
        header = self._header(self.job)
        self._header_bytes = len(header)
        self._file.write(header)

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> list[memoryview]:
        return [np.ascontiguousarray(pixels, self.dtype).data.cast("B") for pixels in block]

    def append(self, prepared: list[memoryview], count: int) -> None:
        self._file.writelines(prepared)

    def forget(self, count: int) -> None:
        self._file.truncate(self._file.seek(self._header_bytes + count * self.slice_bytes))

    def close(self, kept: Job, told: dict[str, Any]) -> list[str]:
        if kept is not self.job:
            self._file.seek(0)
            self._file.write(self._header(kept, self._header_bytes))
        self._file.close()
        name = self.job.name
        _base.write_json(os.path.join(self.folder, f"{name}.json"), told)
        return [f"{name}.json", f"{name}.npy"]

    def abort(self) -> None:
        if hasattr(self, "_file"):
            # What could not be written is removed anyway.
            with suppress(OSError):
                self._file.close()
        super().abort()

    def _header(self, job: Job, length: int | None = None) -> bytes:
        """The header of version 1.0, padded with spaces to `length`."""
        told = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": job.shape}
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, told)
        header = stream.getvalue()
        if length is None or length == len(header):
            return header
        body = header[10:].rstrip(b" \n").ljust(length - 11) + b"\n"
        return header[:8] + len(body).to_bytes(2, "little") + body
