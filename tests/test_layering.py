"""Imports between modules, use of `unsafe`, and typed public names (ARCHITECTURE.md gives the reasons)."""

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
    """Yield the dotted names of modules that a file imports; with `top_level`, without imports in functions."""
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


def test_extension_is_imported_only_by_the_backend_module() -> None:
    runtime = {name(path) for path in modules() if "dicoxide._core" in set(imports(path, top_level=True))}
    assert runtime == set()
    assert "from dicoxide import _core" in (PYTHON / "_backend.py").read_text()
    importers = [path for path in modules() if re.search(r"import _core\b", path.read_text())]
    assert [name(path) for path in importers] == ["_backend.py"]


def test_pydicom_is_imported_only_by_modules_that_use_data_sets() -> None:
    users = {name(path) for path in modules() if any(module.startswith("pydicom") for module in imports(path))}
    # The benchmark times pydicom, and other decoders as its plugins.
    users = {user for user in users if not user.startswith("bench/")}
    assert users <= {
        "_sources/dataset.py",
        "_sources/dataset_elements.py",
        "_sources/modality_lut.py",
        "_sources/pydicom_reader.py",
        "_sources/base.py",
        "_sources/file.py",
        "_sources/values.py",
        "_fallback_decoders/pydicom_plugins.py",
        "_image.py",
        "plugins/_order.py",
        "plugins/_planes.py",
        "plugins/pydicom_v2.py",
        "plugins/pydicom_v3.py",
        "plugins/pydicom_v3_encoder.py",
    }
    for path in modules():
        # Only pydicom imports the plugin modules.
        if name(path) not in ("plugins/pydicom_v3.py", "plugins/pydicom_v3_encoder.py"):
            assert not any(module.startswith("pydicom") for module in imports(path, top_level=True)), name(path)


