"""Renderings of the extension and the NumPy backend: equal to a plain float64 reference, and their errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicoxide import _numpy_backend
from dicoxide._frame import FrameSpec
from dicoxide._options import DecodeOptions
from dicoxide.errors import CorruptFrameError, TruncatedFrameError
from support.examples import examples
from support.processes import environment, run_script

_core = pytest.importorskip("dicoxide._core", reason="the compiled extension is not there")

BACKENDS = [pytest.param(_core, id="rust"), pytest.param(_numpy_backend, id="numpy")]
MAX_OUTPUT = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]

Array = npt.NDArray[Any]


def window(x: float, function: str, center: float, width: float, largest: float) -> float:
    """Return the unrounded output of one modality value (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            return float(largest / (1 + np.exp(np.float64(-4 * (x - center) / width))))
    c, w = (center - 0.5, width - 1) if function == "LINEAR" else (center, width)
    if x <= c - w / 2:
        return 0.0
    if x > c + w / 2:
        return largest
    return math.nan if math.isnan(x) else ((x - c) / w + 0.5) * largest


def rounded(values: list[float], dtype: str) -> Array:
    return np.array(values, np.float64).astype(dtype) if dtype == "float32" else np.rint(values).astype(dtype)


@st.composite
def stored_values(draw: st.DrawFn) -> tuple[Array, int]:
    """Draw values of one of the ten types, and their bits stored."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    if dtype.kind == "f":
        numbers = st.floats(width=16 if dtype.itemsize < 4 else 32, allow_nan=True, allow_infinity=True)
        return np.array(draw(st.lists(numbers, max_size=200)), dtype), dtype.itemsize * 8
    bits = draw(st.integers(1, dtype.itemsize * 8)) if dtype.itemsize <= 2 else dtype.itemsize * 8
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)
    near = st.integers(max(low, -3000), min(high, 5000))
    return np.array(draw(st.lists(near | st.integers(low, high), max_size=200)), dtype), bits


slopes = st.sampled_from([1.0, 0.0, -1.0, 0.5, 0.1, -0.37, 1e-9]) | st.floats(-50, 50)
intercepts = st.sampled_from([0.0, -1024.0, 0.3, 1e6])
centers = st.integers(-3000, 5000).map(float) | st.floats(-1000, 1000)
widths = st.sampled_from([1.0, 2.0, 256.0, 400.0, 4096.0, 65536.0, 1e12]) | st.floats(1, 1e5)
paddings = st.sampled_from([None, (-2000, -2000), (0, 63), (-(2**40), -1)])


@examples(600)
@given(
    stored_values(),
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    centers,
    widths,
    st.none() | st.tuples(slopes, intercepts),
    st.booleans(),
    paddings,
    st.sampled_from(list(MAX_OUTPUT)),
)
def test_render_into_window_equals_plain_float64(
    stored: tuple[Array, int],
    function: str,
    center: float,
    width: float,
    transform: tuple[float, float] | None,
    inverted: bool,
    padding: tuple[int, int] | None,
    dtype: str,
) -> None:
    values, bits = stored
    largest = MAX_OUTPUT[dtype]
    expected = []
    for stored_value in values.astype(np.float64).tolist():
        x = stored_value if transform is None else stored_value * transform[0] + transform[1]
        y = window(x, function, center, width, largest)
        y = largest - y if inverted else y
        is_padding = padding is not None and padding[0] <= stored_value <= padding[1]
        expected.append(0.0 if math.isnan(x) or is_padding else y)
    for core in (_core, _numpy_backend):
        rendering = core.Rendering.grayscale(
            values.dtype.name,
            bits,
            (function, center, width),
            transform=transform,
            inverted=inverted,
            padding=padding,
            dtype=dtype,
        )
        out = np.empty(values.shape, dtype)
        core.render_into(values, rendering, out)
        if function == "SIGMOID" and dtype != "uint8":
            # The exponential functions of NumPy and of the C library differ in the last bit.
            np.testing.assert_allclose(out.astype(float), rounded(expected, dtype).astype(float), rtol=1e-7, atol=1)
        else:
            np.testing.assert_array_equal(out, rounded(expected, dtype))


@pytest.mark.parametrize("core", BACKENDS)
def test_render_into_ct_window_gives_the_outputs_of_the_formula(core: Any) -> None:
    # W = 400, C = 40: ((x - 39.5) / 399 + 0.5) × 255.
    stored = np.array([-160, -129, 65, 194, 239, 240], np.int16) + 1024
    rendering = core.Rendering.grayscale("int16", 16, ("LINEAR", 40, 400), transform=(1.0, -1024.0))
    out = np.empty(6, np.uint8)
    core.render_into(stored, rendering, out)
    assert out.tolist() == [0, 20, 144, 226, 255, 255]


@pytest.mark.parametrize("core", BACKENDS)
@pytest.mark.parametrize("dtype", list(MAX_OUTPUT))
@pytest.mark.parametrize("bits", [8, 12, 16], ids="{}_bits".format)
def test_render_into_voi_lut_clamps_and_scales_entries(core: Any, dtype: str, bits: int) -> None:
    entries = np.array([0, 1, 3, 100, (1 << bits) - 1], np.uint16)
    rendering = core.Rendering.grayscale("int16", 16, (core.LookupTable(-2, entries), bits), dtype=dtype)
    stored = np.array([-32768, -3, -2, -1, 0, 1, 2, 3, 32767], np.int16)
    index = np.clip(stored.astype(int) + 2, 0, 4)
    expected = entries[index].astype(float) / ((1 << bits) - 1) * MAX_OUTPUT[dtype]
    out = np.empty(stored.shape, dtype)
    core.render_into(stored, rendering, out)
    np.testing.assert_array_equal(out, rounded(expected.tolist(), dtype))


@pytest.mark.parametrize("core", BACKENDS)
@pytest.mark.parametrize("first_mapped", [0, -32768], ids=["unsigned", "signed"])
def test_render_into_voi_lut_of_65536_entries_has_one_per_value(core: Any, first_mapped: int) -> None:
    stored = np.arange(65536).astype(np.uint16) if first_mapped == 0 else np.arange(-32768, 32768).astype(np.int16)
    entries = np.arange(65536)[::-1].astype(np.uint16)
    voi = (core.LookupTable(first_mapped, entries), 16)
    out = np.empty(stored.shape, np.uint16)
    core.render_into(stored, core.Rendering.grayscale(stored.dtype.name, 16, voi, dtype="uint16"), out)
    np.testing.assert_array_equal(out, entries)


@pytest.mark.parametrize("core", BACKENDS)
def test_render_into_modality_lut_comes_before_the_window(core: Any) -> None:
    table = core.LookupTable(1, np.array([0, 500, 1000], np.uint16))
    stored = np.array([0, 1, 2, 3, 9], np.uint8)
    out = np.empty(5, np.uint8)
    core.render_into(stored, core.Rendering.grayscale("uint8", 8, ("RANGE", 0, 1000), transform=table), out)
    assert out.tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("core", BACKENDS)
def test_render_into_values_in_no_range_are_lowest_also_if_inverted(core: Any) -> None:
    ranges = core.ValueRanges([(0, 10, (2.0, 0.0)), (20, 22, np.array([5.0, np.nan, 20.0]))])
    stored = np.array([-1, 0, 10, 11, 20, 21, 22, 23], np.int32)
    rendering = core.Rendering.grayscale("int32", 32, ("RANGE", 0, 20), transform=ranges, inverted=True)
    out = np.empty(8, np.uint8)
    core.render_into(stored, rendering, out)
    assert out.tolist() == [0, 255, 0, 0, 191, 0, 0, 0]


@pytest.mark.parametrize("core", BACKENDS)
@pytest.mark.parametrize("entry_type", list(MAX_OUTPUT))
@pytest.mark.parametrize("shape", [(5,), (5, 3)], ids=["gray", "rgb"])
@pytest.mark.parametrize("stored_type", TYPES[:8])
def test_render_into_palette_clamps_at_both_ends(
    core: Any, entry_type: str, shape: tuple[int, ...], stored_type: str
) -> None:
    entries = (np.arange(math.prod(shape)) * 17 % 251).reshape(shape).astype(entry_type)
    limits = np.iinfo(stored_type)
    stored = np.array([limits.min, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, limits.max] * 30, stored_type)
    out = np.empty(stored.shape + shape[1:], entry_type)
    core.render_into(stored, core.Rendering.table(3, entries), out)
    expected = entries[[min(max(int(value) - 3, 0), 4) for value in stored]]
    np.testing.assert_array_equal(out, expected)


def decode(core: Any, stored: Array, rendering: Any, out: Array, bits: int, **attributes: Any) -> None:
    spec = FrameSpec(
        "1.2.840.10008.1.2.1",
        rows=stored.shape[1],
        columns=stored.shape[2],
        samples_per_pixel=stored.shape[3] if stored.ndim == 4 else 1,
        bits_allocated=stored.itemsize * 8,
        bits_stored=bits,
        high_bit=bits - 1,
        pixel_representation=int(stored.dtype.kind == "i"),
        photometric_interpretation=attributes.pop("photometric", "MONOCHROME2"),
        planar_configuration=0,
    )
    frames = core.Frames(spec, stored.tobytes(), len(stored))
    renderings = rendering if isinstance(rendering, list) else [rendering]
    frames.decode_into(out, range(len(stored)), DecodeOptions(**attributes), transforms=renderings)


@pytest.mark.parametrize("core", BACKENDS)
@pytest.mark.parametrize("dtype", list(MAX_OUTPUT))
@pytest.mark.parametrize("stored_type", ["uint8", "int8", "uint16", "int16"])
def test_decode_into_with_bits_above_bits_stored_ignores_them(core: Any, dtype: str, stored_type: str) -> None:
    stored = np.random.default_rng(1).integers(0, 1 << 16, (3, 7, 11)).astype(stored_type)
    bits = stored.itemsize * 8 - 3
    values = stored << 3 >> 3
    renderings = [
        core.Rendering.grayscale(stored_type, bits, (function, 5, 40), inverted=inverted, dtype=dtype)
        for function, inverted in [("LINEAR", False), ("LINEAR", True), ("SIGMOID", False)]
    ]
    out = np.empty(stored.shape, dtype)
    decode(core, stored, renderings, out, bits)
    expected = np.empty_like(out)
    for frame, rendering, target in zip(values, renderings, expected, strict=True):
        core.render_into(frame, rendering, target)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("core", BACKENDS)
def test_decode_into_with_rgb_palette_has_three_samples_per_pixel(core: Any) -> None:
    stored = np.arange(2 * 5 * 7, dtype=np.uint8).reshape(2, 5, 7)
    entries = np.arange(60, dtype=np.uint8)[:, None] * np.array([1, 2, 3], np.uint8)
    out = np.zeros((2, 5, 7, 3), np.uint8)
    decode(core, stored, core.Rendering.table(0, entries), out, 8, photometric="PALETTE COLOR")
    np.testing.assert_array_equal(out, entries[np.minimum(stored, 59)])
    with pytest.raises(ValueError, match=r"output holds 70 samples, 2 frames of 105 expected"):
        decode(core, stored, core.Rendering.table(0, entries), out[..., 0].copy(), 8, photometric="PALETTE COLOR")


@pytest.mark.parametrize("core", BACKENDS)
def test_decode_into_colour_renders_each_sample_after_conversion_to_rgb(core: Any) -> None:
    stored = np.random.default_rng(2).integers(0, 256, (1, 6, 5, 3), np.uint8)
    rgb = np.empty_like(stored)
    decode(core, stored, [], rgb, 8, photometric="YBR_FULL", to_rgb=True)
    out = np.empty(stored.shape, np.uint16)
    rendering = core.Rendering.grayscale("uint8", 8, ("RANGE", 0, 255), dtype="uint16")
    decode(core, stored, rendering, out, 8, photometric="YBR_FULL", to_rgb=True)
    np.testing.assert_array_equal(out, rgb.astype(np.uint16) * 257)


@pytest.mark.parametrize("core", BACKENDS)
def test_decode_into_wider_type_has_converted_colour(core: Any) -> None:
    stored = np.random.default_rng(3).integers(0, 256, (1, 6, 5, 3), np.uint8)
    rgb, wide = np.empty_like(stored), np.empty(stored.shape, np.uint16)
    decode(core, stored, [], rgb, 8, photometric="YBR_FULL", to_rgb=True)
    decode(core, stored, [], wide, 8, photometric="YBR_FULL", to_rgb=True)
    np.testing.assert_array_equal(wide, rgb)


INVALID: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "linear width": (
        lambda c: c.Rendering.grayscale("int16", 16, ("LINEAR", 0, 0.5)),
        CorruptFrameError,
        "C.11.2.1.2.1",
    ),
    "exact width": (
        lambda c: c.Rendering.grayscale("int16", 16, ("LINEAR_EXACT", 0, 0)),
        CorruptFrameError,
        "C.11.2.1.3",
    ),
    "sigmoid width": (
        lambda c: c.Rendering.grayscale("int16", 16, ("SIGMOID", 0, -1)),
        CorruptFrameError,
        "C.11.2.1.3",
    ),
    "center": (lambda c: c.Rendering.grayscale("int16", 16, ("LINEAR", math.nan, 2)), CorruptFrameError, "finite"),
    "range": (lambda c: c.Rendering.grayscale("int16", 16, ("RANGE", 2, 1)), ValueError, "range from 2 to 1"),
    "function": (lambda c: c.Rendering.grayscale("int16", 16, ("linear", 2, 1)), ValueError, "VOI function linear"),
    "bits": (lambda c: c.Rendering.grayscale("int16", 17, ("LINEAR", 2, 1)), ValueError, "17 bits stored"),
    "dtype": (lambda c: c.Rendering.grayscale("int16", 16, ("LINEAR", 2, 1), dtype="int8"), ValueError, "not int8"),
    "slope": (
        lambda c: c.Rendering.grayscale("int16", 16, ("LINEAR", 2, 1), transform=(math.inf, 0.0)),
        ValueError,
        "slope inf",
    ),
    "no entries": (lambda c: c.Rendering.table(0, np.empty((0, 3), np.uint8)), CorruptFrameError, "0 entries"),
    "entries": (lambda c: c.Rendering.table(0, np.empty(65537, np.uint8)), CorruptFrameError, "65537 entries"),
    "entry type": (lambda c: c.Rendering.table(0, np.empty(2, np.int16)), ValueError, "palette of int16"),
    "components": (lambda c: c.Rendering.table(0, np.empty((2, 2), np.uint8)), ValueError, "shape"),
}


@pytest.mark.parametrize("core", BACKENDS)
@pytest.mark.parametrize("case", INVALID)
def test_rendering_with_invalid_arguments_raises(core: Any, case: str) -> None:
    create, error, message = INVALID[case]
    with pytest.raises(error, match=message):
        create(core)


@pytest.mark.parametrize("core", BACKENDS)
def test_render_into_other_types_or_sizes_raises(core: Any) -> None:
    rendering = core.Rendering.grayscale("int16", 16, ("LINEAR", 2, 5))
    palette = core.Rendering.table(0, np.zeros(3, np.uint8))
    for src, used, out, message in [
        (np.zeros(3, np.uint16), rendering, np.zeros(3, np.uint8), "rendering of int16, stored values are uint16"),
        (np.zeros(3, np.int16), rendering, np.zeros(3, np.uint16), "output of uint16, rendered samples are uint8"),
        (np.zeros(3, np.int16), rendering, np.zeros(4, np.uint8), "output holds 4 samples, 3 expected"),
        (np.zeros(3, np.float32), palette, np.zeros(3, np.uint8), "palette for float samples"),
    ]:
        with pytest.raises(ValueError, match=message):
            core.render_into(src, used, out)


@pytest.mark.parametrize("core", BACKENDS)
def test_value_range_leaves_out_padding_nan_and_infinities(core: Any) -> None:
    words = np.array([-2000, -1024, 3071], np.int16)
    assert core.value_range(words) == (-2000, 3071)
    assert core.value_range(words, (-2000, -1500)) == (-1024, 3071)
    assert core.value_range(words, (-5000, 5000)) is None
    assert core.value_range(np.array([np.nan, 1.5, np.inf, -2], np.float32)) == (-2, 1.5)
    assert core.value_range(np.empty(0, np.uint8)) is None


@pytest.mark.parametrize("core", BACKENDS)
@pytest.mark.parametrize("shape", [(9, 12), (9, 12, 3)], ids=["gray", "rgb"])
@pytest.mark.parametrize("origin", [(0, 0), (2, 3), (-2, -3), (7, 10), (-4, 0), (9, 0), (0, -5)], ids=str)
def test_burn_overlay_sets_pixels_within_the_frame(core: Any, shape: tuple[int, ...], origin: tuple[int, int]) -> None:
    bits = np.random.default_rng(4).integers(0, 2, (4, 5))
    plane = np.packbits(np.concatenate([[0, 1, 0], bits.reshape(-1)]), bitorder="little").tobytes()
    frame = np.zeros(shape, np.uint8)
    core.burn_overlay(frame, plane, 4, 5, *origin, 200, 3)
    expected = np.zeros(shape, np.uint8)
    for row, column in zip(*np.nonzero(bits), strict=True):
        if 0 <= row + origin[0] < 9 and 0 <= column + origin[1] < 12:
            expected[row + origin[0], column + origin[1]] = 200
    np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize("core", BACKENDS)
def test_burn_overlay_plane_too_short_raises(core: Any) -> None:
    with pytest.raises(TruncatedFrameError, match=r"overlay plane has 1 bytes, at least 2 expected"):
        core.burn_overlay(np.zeros((3, 3), np.uint8), b"\xff", 3, 3, 0, 0, 255)


def test_render_into_at_every_cpu_level_gives_equal_samples() -> None:
    levels = ("portable", "x86-64-v3", "x86-64-v4")
    outputs = {run_script("hash_rendered_samples", env=environment(DICOXIDE_CPU=level)).stdout for level in levels}
    assert len(outputs) == 1
