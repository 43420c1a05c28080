"""The rules of the house that a machine can see; ARCHITECTURE.md says why they are."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from support.processes import run_script
from support.real_images import ROOT

PYTHON = ROOT / "python" / "dicoxide"
CORE = ROOT / "rust" / "core" / "src"


def modules() -> list[Path]:
    return sorted(PYTHON.rglob("*.py"))


def imports(path: Path, *, top_level: bool = False) -> Iterator[str]:
    """Modules that a file imports, as dotted names; only those of importing it with `top_level`."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return path.relative_to(PYTHON).as_posix()


def test_only_the_backend_module_names_the_extension() -> None:
    runtime = {name(path) for path in modules() if "dicoxide._core" in set(imports(path, top_level=True))}
    assert runtime == set()
    assert "from dicoxide import _core" in (PYTHON / "_backend.py").read_text()
    others = [path for path in modules() if re.search(r"import _core\b", path.read_text())]
    assert [name(path) for path in others] == ["_backend.py"]


def test_pydicom_is_imported_only_where_a_data_set_is_met() -> None:
    users = {name(path) for path in modules() if any(module.startswith("pydicom") for module in imports(path))}
    # Peers are compared with it and through it.
    users = {user for user in users if not user.startswith("bench/")}
    assert users <= {
        "_sources/dataset.py",
        "_sources/pydicom_reader.py",
        "_sources/base.py",
        "_sources/file.py",
        "_sources/values.py",
        "_fallback_decoders/pydicom_plugins.py",
        "_fallback_decoders/_worker.py",
        "_image.py",
        "plugins/_order.py",
        "plugins/pydicom_v2.py",
        "plugins/pydicom_v3.py",
        "plugins/pydicom_v3_encoder.py",
    }
    for path in modules():
        # pydicom itself imports these.
        if name(path) not in ("plugins/pydicom_v3.py", "plugins/pydicom_v3_encoder.py"):
            assert not any(module.startswith("pydicom") for module in imports(path, top_level=True)), name(path)


def test_commands_are_on_top() -> None:
    below = {
        "_backend",
        "_capabilities",
        "_clock",
        "_decode",
        "_extras",
        "_fallback_decoders",
        "_image",
        "_pixels",
        "_arguments",
        "_text_format",
        "bench",
        "bulk",
        "cli",
        "plugins",
    }
    for path in modules():
        of_ours = {module.split(".")[1] for module in imports(path) if module.startswith("dicoxide.")}
        if path.parent.name == "cli":
            assert of_ours - {"errors"} <= below, path
        elif name(path) != "__main__.py":
            assert "cli" not in of_ours, path


def test_only_the_command_line_knows_the_comparison() -> None:
    for path in modules():
        of_ours = {module.split(".")[1] for module in imports(path) if module.startswith("dicoxide.")}
        if not name(path).startswith(("bench/", "cli/")):
            assert "bench" not in of_ours, path


def test_bulk_is_on_top_of_the_direct_interface() -> None:
    # `_sources` is what reads headers, of many files at once.
    below = {
        "_backend",
        "_decode",
        "_extras",
        "_image",
        "_deviations",
        "_options",
        "_arguments",
        "_sources",
        "_threads",
        "_transfer_syntaxes",
    }
    below |= {"bulk", "errors"}
    for path in [*(PYTHON / "bulk").rglob("*.py"), PYTHON / "dask.py"]:
        of_ours = {module.split(".")[1] for module in imports(path) if module.startswith("dicoxide.")}
        assert of_ours <= below, path


def test_series_know_nothing_of_runs() -> None:
    for path in [*(PYTHON / "bulk" / "series").glob("*.py"), PYTHON / "dask.py"]:
        assert not [module for module in imports(path) if module.startswith("dicoxide.bulk.runs")], path
    for path in (PYTHON / "bulk").glob("_*.py"):
        if path.name != "__init__.py":
            assert not [module for module in imports(path) if re.match(r"dicoxide\.bulk\.(series|runs)", module)], path


