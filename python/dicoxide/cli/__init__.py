"""The command line: ``dicoxide``, also ``python -m dicoxide``.

A command is a module of this package with ``add_to(commands)``, which describes it to argparse and sets ``run`` to a
function that takes the parsed arguments and returns the exit code: 0 all well, 1 some inputs failed, 2 usage,
130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from dicoxide._backend import core
from dicoxide.cli import bench, decode, doctor, info

__all__ = ["main"]

_COMMANDS = (info, decode, bench, doctor)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="dicoxide", description="Exact and fast decoding of DICOM pixel data.")
    parser.add_argument("--version", action="version", version=f"dicoxide {core.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("dicoxide: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read has read enough; the interpreter would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
