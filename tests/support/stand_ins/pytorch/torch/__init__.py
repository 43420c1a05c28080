"""Stand-in for PyTorch in tests of `dicoxide.torch`, where PyTorch is not installed.

It has what these tests need without workers: tensors that share the memory of a writable array. Arrays that a tensor
cannot describe are errors, also read-only ones, for which PyTorch only warns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__version__ = "0 (stand-in)"


class dtype:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class Tensor:
    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> dtype:
        return globals()[self._array.dtype.name]

    def numpy(self) -> np.ndarray:
        return self._array

    def to(self, dtype: dtype) -> Tensor:
        return Tensor(self._array.astype(dtype.name, copy=False))

    def __getitem__(self, key: Any) -> Tensor:
        return Tensor(self._array[key])


for _name in ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"):
    globals()[_name] = dtype(_name)


def from_numpy(array: np.ndarray) -> Tensor:
    if not array.flags.writeable or not array.dtype.isnative or any(stride < 0 for stride in array.strides):
        raise ValueError("a tensor cannot describe the array")
    if array.dtype.name not in globals():
        raise TypeError(f"can't convert np.ndarray of type {array.dtype}")
    return Tensor(array)


def from_dlpack(array: np.ndarray) -> Tensor:
    return Tensor(np.from_dlpack(array))
