"""Optional packages: the extra that installs each, and checks before they are used."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec

__all__ = ["EXTRAS", "FORMAT_PACKAGES", "MissingExtraError", "is_installed", "preload_format", "require"]

# Distribution name: the extra that installs it.
EXTRAS = {
    "zarr": "bulk",
    "google-crc32c": "bulk",
    "pillow": "bulk",
    "rich": "cli",
    "dask": "dask",
    "distributed": "dask",
    "altair": "bench",
    "jinja2": "bench",
    "vl-convert-python": "bench",
    "av": "video",
    "torch": "torch",
}
# Output format of bulk runs: the package that writes it.
FORMAT_PACKAGES = {"zarr": "zarr"} | dict.fromkeys(("png", "jpeg", "webp", "tiff"), "pillow")
# Import names that differ from the distribution name.
_MODULES = {"google-crc32c": "google_crc32c", "pillow": "PIL", "vl-convert-python": "vl_convert"}


class MissingExtraError(Exception):
    """An optional package is required but not installed; the message names the extra to install."""


def is_installed(package: str) -> bool:
    """True if `package` can be imported. Does not import it."""
    return find_spec(_MODULES.get(package, package)) is not None


def require(*packages: str, feature: str) -> None:
    """Raise a MissingExtraError if one of `packages`, which `feature` uses, is not installed."""
    for package in packages:
        if not is_installed(package):
            raise MissingExtraError(f'{feature} needs the package {package}: pip install "dicoxide[{EXTRAS[package]}]"')


def preload_format(format_name: str) -> None:
    """Import the package that writes an output format; errors are left to the import that uses it."""
    package = FORMAT_PACKAGES[format_name]
    with suppress(Exception):
        import_module(_MODULES.get(package, package))
