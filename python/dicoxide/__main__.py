"""Runs the command line: ``python -m dicoxide`` is the same as ``dicoxide``."""

import sys

from dicoxide.cli import main

sys.exit(main())
