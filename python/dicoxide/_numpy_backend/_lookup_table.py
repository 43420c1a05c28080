"""Look-up tables from stored values to modality values (PS3.3 C.11.1.1.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dicoxide._numpy_backend._errors import make_error

_CLAUSE = "PS3.3 C.11.1.1.1"
_MAX_ENTRIES = 1 << 16


class LookupTable:
    """A table from stored values to modality values.

    Attributes
    ----------
    first_mapped : int
        Stored value of the first entry.
    entries : list of float
        Entries in the order of the stored values. Stored values before or after the table have its first or last entry.
    """

    def __init__(self, first_mapped: int, entries: npt.NDArray[np.uint16]) -> None:
        if not 1 <= len(entries) <= _MAX_ENTRIES:
            text = f"look-up table has {len(entries)} entries, 1 to {_MAX_ENTRIES} expected"
            raise make_error("Malformed", text, _CLAUSE)
        self.first_mapped = first_mapped
        self._entries = np.array(entries, np.float64)

    @property
    def entries(self) -> list[float]:
        return [float(entry) for entry in self._entries]

    def apply(self, samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the entry of each sample; `samples` are integers."""
        if samples.dtype.kind == "f":
            raise make_error("Output", "look-up table for float samples", _CLAUSE)
        last_mapped = self.first_mapped + len(self._entries) - 1
        # Python integers: 64-bit samples are compared exactly.
        values, positions = np.unique(samples, return_inverse=True)
        indices = [min(max(value, self.first_mapped), last_mapped) - self.first_mapped for value in values.tolist()]
        return self._entries[np.array(indices, np.intp)[positions.reshape(samples.shape)]]
