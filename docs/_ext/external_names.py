"""Links from signatures and docstrings to the documentation of other packages.

A table instead of intersphinx: the inventories of intersphinx are downloaded, and a build without network would warn.
A name that is in no table is a warning, as any other broken reference.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.nodes import Element, TextElement
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_PYTHON = "https://docs.python.org/3/library"
_NUMPY = "https://numpy.org/doc/stable/reference"
_PYDICOM = "https://pydicom.github.io/pydicom/stable/reference/generated"

# Address by full name.
ADDRESSES = {
    "Exception": f"{_PYTHON}/exceptions.html#Exception",
    "IndexError": f"{_PYTHON}/exceptions.html#IndexError",
    "KeyError": f"{_PYTHON}/exceptions.html#KeyError",
    "MemoryError": f"{_PYTHON}/exceptions.html#MemoryError",
    "NotImplementedError": f"{_PYTHON}/exceptions.html#NotImplementedError",
    "OSError": f"{_PYTHON}/exceptions.html#OSError",
    "TypeError": f"{_PYTHON}/exceptions.html#TypeError",
    "UserWarning": f"{_PYTHON}/exceptions.html#UserWarning",
    "ValueError": f"{_PYTHON}/exceptions.html#ValueError",
    "NamedTuple": f"{_PYTHON}/typing.html#typing.NamedTuple",
    "numpy.ndarray": f"{_NUMPY}/generated/numpy.ndarray.html",
    "numpy.asarray": f"{_NUMPY}/generated/numpy.asarray.html",
    "pydicom.dataset.Dataset": f"{_PYDICOM}/pydicom.dataset.Dataset.html",
}


def _resolve(_app: Sphinx, _env: BuildEnvironment, node: pending_xref, content: TextElement) -> Element | None:
    name: Any = node.get("reftarget")
    if address := ADDRESSES.get(name) or ADDRESSES.get(f"numpy.{name}"):
        reference = nodes.reference("", "", internal=False, refuri=address)
        reference += content
        return reference
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
