"""Examples in docstrings of public functions run and print what they show."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import dicoxide

FUNCTIONS = (
    "decode_codestream",
    "decode_frame",
    "jpeg_lossless_encode",
    "jpegls_encode",
    "pack_bits",
    "rescale",
    "rle_encode",
    "unpack_bits",
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_examples_print_the_shown_results(name: str) -> None:
    if name in ("decode_codestream", "jpeg_lossless_encode", "jpegls_encode") and dicoxide.backend != "rust":
        pytest.skip("the NumPy backend has no JPEG")
    names = {"dicoxide": dicoxide, "np": np}
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(dicoxide, name), name, globs=names)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0
