"""The names of PyTorch that `dicoxide.torch` imports, if it is not installed.

PyTorch is large, and the reference needs no more than these. The mock-ups of autodoc hide the signature of a class.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class Dataset:
    """Base class of data sets."""


class Tensor:
    """Type of tensors."""


def provide_torch() -> None:
    """Add modules with these names to the imported ones, unless PyTorch is installed."""
    if find_spec("torch") is not None:
        return
    torch: Any = ModuleType("torch")
    torch.Tensor = Tensor
    torch.utils = ModuleType("torch.utils")
    torch.utils.data = ModuleType("torch.utils.data")
    torch.utils.data.Dataset = Dataset
    sys.modules |= {"torch": torch, "torch.utils": torch.utils, "torch.utils.data": torch.utils.data}
