"""The interfaces by which pydicom uses dicoxide.

- ``pydicom_v3`` and ``pydicom_v3_encoder``: plugin modules of ``pydicom.pixels`` (pydicom 3), imported by pydicom.
- ``pydicom_v2``: handler of ``pydicom.config.pixel_data_handlers``, public as ``dicoxide.pydicom_handler``.
- :func:`enable`, :func:`disable`, :func:`enabled`: the position of the plugins in pydicom's order.

Importing this package does not import pydicom.
"""

from __future__ import annotations

from dicoxide.plugins import pydicom_v2 as pydicom_handler
from dicoxide.plugins._order import disable, enable, enabled, is_enabled
from dicoxide.plugins._prefetch import threads as prefetch_threads

__all__ = ["disable", "enable", "enabled", "is_enabled", "prefetch_threads", "pydicom_handler"]
