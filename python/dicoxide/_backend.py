"""The one place that chooses between the compiled core and the plain NumPy one.

The variable ``DICOXIDE_PURE_PYTHON=1`` forces NumPy; a missing extension leaves nothing else, and says so once.
"""

from __future__ import annotations

import os
import warnings
from typing import Literal

backend: Literal["rust", "numpy"]

if os.environ.get("DICOXIDE_PURE_PYTHON", "") not in ("", "0"):
    from dicoxide import _fallback as core

    backend = "numpy"
    _reason = "DICOXIDE_PURE_PYTHON is set"
else:
    try:
        from dicoxide import _core as core  # type: ignore[no-redef]

        backend = "rust"
    except ImportError as error:
        from dicoxide import _fallback as core

        backend = "numpy"
        _reason = f"the compiled extension cannot be imported ({error})"

if backend == "numpy":
    warnings.warn(f"dicoxide decodes in plain NumPy, slowly: {_reason}", RuntimeWarning, stacklevel=3)

__all__ = ["backend", "core"]
