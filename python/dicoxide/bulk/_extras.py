"""Packages that are not required, and the extra that brings each."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec

__all__ = ["EXTRAS", "FOR_FORMAT", "MissingExtraError", "import_for", "is_there", "require"]

# The name to import, and the extra.
EXTRAS = {
    "zarr": "bulk",
    "nibabel": "bulk",
    "pillow": "bulk",
    "rich": "cli",
    "dask": "dask",
    "distributed": "dask",
    "vl-convert-python": "bench",
}
FOR_FORMAT = {"zarr": "zarr", "nifti": "nibabel", "png": "pillow"}
_MODULES = {"pillow": "PIL", "vl-convert-python": "vl_convert"}


class MissingExtraError(Exception):
    """A package is needed that is not here; the message says what to install."""


def is_there(package: str) -> bool:
    """Whether `package` can be imported; it is not imported for that."""
    return find_spec(_MODULES.get(package, package)) is not None


def require(*packages: str, what: str) -> None:
    """Raise a MissingExtraError unless all `packages` are there."""
    for package in packages:
        if not is_there(package):
            extra = EXTRAS[package]
            raise MissingExtraError(f'{what} needs the package {package}: pip install "dicoxide[{extra}]"')


def import_for(form: str) -> None:
    """Import what writing a format needs; a failure is for who needs it."""
    with suppress(Exception):
        import_module(_MODULES.get(FOR_FORMAT[form], FOR_FORMAT[form]))
