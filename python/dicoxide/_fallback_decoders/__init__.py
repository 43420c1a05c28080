"""Decoders of other packages, for frames that the core cannot decode.

The core finds the frames of an object; pydicom's plugins decode them one by one. GDCM is not asked: it ends the process
on some corrupt frames.
"""

from __future__ import annotations

from dicoxide._fallback_decoders.pydicom_plugins import (
    FallbackFrames,
    available_plugins,
    plugin_order,
    why_unavailable,
)

__all__ = [
    "FallbackFrames",
    "available_plugins",
    "plugin_order",
    "why_unavailable",
]
