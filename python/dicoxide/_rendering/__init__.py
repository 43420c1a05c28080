"""Rendering: from stored values to gray levels and RGB for display and for models (PS3.4 N.2).

:func:`render` and :func:`iter_rendered` render objects; :func:`apply_window`, :func:`apply_lut` and
:func:`apply_palette` arrays. :class:`Presentation` reads the attributes of an object, :class:`Renderer` renders its
frames.
"""

from __future__ import annotations

from dicoxide._rendering._arrays import apply_lut, apply_palette, apply_window
from dicoxide._rendering._options import RenderKeywords, RenderOptions, WindowSelection, check_options
from dicoxide._rendering._presentation import Presentation
from dicoxide._rendering._render import iter_rendered, render
from dicoxide._rendering._renderer import Renderer
from dicoxide._rendering._windows import VOI_KEYWORDS, VoiAttributes, read_voi

__all__ = [
    "VOI_KEYWORDS",
    "Presentation",
    "RenderKeywords",
    "RenderOptions",
    "Renderer",
    "VoiAttributes",
    "WindowSelection",
    "apply_lut",
    "apply_palette",
    "apply_window",
    "check_options",
    "iter_rendered",
    "read_voi",
    "render",
]
