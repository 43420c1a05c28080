"""Prints the warning that importing dicoxide gives, if any, and its backend."""

from __future__ import annotations

import warnings

warnings.simplefilter("error", RuntimeWarning)
try:
    import dicoxide
except RuntimeWarning as warning:
    print(warning)
warnings.simplefilter("ignore")
import dicoxide

print(dicoxide.backend)
