"""Files read by the core: attributes and frames are those of pydicom's reading."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import dicoxide
from conftest import pydicom_files, shared_files
from dicoxide._attributes import KEYWORDS
from dicoxide._of_dataset import describe, read
from dicoxide._open import open_source

FILES = [*pydicom_files(), *shared_files()]
pytestmark = pytest.mark.skipif(
    dicoxide.backend != "rust", reason="pydicom reads files where the extension is not there"
)

# What pydicom refuses to open, or what of its reading decoding refuses, though we read it; and why we may.
WE_READ: dict[str, str] = {}
# Where both refuse for reasons that are told differently.
DIFFERENT_REASONS: dict[str, str] = {}


def outcome(work: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return work()
        except (dicoxide.DecodeError, OSError) as error:
            return error


def plain(value: Any) -> Any:
    """Attributes as what `==` compares, errors by their class."""
    if isinstance(value, dicoxide.Attributes):
        return {keyword: plain(outcome(lambda keyword=keyword: value[keyword])) for keyword in value}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return type(value) if isinstance(value, Exception) else value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_header_is_that_of_pydicom(path: Path) -> None:
    expected = outcome(lambda: describe(read(path)))
    found = outcome(lambda: open_source(path))
    if path.name in WE_READ:
        assert isinstance(expected, Exception)
        assert not isinstance(found, Exception)
        return
    if isinstance(expected, Exception):
        assert type(found) is type(expected), (found, expected)
        if path.name not in DIFFERENT_REASONS:
            assert str(found) == str(expected)
        return
    assert not isinstance(found, Exception), found
    assert (found.spec, found.number_of_frames) == (expected.spec, expected.number_of_frames)
    ours, theirs = plain(found.attributes), plain(expected.attributes)
    assert ours == theirs
    assert set(ours) <= set(KEYWORDS)
    count = found.number_of_frames or 1
    indices = list(range(count))
    assert outcome(lambda: found.rescales(indices)) == outcome(lambda: expected.rescales(indices))
    assert found.has_modality_lut == expected.has_modality_lut


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_frames_are_those_of_pydicoms_reading(path: Path) -> None:
    dataset = outcome(lambda: pydicom.dcmread(path, force=True))
    expected = outcome(lambda: dicoxide.decode(dataset, fallback=False))
    for src in (path, path.read_bytes()):
        found = outcome(lambda src=src: dicoxide.decode(src, fallback=False))
        if isinstance(expected, Exception):
            assert type(found) is type(expected) or path.name in WE_READ, (found, expected)
        else:
            assert found.dtype == expected.dtype
            assert np.array_equal(found, expected)


def test_neither_pydicom_nor_much_else_is_imported_to_decode_a_file() -> None:
    path = next(path for path in FILES if path.name == "CT_small.dcm")
    code = (
        "import sys, dicoxide\n"
        f"with dicoxide.open({str(path)!r}) as image:\n"
        "    image[0], image.attributes['PixelSpacing'], dict(image.attributes)\n"
        "print('pydicom' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
