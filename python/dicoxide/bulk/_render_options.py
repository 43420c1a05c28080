"""The argument ``render`` of functions that decode many objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicoxide._rendering import RenderOptions, check_options

__all__ = ["render_keywords"]


def render_keywords(render: bool | Mapping[str, Any], **common: Any) -> dict[str, Any] | None:
    """Return the options of :func:`dicoxide.render` that `render` requests; None if it is False.

    Parameters
    ----------
    render : bool or mapping
        True for the defaults, or options by name.
    **common
        Options that the mapping may replace; those that are None are left out.

    Raises
    ------
    TypeError, ValueError
        If there is no such option, or one has an unsuitable type or value.
    """
    if render is False or render is None:
        return None
    keywords = {key: value for key, value in common.items() if value is not None}
    keywords |= {} if render is True else render
    if unknown := sorted(keywords.keys() - set(RenderOptions._fields)):
        supported = ", ".join(sorted(RenderOptions._fields))
        raise TypeError(f"render has no option {unknown[0]!r}; options are {supported}")
    check_options(**keywords)
    return keywords
