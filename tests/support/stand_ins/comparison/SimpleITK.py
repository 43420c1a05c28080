"""Stand-in for SimpleITK in tests of comparison runs: it cannot be imported."""

import sys

sys.exit("broken")
