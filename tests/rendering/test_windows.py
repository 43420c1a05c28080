"""Choice and application of windows (PS3.3 C.11.2, C.7.6.16.2.10)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning
from support import reference_rendering
from support.rendering_datasets import item, make_dataset, render_both

RAMP = np.arange(0, 4095, 7, dtype=np.uint16).reshape(5, -1)
CT = {"RescaleSlope": 1, "RescaleIntercept": -1024}


def expected(stored: np.ndarray[Any, Any], voi: tuple[Any, ...], **options: Any) -> np.ndarray[Any, Any]:
    return reference_rendering.render(stored, voi, transform=(1.0, -1024.0), **options)


def ct(**attributes: Any) -> Dataset:
    return make_dataset(RAMP, bits_stored=12, **CT, **attributes)


def test_render_ct_window_gives_values_of_modality_units() -> None:
    stored = np.array([[1024 + value for value in (-129, 66, 194)]], np.uint16)
    dataset = make_dataset(stored, bits_stored=12, **CT)
    # A window that is applied to the stored values after a table of 256 entries gives 23, 162 and 255.
    np.testing.assert_array_equal(render_both(dataset, window=(40, 400)), [[20, 144, 226]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("window", [(40, 400), (100.5, 1), (-1024, 1e6)], ids=["soft", "narrow", "huge"])
def test_render_window_of_function_equals_reference(window: tuple[float, float], function: str, dtype: str) -> None:
    rendered = render_both(ct(), window=window, function=function, dtype=dtype)
    np.testing.assert_array_equal(rendered, expected(RAMP, (function, *window), dtype=dtype))


@pytest.mark.parametrize(
    ("window", "center", "width"),
    [
        ("first", 40, 400),
        (0, 40, 400),
        (-1, -600, 1500),
        ("LUNG", -600, 1500),
        ("  soft tissue ", 40, 400),
        ((10, 20), 10, 20),
    ],
    ids=["default", "index", "negative index", "case", "spaces", "explicit"],
)
def test_render_selection_of_window_uses_that_window(window: Any, center: float, width: float) -> None:
    dataset = ct(WindowCenter=[40, -600], WindowWidth=[400, 1500], WindowCenterWidthExplanation=["Soft Tissue", "Lung"])
    rendered = render_both(dataset, window=window)
    np.testing.assert_array_equal(rendered, expected(RAMP, ("LINEAR", center, width)))


def test_render_windows_with_one_explanation_uses_the_first() -> None:
    dataset = ct(WindowCenter=[40, -600], WindowWidth=[400, 1500], WindowCenterWidthExplanation=["A", "A"])
    np.testing.assert_array_equal(render_both(dataset, window="a"), expected(RAMP, ("LINEAR", 40, 400)))


def test_render_missing_explanations_finds_windows_by_the_others() -> None:
    dataset = ct(WindowCenter=[40, -600], WindowWidth=[400, 1500], WindowCenterWidthExplanation="A")
    np.testing.assert_array_equal(render_both(dataset, window="A"), expected(RAMP, ("LINEAR", 40, 400)))
    with pytest.raises(
        ValueError, match="no window 'B', windows of the image: 0: center 40, width 400, 'A'; 1: center"
    ):
        dicoxide.render(dataset, window="B")


@pytest.mark.parametrize("window", ["Lung", 0, -1], ids=["name", "index", "negative index"])
def test_render_selection_without_windows_raises(window: Any) -> None:
    with pytest.raises(ValueError, match="the image has no windows"):
        dicoxide.render(ct(), window=window)


@pytest.mark.parametrize(
    ("window", "low", "high"),
    [("full", -1024, 3071), ("range", -1024.0, float(RAMP.max()) - 1024)],
    ids=["full", "range"],
)
def test_render_range_uses_modality_values(window: str, low: float, high: float) -> None:
    np.testing.assert_array_equal(render_both(ct(), window=window), expected(RAMP, ("RANGE", low, high)))


def test_render_without_window_uses_range_of_all_frames() -> None:
    frames = np.stack([RAMP // 4, RAMP])
    dataset = make_dataset(frames, frames=2, bits_stored=12)
    rendered = render_both(dataset)
    np.testing.assert_array_equal(rendered, reference_rendering.render(frames, ("RANGE", 0, RAMP.max())))
    alone = render_both(dataset, frames=0)
    np.testing.assert_array_equal(alone, reference_rendering.render(frames[0], ("RANGE", 0, RAMP.max() // 4)))


def test_render_negative_slope_range_is_ordered() -> None:
    dataset = make_dataset(RAMP, bits_stored=12, RescaleSlope=-2, RescaleIntercept=5)
    rendered = render_both(dataset, window="range")
    reference = reference_rendering.render(RAMP, ("RANGE", 5 - 2.0 * RAMP.max(), 5), transform=(-2.0, 5.0))
    np.testing.assert_array_equal(rendered, reference)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float32], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("percentiles", [(1, 99), (0, 100), (50, 50), (12.3, 45.6)], ids=str)
def test_render_percentiles_equal_numpy(percentiles: tuple[float, float], dtype: type) -> None:
    stored = np.random.default_rng(1).integers(0, 120, (9, 11)).astype(dtype)
    dataset = make_dataset(stored, RescaleSlope=0.5, RescaleIntercept=-3)
    if dtype is np.float32:
        stored[2, 3] = np.nan
        dataset.FloatPixelData = stored.tobytes()
    values = reference_rendering.modality_values(stored, (0.5, -3.0))
    low, high = np.percentile(values[~np.isnan(values)], percentiles)
    rendered = render_both(dataset, window=("percentile", *percentiles))
    reference = reference_rendering.render(stored, ("RANGE", low, high), transform=(0.5, -3.0))
    np.testing.assert_array_equal(rendered, reference)


def test_render_repeated_with_other_options_is_not_mixed_up() -> None:
    dataset = ct(WindowCenter=5, WindowWidth=90, PixelPaddingValue=2100)
    requests: list[Any] = [(5, 90), ("percentile", 5, 90), "first", "range", "full", 0]
    once = [render_both(dataset, window=request) for request in requests]
    again = [render_both(dataset, window=request) for request in requests]
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(once[0], once[2])
    assert len({image.tobytes() for image in once}) == 4
    del dataset.PixelPaddingValue
    assert not np.array_equal(render_both(dataset, window=(5, 90)), once[0])


def test_render_reports_deviations_in_each_call() -> None:
    for _ in range(2):
        with pytest.warns(NonConformantWarning, match="Window Center has 2 values"):
            dicoxide.render(ct(WindowCenter=[1, 2], WindowWidth=[5]))


def test_render_percentiles_of_frames_with_different_rescale_equal_numpy() -> None:
    frames = np.random.default_rng(2).integers(0, 4096, (3, 8, 8)).astype(np.uint16)
    slopes = [0.5, 3.0, -1.0]
    groups = [
        item(PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=7, RescaleType="US")])
        for slope in slopes
    ]
    dataset = make_dataset(frames, frames=3, bits_stored=12, PerFrameFunctionalGroupsSequence=groups)
    values = np.stack([frame * slope + 7 for frame, slope in zip(frames, slopes, strict=True)])
    low, high = np.percentile(values, (5, 90))
    rendered = render_both(dataset, window=("percentile", 5, 90))
    np.testing.assert_array_equal(rendered, reference_rendering.render(values, ("RANGE", low, high)))
    rendered = render_both(dataset, window="range")
    np.testing.assert_array_equal(rendered, reference_rendering.render(values, ("RANGE", values.min(), values.max())))


def test_render_function_of_data_set_is_used_and_overridden() -> None:
    dataset = ct(WindowCenter=40, WindowWidth=400, VOILUTFunction="SIGMOID")
    np.testing.assert_array_equal(render_both(dataset), expected(RAMP, ("SIGMOID", 40, 400)))
    np.testing.assert_array_equal(render_both(dataset, window=(0, 100)), expected(RAMP, ("SIGMOID", 0, 100)))
    overridden = render_both(dataset, function="LINEAR_EXACT")
    np.testing.assert_array_equal(overridden, expected(RAMP, ("LINEAR_EXACT", 40, 400)))


def test_render_unknown_function_is_linear_with_a_warning() -> None:
    dataset = ct(WindowCenter=40, WindowWidth=400, VOILUTFunction="CUBIC")
    with pytest.warns(NonConformantWarning, match="VOI LUT Function 'CUBIC' found.*taken as LINEAR"):
        rendered = dicoxide.render(dataset)
    np.testing.assert_array_equal(rendered, expected(RAMP, ("LINEAR", 40, 400)))
    with pytest.raises(CorruptFrameError, match="CUBIC"):
        dicoxide.render(dataset, strict=True)


@pytest.mark.parametrize(
    ("function", "width", "clause"),
    [
        ("LINEAR", 0.5, "PS3.3 C.11.2.1.2.1"),
        ("LINEAR", -1, "PS3.3 C.11.2.1.2.1"),
        ("LINEAR_EXACT", 0, "PS3.3 C.11.2.1.3.2"),
        ("SIGMOID", 0, "PS3.3 C.11.2.1.3.1"),
    ],
)
def test_render_invalid_width_raises_without_another_window(function: str, width: float, clause: str) -> None:
    dataset = ct(WindowCenter=[40, -600], WindowWidth=[width, 1500], VOILUTFunction=function)
    with pytest.raises(CorruptFrameError, match=f"window width .* found.*{clause}") as info:
        dicoxide.render(dataset, window=0)
    assert info.value.clause == clause
    with pytest.raises(ValueError, match=clause):
        dicoxide.render(dataset, window=(40, width))
    with pytest.raises(CorruptFrameError, match=f"window width .* found.*{clause}"):
        dicoxide.render(dataset)
    np.testing.assert_array_equal(dicoxide.render(dataset, window=1), expected(RAMP, (function, -600, 1500)))
    full = ("RANGE", -1024, float(RAMP.max()) - 1024)
    np.testing.assert_array_equal(dicoxide.render(dataset, window="range"), expected(RAMP, full))


def test_render_different_numbers_of_centers_and_widths_warns() -> None:
    with pytest.warns(NonConformantWarning, match="Window Center has 2 values, Window Width 1"):
        rendered = dicoxide.render(ct(WindowCenter=[40, 50], WindowWidth=400))
    np.testing.assert_array_equal(rendered, expected(RAMP, ("LINEAR", 40, 400)))


def test_render_one_bit_image_without_window_uses_full_range() -> None:
    dataset = make_dataset(np.ones((4, 8), np.uint8), bits_stored=1)
    dataset.BitsAllocated, dataset.PixelData = 1, b"\xff" * 4
    np.testing.assert_array_equal(render_both(dataset), np.full((4, 8), 255))


def test_render_windows_of_functional_groups_apply_per_frame() -> None:
    frames = np.stack([RAMP] * 3)
    dataset = make_dataset(
        frames,
        frames=3,
        bits_stored=12,
        WindowCenter=1,
        WindowWidth=2,
        SharedFunctionalGroupsSequence=[item(FrameVOILUTSequence=[item(WindowCenter=500, WindowWidth=600)])],
        PerFrameFunctionalGroupsSequence=[
            item(FrameVOILUTSequence=[item(WindowCenter=100, WindowWidth=50)]),
            item(),
            item(FrameVOILUTSequence=[item(WindowCenter=900, WindowWidth=700, VOILUTFunction="SIGMOID")]),
        ],
    )
    vois = [("LINEAR", 100, 50), ("LINEAR", 500, 600), ("SIGMOID", 900, 700)]
    reference = np.stack([reference_rendering.render(RAMP, voi) for voi in vois])
    np.testing.assert_array_equal(render_both(dataset), reference)
    np.testing.assert_array_equal(render_both(dataset, frames=[2, 0]), reference[[2, 0]])
    np.testing.assert_array_equal(render_both(dataset, frames=1), reference[1])


def test_render_frames_with_and_without_window_mixes_window_and_range() -> None:
    frames = np.stack([RAMP, RAMP // 2])
    groups = [item(FrameVOILUTSequence=[item(WindowCenter=100, WindowWidth=50)]), item()]
    dataset = make_dataset(frames, frames=2, bits_stored=12, PerFrameFunctionalGroupsSequence=groups)
    rendered = render_both(dataset)
    np.testing.assert_array_equal(rendered[0], reference_rendering.render(RAMP, ("LINEAR", 100, 50)))
    np.testing.assert_array_equal(rendered[1], reference_rendering.render(RAMP // 2, ("RANGE", 0, RAMP.max())))


@pytest.mark.parametrize(
    ("photometric", "shape", "invert", "inverted"),
    [
        ("MONOCHROME2", None, None, False),
        ("MONOCHROME1", None, None, True),
        ("MONOCHROME1", "INVERSE", None, True),
        ("MONOCHROME1", "IDENTITY", None, False),
        ("MONOCHROME2", "INVERSE", None, True),
        ("MONOCHROME2", None, True, True),
        ("MONOCHROME1", "INVERSE", False, False),
    ],
)
def test_render_inversion_follows_presentation_lut_shape(
    photometric: str, shape: str | None, invert: bool | None, inverted: bool
) -> None:
    attributes = {} if shape is None else {"PresentationLUTShape": shape}
    dataset = ct(**attributes)
    dataset.PhotometricInterpretation = photometric
    rendered = render_both(dataset, window=(40, 400), invert=invert)
    np.testing.assert_array_equal(rendered, expected(RAMP, ("LINEAR", 40, 400), inverted=inverted))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("value", "vr", "limit"),
    [(-2000, "SS", None), (63536, "US", None), (-2000, "SS", -1990)],
    ids=["signed", "wrong VR", "range"],
)
def test_render_padding_is_lowest_output_and_outside_the_range(
    value: int, vr: str, limit: int | None, photometric: str
) -> None:
    stored = np.array([[-2000, -1995, -1000, 0, 1000]], np.int16)
    dataset = make_dataset(stored, photometric=photometric)
    dataset.add_new("PixelPaddingValue", vr, value)
    if limit is not None:
        dataset.add_new("PixelPaddingRangeLimit", vr, limit)
    rendered = render_both(dataset)
    padding = (-2000, -2000 if limit is None else -1990)
    low = -1995 if limit is None else -1000
    reference = reference_rendering.render(
        stored, ("RANGE", low, 1000), padding=padding, inverted=photometric == "MONOCHROME1"
    )
    np.testing.assert_array_equal(rendered, reference)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("limit", [None, -990.0])
def test_render_padding_of_float_values_is_lowest_output(limit: float | None, dtype: str) -> None:
    stored = np.array([[-1000, -995.5, 0.25, 8, np.nan]], dtype)
    prefix = "Float" if dtype == "float32" else "DoubleFloat"
    attributes = {f"{prefix}PixelPaddingValue": -1000.0}
    if limit is not None:
        attributes[f"{prefix}PixelPaddingRangeLimit"] = limit
    rendered = render_both(make_dataset(stored, **attributes), invert=True)
    voi = ("RANGE", -995.5 if limit is None else 0.25, 8.0)
    padding = (-1000, -1000 if limit is None else -990)
    reference = reference_rendering.render(stored, voi, inverted=True, padding=padding)
    np.testing.assert_array_equal(rendered, reference)


def test_render_all_padding_is_lowest_output() -> None:
    dataset = make_dataset(np.full((2, 3), 7, np.uint16), PixelPaddingValue=7)
    np.testing.assert_array_equal(render_both(dataset), np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"window": (1, 2, 3)}, TypeError, "window must be"),
        ({"window": True}, TypeError, "window must be"),
        ({"window": None}, TypeError, "window must be"),
        ({"window": (None, 400)}, TypeError, "window must be"),
        ({"window": ("percentile", "a", 5)}, TypeError, "window must be"),
        ({"window": ("percentile", 5, 101)}, ValueError, "percentiles must be"),
        ({"window": ("percentile", 50, 5)}, ValueError, "percentiles must be"),
        ({"window": (float("nan"), 1)}, ValueError, "must be finite"),
        ({"function": "linear"}, ValueError, "function must be one of"),
        ({"dtype": "int16"}, ValueError, "dtype must be uint8, uint16 or float32"),
        ({"dtype": ">u2"}, ValueError, "dtype must be uint8, uint16 or float32"),
        ({"max_size": 0}, ValueError, "max_size must be at least 1"),
        ({"reduce": -1}, ValueError, "reduce must be"),
        ({"icc": True, "dtype": "uint16"}, ValueError, "icc=True needs dtype uint8"),
        ({"overlays": True, "reduce": 1}, ValueError, "full resolution"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_render_unsuitable_option_raises(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        dicoxide.render(ct(), **options)


@pytest.mark.parametrize("window", ["full", "range"])
def test_render_range_of_values_that_are_not_finite_raises(window: str) -> None:
    dataset = make_dataset(RAMP, bits_stored=12, RescaleSlope="1e308", RescaleIntercept="0")
    with pytest.raises(CorruptFrameError, match="modality values from 0 to inf found"):
        dicoxide.render(dataset, window=window)


def test_render_full_range_of_float_values_raises() -> None:
    with pytest.raises(ValueError, match="'full' needs integer"):
        dicoxide.render(make_dataset(np.zeros((2, 2), np.float32)), window="full")
