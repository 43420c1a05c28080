"""Checks that a second interpreter of the process cannot import the extension, and that the first one still decodes.

Argument: path of a file with 8 frames.
"""

from __future__ import annotations

import sys

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

import dicoxide
from dicoxide import _core

IMPORT_EXTENSION = f"""
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
loader = ExtensionFileLoader('dicoxide._core', {_core.__file__!r})
loader.exec_module(module_from_spec(spec_from_loader('dicoxide._core', loader)))
"""
IMPORT_PACKAGE = """
import warnings
warnings.simplefilter('ignore')
import dicoxide
"""


def error_of(code: str) -> str:
    """Run code in a new interpreter; return its error."""
    second = interpreters.create()
    try:
        error = interpreters.run_string(second, f"import sys; sys.path[:] = {sys.path!r}\n{code}")
        return str(error and f"{error.type.__name__} {error.msg}")
    except interpreters.RunFailedError as error:
        return str(error)


# The extension without NumPy, which refuses a second interpreter too.
error = error_of(IMPORT_EXTENSION)
assert "ImportError" in error, error
assert "subinterpreter" in error, error
error = error_of(IMPORT_PACKAGE)
assert "ImportError" in error, error
assert len(dicoxide.decode(sys.argv[1])) == 8
print("passed")
