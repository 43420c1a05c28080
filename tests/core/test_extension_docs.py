"""``help(dicoxide._core)``: every class, method and function of the extension has a docstring."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

_core = pytest.importorskip("dicoxide._core", reason="the compiled extension is not there")


def _documented() -> dict[str, Any]:
    public = {name: item for name, item in vars(_core).items() if not name.startswith("_") and callable(item)}
    methods = {
        # Static methods are wrapped in the dictionary of the class.
        f"{name}.{method}": getattr(item, method)
        for name, item in public.items()
        if inspect.isclass(item)
        for method in vars(item)
        if not method.startswith("_")
    }
    return public | methods


# Sorted: the order of a class's attributes differs between processes, and all workers must collect the same tests.
@pytest.mark.parametrize("name", sorted(_documented()))
def test_name_of_the_extension_has_a_docstring(name: str) -> None:
    doc = inspect.getdoc(_documented()[name])
    assert doc
    assert doc[0].isupper()
    assert "." in doc
