"""Prints the errors of using and importing the module of dicoxide that needs a package, without it.

Arguments: the package, and the module: ``torch dicoxide.torch``.
"""

from __future__ import annotations

import sys
from importlib import import_module

package, module = sys.argv[1:]
sys.modules[package] = None  # type: ignore[assignment]
import dicoxide

try:
    getattr(dicoxide, module.removeprefix("dicoxide."))
except ImportError as error:
    print(error)
try:
    import_module(module)
except ImportError as error:
    print(error)
