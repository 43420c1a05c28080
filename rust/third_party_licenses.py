"""Licences of the Rust crates that are compiled into the extension, written to LICENSE-THIRD-PARTY: `make licenses`.

Wheels and the source distribution contain the file. With `--check`, compares it with Cargo.lock and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "LICENSE-THIRD-PARTY"
EXTENSION = "dicoxide-py"

# Licences in the order in which one is chosen if a crate offers several, and the name of the file with the text.
CHOICES = {"MIT": "LICENSE-MIT", "BSD-2-Clause": "LICENSE", "BSD-3-Clause": "LICENSE", "Zlib": "LICENSE"}

HEADER = """\
Third-party software in the compiled extension of dicoxide
==========================================================

dicoxide itself is licensed under MIT or Apache-2.0 (LICENSE-MIT, LICENSE-APACHE). Wheels also contain the following
Rust crates in compiled form. Of several licences that a crate offers, the one given here is used.
rust/third_party_licenses.py writes this file.

The toolchain links two libraries that are no crates:

Rust standard library (https://github.com/rust-lang/rust)
MIT, with the permission notice of the crates below.
Copyright (c) The Rust Project Contributors (https://thanks.rust-lang.org).
Licences of its parts: https://doc.rust-lang.org/COPYRIGHT-library.html.
Tables of Unicode: Unicode-3.0, Copyright (c) 1991-2024 Unicode, Inc.

libunwind of LLVM (https://llvm.org), on Linux
Apache-2.0 WITH LLVM-exception. Copyright (c) the LLVM Project contributors. The text of Apache-2.0 is LICENSE-APACHE.
"""


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description="Write the licences of the crates in the extension.")
    parser.add_argument("--check", action="store_true", help="compare only; exit code 1 if the file is out of date")
    arguments = parser.parse_args()
    text = notices()
    if not arguments.check:
        NOTICES.write_text(text, encoding="utf-8", newline="\n")
    elif not NOTICES.is_file() or NOTICES.read_text(encoding="utf-8") != text:
        print(f"{NOTICES.name} does not match Cargo.lock: run `make licenses`")
        return 1
    return 0


def notices() -> str:
    """Return the content of the file: crates that have the same text of a licence share it."""
    crates_by_text: dict[str, list[dict[str, Any]]] = {}
    for crate in linked_crates():
        crates_by_text.setdefault(licence_text(crate), []).append(crate)
    sections = []
    for text, crates in crates_by_text.items():
        names = [f"{crate['name']} {crate['version']} ({crate['repository']})" for crate in crates]
        sections.append("\n".join(["-" * 80, *names, "", text, ""]))
    return "\n".join([HEADER, *sections])


def linked_crates() -> list[dict[str, Any]]:
    """Return the packages whose code is in the extension on some platform, by name; not procedural macros."""
    command = ["cargo", "metadata", "--locked", "--format-version=1"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    linked: set[str] = set()
    pending = [package["id"] for package in packages.values() if package["name"] == EXTENSION]
    while pending:
        crate = pending.pop()
        if crate in linked or any("proc-macro" in target["kind"] for target in packages[crate]["targets"]):
            continue
        linked.add(crate)
        pending += [
            dependency["pkg"]
            for dependency in nodes[crate]["deps"]
            # The kind of an ordinary dependency is null.
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        ]
    external = [packages[crate] for crate in linked if packages[crate]["source"] is not None]
    return sorted(external, key=lambda package: (package["name"], package["version"]))


def licence_text(crate: dict[str, Any]) -> str:
    """Return the identifier and the text of the licence that is used of a crate; exits if there is none."""
    identifiers = crate["license"].replace("/", " OR ").split(" OR ")
    folder = Path(crate["manifest_path"]).parent
    for identifier, name in CHOICES.items():
        if identifier not in identifiers:
            continue
        for candidate in [folder / name, folder / "LICENSE", *sorted(folder.glob("LICEN[SC]E*"))]:
            if candidate.is_file():
                lines = candidate.read_text(encoding="utf-8").strip().splitlines()
                return "\n".join([identifier, "", *(line.rstrip() for line in lines)])
    sys.exit(f"{crate['name']}: no text of {crate['license']} is known, extend CHOICES")


if __name__ == "__main__":
    sys.exit(main())
