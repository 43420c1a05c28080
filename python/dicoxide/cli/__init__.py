"""The command line: ``dicoxide``, also ``python -m dicoxide``.

Each command is a module of this package with a function ``describe(parser)``. It describes the command to argparse and
sets ``run`` to a function that takes the parsed arguments and returns the exit code: 0 success, 1 some inputs failed,
2 usage error, 130 interrupted. A module is imported only if its command is used, so that commands start fast.
"""

from __future__ import annotations

import argparse
import codecs
import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from dicoxide._backend import core

__all__ = ["main"]

# Line of each command in the list of commands, by name, which is also that of its module.
_COMMANDS = {
    "info": "show what files and folders contain, and which decoder is used",
    "decode": "decode files, folders and globs into arrays on disk, one per series",
    "sheet": "write contact sheets of archives, one labelled thumbnail per series",
    "bench": "verify and benchmark installed decoders on your own images, or on built-in ones",
    "doctor": "show versions, CPU level, transfer syntaxes, and other decoders that are installed",
}
# Substitutes of characters in the output that some encodings do not have, such as those of pipes on Windows.
_ASCII_CHARACTERS = {"─": "-", "×": "x", "…": "."}
# A list of numbers, the first of which is negative.
_NEGATIVE_NUMBERS = re.compile(r"-[\d.][^,]*,")


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
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("dicoxide.ascii", _replace_characters)
        sys.stdout.reconfigure(errors="dicoxide.ascii")
    words = _join_negative_numbers(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="dicoxide",
        description="Decode DICOM pixel data, exactly and fast.",
        epilog="Help on a command: dicoxide COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"dicoxide {core.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in _COMMANDS.items():
        text = f"{summary[0].upper()}{summary[1:]}."
        command_parser = commands.add_parser(name, help=summary, description=text)
        # The command is one of the words, because none of the options before it takes a value.
        if name in words:
            import_module(f"dicoxide.cli.{name}").describe(command_parser)
    arguments = parser.parse_args(words)
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


def _replace_characters(error: UnicodeError) -> tuple[str, int]:
    """Return substitutes for the characters that an encoding does not have: an error handler of `codecs`."""
    assert isinstance(error, UnicodeEncodeError)
    characters = error.object[error.start : error.end]
    return "".join(_ASCII_CHARACTERS.get(character, "?") for character in characters), error.end


def _join_negative_numbers(words: Sequence[str]) -> list[str]:
    """Join options and values such as ``-600,1500``, which argparse would take for options: ``--window=-600,1500``."""
    joined: list[str] = []
    for word in words:
        if _NEGATIVE_NUMBERS.match(word) and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined
