"""The command line: ``dicoxide``, also ``python -m dicoxide``.

Each command is a module of this package with a function ``add_to(commands)``. It describes the command to argparse and
sets ``run`` to a function that takes the parsed arguments and returns the exit code: 0 success, 1 some inputs failed,
2 usage error, 130 interrupted.
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
        Command line arguments; by default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    parser = argparse.ArgumentParser(
        prog="dicoxide",
        description="Decode DICOM pixel data, exactly and fast.",
        epilog="Help on a command: dicoxide COMMAND --help",
    )
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
        # The reader of the pipe has closed it. Without this, the interpreter would report an error when it flushes
        # stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
