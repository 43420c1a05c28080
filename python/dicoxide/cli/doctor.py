"""``dicoxide doctor``: versions, CPU level, transfer syntaxes, and other decoders that are installed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any, NamedTuple

from dicoxide import _backend
from dicoxide._arguments import thread_count
from dicoxide._backend import core
from dicoxide._capabilities import capabilities
from dicoxide._extras import EXTRAS
from dicoxide._fallback_decoders import available_plugins
from dicoxide._text_format import format_count, table_lines, terminal_width
from dicoxide.cli._text import printable, stdout_to_stderr
from dicoxide.plugins import is_enabled, prefetch_threads

__all__ = ["describe", "report"]


class _Variable(NamedTuple):
    """An environment variable for debugging: valid values, and their effect."""

    name: str
    values: tuple[str, ...]
    effect: str


_VARIABLES = (
    _Variable("DICOXIDE_CPU", ("portable", "x86-64-v3"), "use no instructions above this CPU level"),
    _Variable("DICOXIDE_ENTROPY_MODE", ("serial", "lanes", "speculative"), "use this mode for entropy-coded data"),
    _Variable("DICOXIDE_PURE_PYTHON", ("1",), "use the NumPy backend"),
)

# Distributions that decode DICOM images; names that start with the prefix do so too.
_DECODER_PACKAGES = frozenset({"dicomsdl", "gdcm", "imagecodecs", "pillow", "pyjpegls", "python-gdcm", "simpleitk"})
_DECODER_PREFIX = "pylibjpeg"


def describe(parser: argparse.ArgumentParser) -> None:
    """Describe the command to argparse."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document to stdout, everything else to stderr"
    )
    parser.set_defaults(run=_run)


def report() -> dict[str, Any]:
    """Return the state of the installation, as JSON values."""
    capability_by_uid = capabilities()
    plugins: dict[str, list[str]] = {}
    for uid in capability_by_uid:
        for name in available_plugins(uid):
            plugins.setdefault(name, []).append(uid)
    return {
        "dicoxide": core.__version__,
        "python": platform.python_version(),
        "numpy": _version("numpy"),
        "pydicom": _version("pydicom"),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": thread_count(None),
        "backend": _backend.backend,
        "backend_why": _backend.why or None,
        "cpu_path": core.CPU_PATH,
        "environment": [
            {**variable._asdict(), "values": list(variable.values), "value": os.environ.get(variable.name)}
            for variable in _VARIABLES
        ],
        "enabled": is_enabled(),
        "enabled_threads": prefetch_threads(),
        "plugins": [
            {
                "name": name,
                "package": name,
                "version": _version(name),
                "transfer_syntaxes": uids,
            }
            for name, uids in sorted(plugins.items())
        ],
        "decoders": [{"package": name, "version": version} for name, version in _decoder_packages()],
        "extras": [{"package": name, "extra": extra, "version": _version(name)} for name, extra in EXTRAS.items()],
        "transfer_syntaxes": [{"uid": uid, **entry._asdict()} for uid, entry in capability_by_uid.items()],
    }


def _run(arguments: argparse.Namespace) -> int:
    with stdout_to_stderr():
        document = report()
    if arguments.json:
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(_lines(document, terminal_width(sys.stdout))))
    return 0


def _lines(document: dict[str, Any], width: int | None) -> Iterator[str]:
    """Format a report as text; tables are wrapped to `width` columns."""
    backend, reason = document["backend"], document["backend_why"]
    installation = [
        ("Python", f"{document['python']} on {document['platform']}, {format_count(document['cores'], 'core')}"),
        ("NumPy", document["numpy"] or "not installed"),
        ("pydicom", document["pydicom"] or "not installed"),
        ("backend", f"{backend} ({reason})" if reason else backend),
        ("CPU level", document["cpu_path"]),
        ("enabled", "yes" if document["enabled"] else "no; dicoxide.enable() puts it first among pydicom's decoders"),
    ]
    variables = [
        (f"{variable['name']}={'|'.join(variable['values'])}", _variable_state(variable), variable["effect"])
        for variable in document["environment"]
    ]
    plugins = [
        (
            plugin["name"],
            f"{plugin['package']} {plugin['version'] or '(unknown version)'}",
            format_count(len(plugin["transfer_syntaxes"]), "transfer syntax", "transfer syntaxes"),
        )
        for plugin in document["plugins"]
    ]
    decoders = [(decoder["package"], decoder["version"]) for decoder in document["decoders"]]
    extras = [
        (extra["package"], extra["version"] or "not installed", f"dicoxide[{extra['extra']}]")
        for extra in document["extras"]
    ]
    syntaxes = [
        (syntax["uid"], syntax["keyword"], syntax["decoder"] or "none", syntax["why"])
        for syntax in document["transfer_syntaxes"]
    ]
    yield f"dicoxide {document['dicoxide']}"
    yield from table_lines(installation, width=width)
    for title, header, rows in (
        ("Environment variables for debugging", ("variable", "state", "effect"), variables),
        ("pydicom decoder plugins", ("plugin", "package", "decodes"), plugins),
        ("Packages that decode images", ("package", "version"), decoders),
        ("Optional packages", ("package", "version", "extra"), extras),
        ("Transfer syntaxes", ("UID", "keyword", "decoder", "reason"), syntaxes),
    ):
        yield f"\n{title}"
        yield from table_lines([tuple(map(printable, row)) for row in rows], header, width=width)


def _variable_state(variable: dict[str, Any]) -> str:
    value = variable["value"]
    if value is None:
        return "not set"
    return f"set to {value!r}" if value in variable["values"] else f"set to {value!r}, which is not valid"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _decoder_packages() -> list[tuple[str, str]]:
    """Return name and version of installed packages that decode images; the first if one is installed twice."""
    versions: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name in _DECODER_PACKAGES or name.startswith(_DECODER_PREFIX):
            versions.setdefault(name, distribution.version)
    return sorted(versions.items())
