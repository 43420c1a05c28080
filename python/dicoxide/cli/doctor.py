"""``dicoxide doctor``: what is installed here, who decodes what, and on which instructions."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from typing import Any, NamedTuple

from dicoxide import _backend
from dicoxide._arguments import thread_count
from dicoxide._backend import core
from dicoxide._capabilities import capabilities
from dicoxide._extras import EXTRAS
from dicoxide._fallback_decoders import available_plugins
from dicoxide.cli._text import nothing_on_stdout
from dicoxide.plugins import is_enabled, prefetch_threads

__all__ = ["add_to", "report"]


class _Variable(NamedTuple):
    """An environment variable that forces a path."""

    name: str
    values: tuple[str, ...]
    effect: str


_VARIABLES = (
    _Variable("DICOXIDE_CPU", ("portable", "x86-64-v3"), "no instructions beyond the baseline, or beyond AVX2"),
    _Variable("DICOXIDE_ENTROPY_MODE", ("serial", "lanes", "speculative"), "one way through entropy-coded data"),
    _Variable("DICOXIDE_PURE_PYTHON", ("1",), "the NumPy backend"),
)

# The package that a plugin of pydicom's asks for, where its name is another.
_PACKAGES = {"gdcm": "python-gdcm"}

# Other decoders, and the beginning of the names of a family of them.
_DECODERS = frozenset({"dicomsdl", "gdcm", "imagecodecs", "pillow", "pyjpegls", "python-gdcm", "simpleitk"})
_FAMILY = "pylibjpeg"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to argparse."""
    text = "versions, CPU path, transfer syntaxes, the other decoders found"
    parser = commands.add_parser("doctor", help=text, description=f"Show {text}.")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, all else on stderr")
    parser.set_defaults(run=_run)


def report() -> dict[str, Any]:
    """What there is to know, as what JSON can hold."""
    table = capabilities()
    plugins: dict[str, list[str]] = {}
    for uid in table:
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
                "package": _PACKAGES.get(name, name),
                "version": _version(_PACKAGES.get(name, name)),
                "transfer_syntaxes": uids,
            }
            for name, uids in sorted(plugins.items())
        ],
        "decoders": [{"package": name, "version": version} for name, version in _decoders()],
        "extras": [{"package": name, "extra": extra, "version": _version(name)} for name, extra in EXTRAS.items()],
        "transfer_syntaxes": [{"uid": uid, **entry._asdict()} for uid, entry in table.items()],
    }


def _run(arguments: argparse.Namespace) -> int:
    with nothing_on_stdout():
        found = report()
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(_lines(found)))
    return 0


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"dicoxide {found['dicoxide']}"
    backend = f"{found['backend']}: {found['backend_why']}" if found["backend_why"] else found["backend"]
    enabled = "yes" if found["enabled"] else "no; dicoxide.enable() puts it first in pydicom's decoders"
    yield from _table(
        ("Python", f"{found['python']} on {found['platform']}, {found['cores']} cores"),
        ("NumPy", found["numpy"]),
        ("pydicom", found["pydicom"]),
        ("backend", backend),
        ("CPU path", found["cpu_path"]),
        ("enabled", enabled),
    )
    yield "\nenvironment variables that force a path"
    yield from _table(
        *(
            (f"{variable['name']}={'|'.join(variable['values'])}", _state(variable), variable["effect"])
            for variable in found["environment"]
        )
    )
    yield "\npydicom's plugins"
    yield from _table(
        *(
            (plugin["name"], f"{plugin['package']} {plugin['version'] or 'of unknown version'}", _count(plugin))
            for plugin in found["plugins"]
        )
    )
    yield "\nother decoders"
    yield from _table(*((decoder["package"], decoder["version"]) for decoder in found["decoders"]))
    yield "\noptional packages"
    yield from _table(
        *((one["package"], one["version"] or "not there", f"dicoxide[{one['extra']}]") for one in found["extras"])
    )
    yield "\ntransfer syntaxes"
    yield from _table(
        *(
            (entry["uid"], entry["keyword"], entry["decoder"] or "nobody", entry["why"])
            for entry in found["transfer_syntaxes"]
        )
    )


def _table(*rows: tuple[str, ...]) -> Iterator[str]:
    rows = rows or (("none",),)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _state(variable: dict[str, Any]) -> str:
    value = variable["value"]
    if value is None:
        return "not set"
    return "set" if value in variable["values"] else f"set to {value!r}"


def _count(plugin: dict[str, Any]) -> str:
    count = len(plugin["transfer_syntaxes"])
    return f"{count} transfer syntax{'es' if count > 1 else ''}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _decoders() -> list[tuple[str, str]]:
    """Name and version of the packages here that decode too; a package that is there twice counts once."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name in _DECODERS or name.startswith(_FAMILY):
            found.setdefault(name, distribution.version)
    return sorted(found.items())
