"""PyTorch tensors of decoded images, and a data set of files, frames or volumes.

Tensors share the memory of the decoded arrays. A data set holds its sources and options, and no open files, so that it
can be pickled, and workers may be forked or spawned.
"""

from __future__ import annotations

from dicoxide.torch._dataset import DicomDataset
from dicoxide.torch._tensors import to_tensor

__all__ = ["DicomDataset", "to_tensor"]
