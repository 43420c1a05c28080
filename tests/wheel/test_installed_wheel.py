"""The installed wheel: `make test-wheel` runs these tests in an environment without a compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

import dicoxide
from support.real_images import ROOT

pytestmark = pytest.mark.skipif(
    "DICOXIDE_TEST_WHEEL" not in os.environ, reason="only `make test-wheel` installs a wheel"
)

SITE_PACKAGES = Path(sysconfig.get_path("platlib"))
IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def wheel_files() -> list[str]:
    files = distribution("dicoxide").files
    assert files is not None
    return [file.as_posix() for file in files]


def test_package_is_imported_from_the_wheel() -> None:
    assert Path(dicoxide.__file__).is_relative_to(SITE_PACKAGES)
    assert dicoxide.backend == "rust"


def test_version_of_the_wheel_is_that_of_the_sources() -> None:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    assert dicoxide.__version__ == distribution("dicoxide").version == version


def test_wheel_has_one_extension_for_this_interpreter() -> None:
    extensions = [name for name in wheel_files() if name.endswith((".so", ".pyd"))]
    suffix = {True: sysconfig.get_config_var("EXT_SUFFIX"), False: ".pyd" if os.name == "nt" else ".abi3.so"}
    assert extensions == [f"dicoxide/_core{suffix[IS_FREE_THREADED]}"]


@pytest.mark.parametrize("name", ["LICENSE-MIT", "LICENSE-APACHE", "LICENSE-THIRD-PARTY"])
def test_wheel_has_licence(name: str) -> None:
    assert [file for file in wheel_files() if file.endswith(f".dist-info/licenses/{name}")]


def test_bill_of_materials_names_the_linked_crates() -> None:
    [name] = [name for name in wheel_files() if name.endswith(".cyclonedx.json")]
    path = Path(str(distribution("dicoxide").locate_file(name)))
    names = {component["name"] for component in json.loads(path.read_text(encoding="utf-8"))["components"]}
    assert {"dicoxide-core", "jxl", "pyo3", "zlib-rs"} <= names


def test_wheel_has_types_and_no_tests() -> None:
    files = wheel_files()
    assert {"dicoxide/py.typed", "dicoxide/_core.pyi"} <= set(files)
    assert [name for name in files if "test" in name or name.endswith(".rs")] == []


def test_command_runs() -> None:
    command = shutil.which("dicoxide")
    assert command is not None
    assert Path(command).is_relative_to(sys.prefix)
    result = subprocess.run([command, "doctor", "--json"], capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(result.stdout)["dicoxide"] == dicoxide.__version__


@pytest.mark.skipif(not IS_FREE_THREADED, reason="needs free-threaded CPython")
def test_import_leaves_the_interpreter_lock_disabled() -> None:
    script = "import dicoxide, sys; print(sys._is_gil_enabled())"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    assert result.stdout == "False\n"


def test_first_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    from code_blocks import read_blocks
    from sample_files import write_sample_files

    write_sample_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in read_blocks((ROOT / "README.md").read_text(encoding="utf-8")):
        if block.language in ("setup", "python"):
            exec(block.source, namespace)
        if block.language == "python":
            break
    assert {name: namespace[name].shape for name in ("arr", "hu", "small")} == {  # type: ignore[attr-defined]
        "arr": (20, 64, 64),
        "hu": (20, 64, 64),
        "small": (20, 16, 16),
    }
