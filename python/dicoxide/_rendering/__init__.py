"""Rendering: from stored values to gray levels and RGB for display and for models (PS3.4 N.2).

:func:`render` and :func:`iter_rendered` render objects; :func:`apply_window`, :func:`apply_lut` and
:func:`apply_palette` arrays. :class:`Presentation` reads the attributes of an object, :class:`Renderer` renders its
frames.
"""

from __future__ import annotations

from dicoxide._rendering._arrays import apply_lut, apply_palette, apply_window
from dicoxide._rendering._gray_attributes import is_low_white, padding_range
from dicoxide._rendering._options import Percentiles, RenderKeywords, RenderOptions, WindowSelection, check_options
from dicoxide._rendering._presentation import Presentation
from dicoxide._rendering._render import iter_rendered, render
from dicoxide._rendering._renderer import Renderer
from dicoxide._rendering._value_range import ValueRangeMeter, range_of_type
from dicoxide._rendering._windows import (
    VOI_KEYWORDS,
    FullRange,
    ValueRange,
    Voi,
    VoiAttributes,
    read_voi,
    select_voi,
)

__all__ = [
    "VOI_KEYWORDS",
    "FullRange",
    "Percentiles",
    "Presentation",
    "RenderKeywords",
    "RenderOptions",
    "Renderer",
    "ValueRange",
    "ValueRangeMeter",
    "Voi",
    "VoiAttributes",
    "WindowSelection",
    "apply_lut",
    "apply_palette",
    "apply_window",
    "check_options",
    "is_low_white",
    "iter_rendered",
    "padding_range",
    "range_of_type",
    "read_voi",
    "render",
    "select_voi",
]
