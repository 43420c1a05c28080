"""Renders a file; prints whether pydicom or Pillow was imported.

Argument: path.
"""

from __future__ import annotations

import sys

import dicoxide

dicoxide.render(sys.argv[1])
print("pydicom" in sys.modules or "PIL" in sys.modules)