def test_no_module_imports_a_private_module_of_another_package() -> None:
    for path in modules():
        package = ("dicoxide", *path.relative_to(PYTHON).parts[:-1])
        for module in imports(path):
            parts = module.split(".")
            # A private module belongs to the package that contains it, and to that package's subpackages.
            owners = [parts[:index] for index, part in enumerate(parts) if index and re.match(r"_[a-z]", part)]
            if parts[0] == "dicoxide" and (PYTHON.parent / Path(*parts)).with_suffix(".py").exists():
                assert all(list(package[: len(owner)]) == owner for owner in owners), (name(path), module)


def test_modules_import_each_other_without_circles() -> None:
    known = {".".join(path.relative_to(PYTHON.parent).with_suffix("").parts): path for path in modules()}
    known = {module.removesuffix(".__init__"): path for module, path in known.items()}
    order = TopologicalSorter({module: _imported(path, set(known)) for module, path in known.items()})
    order.prepare()


def _imported(path: Path, known: set[str]) -> set[str]:
    """Modules that are executed when the module `path` is; a package counts only if a name of its own is imported."""
    imported = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module in known:
            targets = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= (targets & known) | ({node.module} if targets - known else set())
    return imported


def test_only_one_module_knows_dask() -> None:
    users = [
        name(path)
        for path in modules()
        if re.search(r"""import (dask|distributed)\b|_module\("dask""", path.read_text())
    ]
    assert users == ["dask.py"]


def test_one_module_reads_a_clock() -> None:
    clocks = {"time", "timeit"}
    users = {name(path) for path in modules() if clocks & {module.partition(".")[0] for module in imports(path)}}
    assert users == {"_clock.py"}
    # A calendar is no clock, unless it is asked for today.
    requested = {
        name(path) for path in modules() if re.search(r"\bdate(time)?\.(now|utcnow|today)\(", path.read_text())
    }
    assert requested == {"_clock.py"}


def test_optional_packages_are_imported_when_they_are_used() -> None:
    optional = {
        "zarr",
        "google_crc32c",
        "nibabel",
        "PIL",
        "rich",
        "dask",
        "distributed",
        "vl_convert",
        "altair",
        "jinja2",
    }
    for path in modules():
        assert not optional & {module.partition(".")[0] for module in imports(path, top_level=True)}, path


def test_importing_dicoxide_imports_neither_pydicom_nor_much_else() -> None:
    done = run_script("print_imported_modules")
    new = {module.partition(".")[0] for module in done.stdout.split()}
    assert not new & {"pydicom", "PIL", "pandas", "argparse", "asyncio", "multiprocessing", "http"}


def test_the_fallback_is_plain_numpy() -> None:
    for path in (PYTHON / "_numpy_backend").glob("*.py"):
        for module in imports(path):
            root = module.partition(".")[0]
            assert root in {"numpy", "dicoxide", "__future__"} or root in sys.stdlib_module_names, (path.name, module)
            assert not module.startswith("dicoxide.") or module.startswith(
                (
                    "dicoxide._numpy_backend",
                    "dicoxide._deviations",
                    "dicoxide._frame",
                    "dicoxide._options",
                    "dicoxide._transfer_syntaxes",
                    "dicoxide.errors",
                )
            )


def test_errors_know_nobody() -> None:
    assert not [module for module in imports(PYTHON / "errors.py") if module.startswith("dicoxide")]


# Modules of the core, and the modules that each may name. The crate root only re-exports, so no module names it.
CORE_LAYERS: dict[str, set[str]] = {
    "error": set(),
    "syntax": set(),
    "parallel": set(),
    "codestream": set(),
    "limits": {"error"},
    "sample": {"error"},
    "value": {"error", "limits"},
    "frame": {"error", "sample"},
    "kernel": {"sample"},
    "output": {"error", "frame", "kernel", "limits", "sample"},
    "pixel": {"error", "kernel", "output", "sample"},
    "encode": {"error", "output", "sample"},
    "codec": {
        "codestream",
        "error",
        "frame",
        "kernel",
        "limits",
        "output",
        "parallel",
        "sample",
        "syntax",
        "value",
    },
    "decode": {"codec", "codestream", "error", "frame", "limits", "output", "sample", "syntax", "value"},
    "frames": {"codec", "decode", "error", "frame", "limits", "output", "parallel", "sample", "syntax", "value"},
}
CRATE_ROOT = "lib"


