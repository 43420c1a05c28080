"""Installs the wheel of dist/ into a new environment without a compiler, and runs tests against it: `make test-wheel`.

    python .ci/test_wheel.py [--dist FOLDER] [--work FOLDER] [PYTEST ARGUMENTS]

pip chooses the wheel for the Python that runs this script. The tests run in a copy of the repository without the
sources of the package, with a PATH that has no compiler: what they import is installed from wheels.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILERS = ["cargo", "rustc", "maturin", "cc", "c++", "gcc", "g++", "clang", "cl", "link", "zig"]
# Everything that tests use but the sources of the package.
COPIED = ["Cargo.toml", "CITATION.cff", "README.md", "pyproject.toml", "benches", "docs", "tests"]
# Tests that need neither sources nor packages of extras; more are possible by arguments.
TESTS = ["tests/wheel", "tests/core", "tests/plugins", "tests/sources"]


def main() -> None:
    """Create the environment and run the tests; the exit code is that of the first command that fails."""
    parser = argparse.ArgumentParser(description="Test the wheel of this Python in a new environment.")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="folder of the wheels")
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "test-wheel", help="folder that is replaced")
    arguments, pytest_arguments = parser.parse_known_args()
    shutil.rmtree(arguments.work, ignore_errors=True)
    tree, environment = arguments.work.resolve() / "tree", arguments.work.resolve() / "venv"
    for name in COPIED:
        _copy(ROOT / name, tree / name)
    venv.create(environment, with_pip=True)
    folder = environment / ("Scripts" if os.name == "nt" else "bin")
    python = str(folder / "python")
    variables = _variables(folder)
    if found := [name for name in COMPILERS if shutil.which(name, path=variables["PATH"])]:
        sys.exit(f"PATH of the tests has compilers: {', '.join(found)}")

    def run(*command: str) -> None:
        print("+", *command, flush=True)
        result = subprocess.run([python, *command], cwd=tree, env=variables, check=False)
        if result.returncode:
            sys.exit(result.returncode)

    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    run(*pip, "--upgrade", "pip>=25.1")
    # First the wheel alone, so that no other version of the package is taken from an index.
    run(*pip, "--no-index", "--no-deps", "--find-links", str(arguments.dist.resolve()), f"dicoxide=={_version()}")
    run(*pip, "--only-binary=:all:", f"dicoxide=={_version()}", "--group", "test")
    run("-m", "pytest", "-q", "-m", "not slow and not serial", "-n", "auto", *(pytest_arguments or TESTS))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "_build", "runs")
        shutil.copytree(source, target, ignore=ignored)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _variables(folder: Path) -> dict[str, str]:
    """Return the variables of the commands. PATH has the environment and no folder that may contain a compiler."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CARGO", "RUST"))}
    variables.pop("VIRTUAL_ENV", None)
    folders = [str(folder)]
    if os.name == "nt":
        folders.append(os.path.expandvars(r"%SystemRoot%\System32"))
    return variables | {"PATH": os.pathsep.join(folders), "DICOXIDE_TEST_WHEEL": "1"}


def _version() -> str:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    assert isinstance(version, str)
    return version


if __name__ == "__main__":
    main()
