"""Prints the modules that importing dicoxide adds to those of NumPy.

Arguments: those of a command line, which is run before; its standard output is redirected to standard error.
"""

from __future__ import annotations

import contextlib
import sys

import numpy

before = set(sys.modules)
import dicoxide

if len(sys.argv) > 1:
    from dicoxide.cli import main

    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
        main()

print(*sorted(set(sys.modules) - before))
