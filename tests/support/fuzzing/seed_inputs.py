"""Seed inputs of the targets: corpora of the Rust targets, small real files, and values of their elements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from dicoxide._sources.attributes import _DICTIONARY
from support.file_mutations import source_files
from support.fuzzing.targets import FILE_CHOICE_BYTES
from support.real_images import ROOT

CORPUS = ROOT / "rust" / "fuzz" / "corpus"
# Targets whose inputs have the layout of the Rust target `decode`.
_IMAGE_TARGETS = ("plugin", "handler", "backends")
_VALUE_BYTES = 64


def seeds(target: str, max_bytes: int) -> Iterator[bytes]:
    """Return the seed inputs of a target that have at most `max_bytes` bytes."""
    if target in _IMAGE_TARGETS:
        inputs = _folder("decode")
    elif target == "values":
        inputs = _values()
    else:
        inputs = _whole_files()
    return (data for data in inputs if len(data) <= max_bytes)


def write(target: str, folder: Path, max_bytes: int) -> None:
    """Write each seed to a file named by its SHA-1, as libFuzzer does."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(target, max_bytes):
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def _folder(name: str) -> Iterator[bytes]:
    return (path.read_bytes() for path in sorted((CORPUS / name).iterdir()))


def _whole_files() -> Iterator[bytes]:
    """Yield whole files, each after different choice bytes."""
    files = [*_folder("part10"), *(path.read_bytes() for path in source_files.files(shared=False).values())]
    for number, data in enumerate(files):
        yield (number * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(FILE_CHOICE_BYTES, "little") + data


def _values() -> Iterator[bytes]:
    """Yield values of known attributes, after the bytes that select the attribute."""
    indices = {tag: index for index, (tag, _) in enumerate(_DICTIONARY.values())}
    values = set()
    for name in source_files.files(shared=False):
        layout = source_files.layout(name)
        for element in layout.elements:
            if element.tag in indices and not element.is_nesting and element.length <= _VALUE_BYTES:
                value = layout.data[element.value_offset : element.value_offset + element.length]
                values.add(bytes([indices[element.tag], int(layout.is_big_endian)]) + value)
    yield from sorted(values)
