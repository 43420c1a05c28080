"""``python -m dicoxide`` is the command ``dicoxide``."""

import sys

from dicoxide.cli import main

sys.exit(main())
