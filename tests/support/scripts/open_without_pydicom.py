"""Decodes a file and reads its attributes; prints whether pydicom was imported.

Argument: path.
"""

from __future__ import annotations

import sys

import dicoxide

with dicoxide.open(sys.argv[1]) as image:
    _ = image[0], image.attributes["PixelSpacing"], dict(image.attributes)
print("pydicom" in sys.modules)