@pytest.mark.parametrize("module", sorted(CORE_LAYERS))
def test_core_modules_name_only_those_below(module: str) -> None:
    single = CORE / f"{module}.rs"
    files = ([single] if single.exists() else []) + sorted((CORE / module).rglob("*.rs"))
    assert files
    for path in files:
        if path.name == "tests.rs" or "tests" in path.parts:
            continue
        text = re.sub(r"//.*", "", path.read_text().split("#[cfg(test)]")[0])
        named = {name if name in CORE_LAYERS else CRATE_ROOT for name in re.findall(r"\bcrate::(\w+)", text)}
        for group in re.findall(r"\bcrate::\{([^}]*)\}", text):
            named |= {name if name in CORE_LAYERS else CRATE_ROOT for name in re.findall(r"(\w+)(?:::\w+)?,?", group)}
        assert named - {module} <= CORE_LAYERS[module], path


def test_core_layers_have_no_circle() -> None:
    remaining = dict(CORE_LAYERS)
    while remaining:
        lowest = [module for module, below in remaining.items() if not below & remaining.keys()]
        assert lowest, f"circle among {sorted(remaining)}"
        for module in lowest:
            del remaining[module]


def test_no_codec_knows_another() -> None:
    shared = {"agreement", "decoder", "entropy_mode", "identify", "mod", "options", "t81", "undecoded"}
    codecs = [path for path in (CORE / "codec").iterdir() if path.stem not in shared]
    for path in codecs:
        files = [path] if path.is_file() else list(path.rglob("*.rs"))
        for codec in codecs:
            if codec != path:
                assert not any(re.search(rf"codec::{codec.stem}\b|super::{codec.stem}\b", f.read_text()) for f in files)


def test_unsafe_has_one_room() -> None:
    for path in (ROOT / "rust").rglob("*.rs"):
        if "target" in path.parts:
            continue
        code = re.sub(r"//.*", "", path.read_text())
        if re.search(r"\bunsafe\b(?!_)", code):
            where = path.relative_to(ROOT / "rust").as_posix()
            # The binding's is for memory that the interpreter hands out unfilled, and that arrays had before.
            allowed = r"core/src/kernel/(cpu\.rs|\w+/(x86|x86_v4|mod)\.rs)|py/src/arrays\.rs"
            assert re.fullmatch(allowed, where), where


def test_every_public_name_is_documented_and_typed() -> None:
    import dicoxide

    for public in dicoxide.__all__:
        value = getattr(dicoxide, public)
        assert value.__doc__, public
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.returns is not None, (path.name, node.name)


SOURCES = [
    path
    for pattern in ("*.py", "*.pyi", "*.rs", "*.md", "*.toml", "Makefile", "run")
    for path in ROOT.rglob(pattern)
    if not {"target", ".venv", ".git", "node_modules"} & set(path.parts)
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_leave_nothing_for_later(path: Path) -> None:
    text = path.read_text()
    if path == Path(__file__):
        return
    assert not re.search(r"\b(TODO|FIXME|XXX)\b|todo!\(|unimplemented!\(", text)
    assert not re.search(r"/(work|tmp|root|home)/\w", text), "a path of one machine"


def test_files_are_as_long_as_one_reads_at_once() -> None:
    # Each that is longer says why here.
    allowed: dict[str, str] = {}
    for path in [*modules(), *(ROOT / "rust").rglob("src/**/*.rs")]:
        if "target" not in path.parts and path.relative_to(ROOT).as_posix() not in allowed:
            assert len(path.read_text().splitlines()) <= 450, path
