"""dicoxide behind pydicom: a decoder plugin, its place in pydicom's order, and the handler of the older interface.

Nothing here imports pydicom before it is asked to do something with it; ``pydicom_v3`` is imported by pydicom.
"""

from __future__ import annotations

from dicoxide.plugins import pydicom_v2 as pydicom_handler
from dicoxide.plugins._order import disable, enable, enabled

__all__ = ["disable", "enable", "enabled", "pydicom_handler"]
