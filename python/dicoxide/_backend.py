"""Chooses between the compiled extension ``_core`` and the NumPy backend; no other module imports either.

NumPy is used if the environment variable ``DICOXIDE_PURE_PYTHON`` is set to anything but 0, or if the extension cannot
be imported. A `RuntimeWarning` is issued then.

Attributes
----------
backend : {"rust", "numpy"}
    The backend in use.
why : str
    Reason for the NumPy backend; empty for the extension.
core : module
    ``dicoxide._core`` or ``dicoxide._numpy_backend``, which has the same names.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Literal

# First, because the extension panics if NumPy cannot be imported: NumPy's own ImportError names the cause.
import numpy  # noqa: F401

from dicoxide._deviations import stack_level

backend: Literal["rust", "numpy"] = "rust"
why = ""

if TYPE_CHECKING:
    from dicoxide import _core as core
elif os.environ.get("DICOXIDE_PURE_PYTHON", "") not in ("", "0"):
    from dicoxide import _numpy_backend as core

    backend, why = "numpy", "DICOXIDE_PURE_PYTHON is set"
else:
    try:
        from dicoxide import _core as core
    except ImportError as error:
        from dicoxide import _numpy_backend as core

        backend, why = "numpy", f"the compiled extension cannot be imported ({error})"

if backend == "numpy":
    warnings.warn(f"dicoxide decodes in plain NumPy, slowly: {why}", RuntimeWarning, stacklevel=stack_level())

__all__ = ["backend", "core"]
