"""The one place that chooses between the compiled core and the plain NumPy one.

The variable ``DICOXIDE_PURE_PYTHON=1`` forces NumPy; a missing extension leaves nothing else, and says so once.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Literal

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
