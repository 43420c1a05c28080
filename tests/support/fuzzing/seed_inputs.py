"""Inputs to start from: the corpora of the Rust targets, small real files, and the values of their elements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from dicoxide._sources.attributes import _DICTIONARY
from support.file_mutations import source_files
from support.fuzzing.targets import FILE_CHOICE_BYTES
from support.real_images import ROOT

CORPUS = ROOT / "rust" / "fuzz" / "corpus"
# What chooses an image goes first in those of the Rust target `decode`, as here.
_CHOSEN = ("plugin", "handler", "backends")
_VALUE_BYTES = 64


def seeds(target: str, most_bytes: int) -> Iterator[bytes]:
    """Inputs of a target, none longer than `most_bytes`."""
    if target in _CHOSEN:
        found = _folder("decode")
    elif target == "values":
        found = _values()
    else:
        found = _whole_files()
    return (data for data in found if len(data) <= most_bytes)


def write(target: str, folder: Path, most_bytes: int) -> None:
    """Each as a file, by the name that fuzzers would give it."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(target, most_bytes):
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def _folder(name: str) -> Iterator[bytes]:
    return (path.read_bytes() for path in sorted((CORPUS / name).iterdir()))


def _whole_files() -> Iterator[bytes]:
    """Each with another choice before it."""
    files = [*_folder("part10"), *(path.read_bytes() for path in source_files.files(shared=False).values())]
    for number, data in enumerate(files):
        yield (number * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(FILE_CHOICE_BYTES, "little") + data


def _values() -> Iterator[bytes]:
    """Of the attributes that are known, with what chooses them before."""
    numbers = {tag: number for number, (tag, _) in enumerate(_DICTIONARY.values())}
    found = set()
    for name in source_files.files(shared=False):
        layout = source_files.layout(name)
        for element in layout.elements:
            if element.tag in numbers and not element.is_nesting and element.length <= _VALUE_BYTES:
                value = layout.data[element.value : element.value + element.length]
                found.add(bytes([numbers[element.tag], int(layout.is_big_endian)]) + value)
    yield from sorted(found)
