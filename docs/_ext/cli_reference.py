"""The reference of the command line, made of the argparse parsers of the commands."""

from __future__ import annotations

from sphinx.application import Sphinx

from dicoxide.cli import _COMMANDS, main


def parse_all_commands() -> int:
    """Parse a line with all commands, so that the parser describes all; sphinx-argparse-cli takes it from there."""
    return main(list(_COMMANDS))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.setup_extension("sphinx_argparse_cli")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
