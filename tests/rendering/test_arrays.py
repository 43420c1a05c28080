"""`apply_window`, `apply_lut` and `apply_palette`."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

import dicoxide
from support import reference_rendering

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


@pytest.mark.parametrize("name", ["apply_window", "apply_lut", "apply_palette"])
def test_docstring_examples_print_the_shown_results(name: str) -> None:
    names = {"dicoxide": dicoxide, "np": np}
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(dicoxide, name), name, globs=names)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("stored", TYPES)
def test_apply_window_of_any_type_equals_reference(stored: str, function: str, dtype: str) -> None:
    values = np.random.default_rng(1).integers(0, 127, (7, 5, 3)).astype(stored)
    rendered = dicoxide.apply_window(values, 60, 50.5, function, dtype)
    np.testing.assert_array_equal(rendered, reference_rendering.render(values, (function, 60, 50.5), dtype=dtype))


@pytest.mark.parametrize(
    "values",
    [
        np.arange(12, dtype=">i2").reshape(3, 4),
        np.arange(24, dtype=np.int16).reshape(4, 6)[::2, ::3],
        np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
        np.array(5, np.int16),
        np.zeros((0, 3), np.uint8),
    ],
    ids=["big endian", "strided", "Fortran", "scalar", "empty"],
)
def test_apply_window_of_any_layout_equals_reference(values: np.ndarray[Any, Any]) -> None:
    rendered = dicoxide.apply_window(values, 5, 10)
    assert rendered.shape == values.shape
    reference = reference_rendering.render(np.atleast_1d(values), ("LINEAR", 5, 10))
    np.testing.assert_array_equal(rendered, reference.reshape(values.shape))


def test_apply_window_of_nan_and_infinities() -> None:
    values = np.array([np.nan, -np.inf, np.inf, 5.0])
    np.testing.assert_array_equal(dicoxide.apply_window(values, 5.5, 2), [0, 0, 255, 128])


def test_apply_window_writes_into_out() -> None:
    values = np.arange(100, dtype=np.int16)
    out = np.empty(100, np.uint16)
    assert dicoxide.apply_window(values, 50, 100, dtype="uint16", out=out) is out
    np.testing.assert_array_equal(out, reference_rendering.render(values, ("LINEAR", 50, 100), dtype="uint16"))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.zeros(3, np.int16), 0, 0.5), {}, "PS3.3 C.11.2.1.2.1"),
        ((np.zeros(3, np.int16), 0, 0, "SIGMOID"), {}, "PS3.3 C.11.2.1.3.1"),
        ((np.zeros(3, np.int16), 0, 1, "CUBIC"), {}, "function must be one of"),
        ((np.zeros(3, np.int16), 0, 1, None), {}, "function must be"),
        ((np.zeros(3, np.float16), 0, 1), {}, "values of dtype float16"),
        ((np.zeros(3, np.complex64), 0, 1), {}, "values of dtype complex64"),
        ((np.zeros(3, bool), 0, 1), {}, "values of dtype bool"),
        ((np.zeros(3, np.int16), 0, float("inf")), {}, "must be finite"),
        ((np.zeros(3, np.int16), 0, 1), {"dtype": "int8"}, "dtype must be"),
        ((np.zeros(3, np.int16), 0, 1), {"out": np.empty(3, np.uint16)}, "out has dtype uint16"),
        ((np.zeros(3, np.int16), 0, 1), {"out": np.empty(4, np.uint8)}, "out has shape"),
        ((np.zeros(3, np.int16), 0, 1), {"out": np.empty(6, np.uint8)[::2]}, "C-contiguous"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_apply_window_unsuitable_argument_raises(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dicoxide.apply_window(*arguments, **options)


@pytest.mark.parametrize("first", [3, -2, -(1 << 63), (1 << 63) - 1])
@pytest.mark.parametrize("entries", ["u1", "u2", "f4", "i2", "f8"])
@pytest.mark.parametrize("stored", [name for name in TYPES if name[0] != "f"])
def test_apply_lut_of_any_type_clamps(stored: str, entries: str, first: int) -> None:
    limits = np.iinfo(stored)
    values = np.array([limits.min, 0, 3, 5, 7, 100, limits.max], stored)
    table = np.arange(10, 70, 10).astype(entries)
    result = dicoxide.apply_lut(values, table, first)
    indices = [min(max(int(value) - first, 0), 5) for value in values]
    assert result.dtype == table.dtype
    np.testing.assert_array_equal(result, table[indices])


def test_apply_lut_with_colors_adds_an_axis() -> None:
    table = np.arange(30, dtype=np.uint16).reshape(10, 3)
    values = np.array([[-7, 2], [9, 300]], np.int32)
    out = np.empty((2, 2, 3), np.uint16)
    assert dicoxide.apply_lut(values, table, out=out) is out
    np.testing.assert_array_equal(out, table[np.clip(values, 0, 9)])


def test_apply_lut_of_booleans_and_a_list_into_out() -> None:
    out = np.empty(3, np.int64)
    assert dicoxide.apply_lut(np.array([True, False, True]), [-5, 7], out=out) is out
    np.testing.assert_array_equal(out, [7, -5, 7])


@pytest.mark.parametrize(
    ("values", "table", "message"),
    [
        (np.zeros(3, np.float32), np.zeros(4, np.uint8), "values of dtype float32"),
        (np.zeros(3, np.uint8), np.zeros(4, np.complex64), "table has dtype complex64"),
        (np.zeros(3, np.uint8), np.zeros(0, np.uint8), "table has 0 entries"),
        (np.zeros(3, np.uint8), np.zeros(65537, np.uint8), "table has 65537 entries"),
        (np.zeros(3, np.uint8), np.zeros((4, 4), np.uint8), "table has shape"),
    ],
    ids=["float", "complex table", "empty", "too long", "four columns"],
)
def test_apply_lut_unsuitable_argument_raises(values: Any, table: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dicoxide.apply_lut(values, table)


def test_apply_lut_with_first_mapped_of_more_than_64_bits_raises() -> None:
    with pytest.raises(ValueError, match="first_mapped must be"):
        dicoxide.apply_lut(np.zeros(3, np.uint8), np.zeros(4, np.uint8), 1 << 63)


def test_apply_palette_equals_indexing() -> None:
    tables = np.random.default_rng(2).integers(0, 65536, (3, 256)).astype(np.uint16)
    values = np.random.default_rng(3).integers(-10, 300, (20, 30)).astype(np.int16)
    result = dicoxide.apply_palette(values, *tables, first_mapped=5)
    np.testing.assert_array_equal(result, tables.T[np.clip(values - 5, 0, 255)])


def test_apply_palette_with_different_tables_raises() -> None:
    table = np.zeros(4, np.uint8)
    with pytest.raises(ValueError, match="must have one dtype and shape"):
        dicoxide.apply_palette(table, table, table, table[:3])
    with pytest.raises(ValueError, match="must have one dtype and shape"):
        dicoxide.apply_palette(table, table, table, table.astype(np.uint16))
