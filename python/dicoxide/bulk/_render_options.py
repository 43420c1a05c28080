"""The argument ``render`` of functions that decode many objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dicoxide._rendering import RenderKeywords, RenderOptions, check_options

__all__ = ["render_options"]


def render_options(render: bool | Mapping[str, Any] | RenderOptions, **common: Any) -> RenderOptions | None:
    """Return the options of :func:`dicoxide.render` that `render` requests; None if it is False.

    Parameters
    ----------
    render : bool, mapping or RenderOptions
        True for the defaults, or options by name. Checked options are returned as they are.
    **common
        Options that the mapping may replace; those that are None are left out.

    Raises
    ------
    TypeError, ValueError
        If there is no such option, or one has an unsuitable type or value.
    """
    if isinstance(render, RenderOptions):
        return render
    if render is False or render is None:
        return None
    if render is not True and not isinstance(render, Mapping):
        raise TypeError(f"render must be True, False or a mapping of options, not {render!r}")
    keywords = {key: value for key, value in common.items() if value is not None}
    keywords |= {} if render is True else render
    if unknown := sorted(keywords.keys() - RenderKeywords.__annotations__.keys()):
        supported = ", ".join(sorted(RenderKeywords.__annotations__))
        raise TypeError(f"render has no option {unknown[0]!r}; options are {supported}")
    return check_options(**keywords)