def test_cli_is_imported_by_no_module() -> None:
    allowed = {
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
        imported = {module.split(".")[1] for module in imports(path) if module.startswith("dicoxide.")}
        if path.parent.name == "cli":
            assert imported - {"errors"} <= allowed, path
        elif name(path) != "__main__.py":
            assert "cli" not in imported, path


def test_bench_is_imported_only_by_the_command_line() -> None:
    for path in modules():
        imported = {module.split(".")[1] for module in imports(path) if module.startswith("dicoxide.")}
        if not name(path).startswith(("bench/", "cli/")):
            assert "bench" not in imported, path


def test_bulk_imports_only_listed_modules() -> None:
    # `_sources` reads the headers of many files in one call.
    allowed = {
        "_backend",
        "_decode",
        "_extras",
        "_image",
        "_deviations",
        "_options",
        "_arguments",
        "_rendering",
        "_sources",
        "_threads",
        "_transfer_syntaxes",
    }
    allowed |= {"bulk", "errors", "torch"}
    for path in [*(PYTHON / "bulk").rglob("*.py"), PYTHON / "dask.py", *(PYTHON / "torch").glob("*.py")]:
        imported = {module.split(".")[1] for module in imports(path) if module.startswith("dicoxide.")}
        assert imported <= allowed, path


def test_series_modules_do_not_import_runs() -> None:
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


def test_module_imports_are_acyclic() -> None:
    known = {".".join(path.relative_to(PYTHON.parent).with_suffix("").parts): path for path in modules()}
    known = {module.removesuffix(".__init__"): path for module, path in known.items()}
    order = TopologicalSorter({module: _imported(path, set(known)) for module, path in known.items()})
    order.prepare()


def _imported(path: Path, known: set[str]) -> set[str]:
    """Return the modules that `path` imports at top level; a package only for names that its `__init__` defines."""
    imported = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module in known:
            targets = {f"{node.module}.{alias.name}" for alias in node.names}
            imported |= (targets & known) | ({node.module} if targets - known else set())
    return imported


def test_dask_is_imported_only_by_its_module() -> None:
    users = [
        name(path)
        for path in modules()
        if re.search(r"""import (dask|distributed)\b|_module\("dask""", path.read_text())
    ]
    assert users == ["dask.py"]


def test_torch_is_imported_only_by_its_package() -> None:
    users = [
        name(path) for path in modules() if re.search(r"""(import|from) torch\b|_module\("torch""", path.read_text())
    ]
    assert users == ["torch/_dataset.py", "torch/_tensors.py"]


def test_pyav_is_imported_only_by_video_modules() -> None:
    users = {name(path) for path in modules() if any(module.partition(".")[0] == "av" for module in imports(path))}
    # The benchmark compares with PyAV itself, and encodes video to compare.
    users = {user for user in users if not user.startswith("bench/")}
    assert users == {"_video/_conversion.py", "_video/_reader.py"}


def test_clocks_are_read_only_by_the_clock_module() -> None:
    clocks = {"time", "timeit"}
    users = {name(path) for path in modules() if clocks & {module.partition(".")[0] for module in imports(path)}}
    assert users == {"_clock.py"}
    # `datetime` may be imported elsewhere, but not to read the current time.
    readers = {name(path) for path in modules() if re.search(r"\bdate(time)?\.(now|utcnow|today)\(", path.read_text())}
    assert readers == {"_clock.py"}


def test_optional_packages_are_not_imported_at_top_level() -> None:
    optional = {
        "av",
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
        "torch",
    }
    for path in modules():
        assert not optional & {module.partition(".")[0] for module in imports(path, top_level=True)}, path


def test_import_of_dicoxide_does_not_import_slow_modules() -> None:
    done = run_script("print_imported_modules")
    new = {module.partition(".")[0] for module in done.stdout.split()}
    assert not new & {"pydicom", "av", "PIL", "pandas", "argparse", "asyncio", "multiprocessing", "http"}


def test_numpy_backend_imports_only_numpy_and_shared_modules() -> None:
    for path in (PYTHON / "_numpy_backend").glob("*.py"):
        for module in imports(path):
            root = module.partition(".")[0]
            assert root in {"numpy", "dicoxide", "__future__"} or root in sys.stdlib_module_names, (path.name, module)
            assert not module.startswith("dicoxide.") or module.startswith(
                (
                    "dicoxide._numpy_backend",
                    "dicoxide._deviations",
                    "dicoxide._frame",
                    "dicoxide._jpeg_segments",
                    "dicoxide._options",
                    "dicoxide._transfer_syntaxes",
                    "dicoxide.errors",
                )
            )


def test_errors_module_imports_no_other_module() -> None:
    assert not [module for module in imports(PYTHON / "errors.py") if module.startswith("dicoxide")]


# Modules of the core, and the modules that each may use. The crate root only re-exports, so no module uses it.
CORE_LAYERS: dict[str, set[str]] = {
    "error": set(),
    "syntax": set(),
    "parallel": set(),
    "codestream": set(),
    "limits": {"error"},
    "sample": {"error"},
    "value": {"error", "limits"},
    "frame": {"error", "sample"},
    "value_ranges": {"error", "sample"},
    "lookup_table": {"error", "sample", "value_ranges"},
    "rendering": {"error", "lookup_table", "sample", "value_ranges"},
    "kernel": {"lookup_table", "rendering", "sample", "value_ranges"},
    "output": {"error", "frame", "kernel", "limits", "lookup_table", "rendering", "sample"},
    "pixel": {"error", "kernel", "lookup_table", "output", "parallel", "rendering", "sample"},
    "encode": {"error", "kernel", "output", "sample"},
    "codec": {
        "codestream",
        "error",
        "frame",
        "kernel",
        "limits",
        "lookup_table",
        "output",
        "parallel",
        "sample",
        "syntax",
        "value",
    },
    "decode": {
        "codec",
        "codestream",
        "error",
        "frame",
        "limits",
        "lookup_table",
        "output",
        "sample",
        "syntax",
        "value",
    },
    "frames": {
        "codec",
        "decode",
        "error",
        "frame",
        "limits",
        "lookup_table",
        "output",
        "parallel",
        "sample",
        "syntax",
        "value",
    },
}
CRATE_ROOT = "lib"


@pytest.mark.parametrize("module", sorted(CORE_LAYERS))
def test_core_module_uses_only_lower_layers(module: str) -> None:
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


def test_core_layers_are_acyclic() -> None:
    remaining = dict(CORE_LAYERS)
    while remaining:
        lowest = [module for module, below in remaining.items() if not below & remaining.keys()]
        assert lowest, f"cycle among {sorted(remaining)}"
        for module in lowest:
            del remaining[module]


def test_modules_of_part10_are_acyclic() -> None:
    below = {}
    for path in (ROOT / "rust" / "part10" / "src").glob("*.rs"):
        text = re.sub(r"//.*", "", path.read_text().split("#[cfg(test)]")[0])
        below[path.stem] = set(re.findall(r"\bcrate::(\w+)", text))
    del below[CRATE_ROOT]
    while below:
        lowest = [module for module, used in below.items() if not used & below.keys()]
        assert lowest, f"cycle among {sorted(below)}"
        for module in lowest:
            del below[module]


def test_codec_does_not_use_another_codec() -> None:
    shared = {"agreement", "decoder", "entropy_mode", "identify", "mod", "native_samples", "options", "t81"}
    shared |= {"undecoded", "workspace"}
    codecs = [path for path in (CORE / "codec").iterdir() if path.stem not in shared]
    for path in codecs:
        files = [path] if path.is_file() else list(path.rglob("*.rs"))
        for codec in codecs:
            if codec != path:
                assert not any(re.search(rf"codec::{codec.stem}\b|super::{codec.stem}\b", f.read_text()) for f in files)


def test_unsafe_code_is_only_in_listed_files() -> None:
    for path in (ROOT / "rust").rglob("*.rs"):
        if "target" in path.parts:
            continue
        code = re.sub(r"//.*", "", path.read_text())
        if re.search(r"\bunsafe\b(?!_)", code):
            relative = path.relative_to(ROOT / "rust").as_posix()
            # In the binding: uninitialised bytes objects, memory of arrays that is reused, state of the interpreter.
            allowed = (
                r"core/src/kernel/((cpu|x86_memory)\.rs|\w+/(x86|x86_sse2|x86_v4|mod)\.rs)|py/src/(arrays|guard)\.rs"
            )
            assert re.fullmatch(allowed, relative), relative


def test_public_names_are_documented_and_typed() -> None:
    import dicoxide

    for public in dicoxide.__all__:
        value = getattr(dicoxide, public)
        assert value.__doc__, public
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.returns is not None, (path.name, node.name)
