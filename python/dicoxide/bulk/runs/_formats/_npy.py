"""NumPy output: ``NAME.npy``, ([repetitions,] slices, rows, columns[, samples]) in C order, and ``NAME.json``."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bulk.runs._formats import _base
from dicoxide.bulk.runs._tasks import ArrayTask

__all__ = ["Writer"]

# Magic, version and header length at the start of a file of version 1.0.
_PREFIX_BYTES = 10


class Writer(_base.Writer):
    """Appends slices to one file. Its header is written again if slices are missing."""

    _file: BinaryIO
    _header_bytes: int

    def open(self) -> None:
        super().open()
        self._file = open(os.path.join(self.folder, f"{self.task.name}.npy"), "wb")  # noqa: SIM115
        header = self._header(self.task)
        self._header_bytes = len(header)
        self._file.write(header)

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> list[memoryview]:
        return [np.ascontiguousarray(pixels, self.dtype).data.cast("B") for pixels in block]

    def append(self, prepared: list[memoryview], slice_count: int) -> None:
        self._file.writelines(prepared)

    def truncate(self, slice_count: int) -> None:
        self._file.truncate(self._file.seek(self._header_bytes + slice_count * self.slice_bytes))

    def close(self, retained: ArrayTask, metadata: dict[str, Any]) -> list[str]:
        if retained is not self.task:
            self._file.seek(0)
            self._file.write(self._header(retained, self._header_bytes))
        self._file.close()
        name = self.task.name
        _base.write_json(os.path.join(self.folder, f"{name}.json"), metadata)
        return [f"{name}.json", f"{name}.npy"]

    def abort(self) -> None:
        if hasattr(self, "_file"):
            # Closing flushes buffered bytes, which may fail; the file is removed anyway.
            with suppress(OSError):
                self._file.close()
        super().abort()

    def _header(self, task: ArrayTask, length: int | None = None) -> bytes:
        """Return a header of version 1.0, padded with spaces to `length` bytes."""
        fields = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": task.shape}
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, fields)
        header = stream.getvalue()
        if length is None or length == len(header):
            return header
        body = header[_PREFIX_BYTES:].rstrip(b" \n").ljust(length - _PREFIX_BYTES - 1) + b"\n"
        return header[:8] + len(body).to_bytes(2, "little") + body
