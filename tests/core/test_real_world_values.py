"""Real World Value Mapping of every form, by every function that rescales (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

import dicoxide
from support.highdicom_arguments import new_instance
from support.real_world_maps import file_bytes, image, value_map

CLAUSE = "PS3.3 C.7.6.16.2.11"
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
UNSIGNED = (np.arange(20, dtype="<u2").reshape(4, 5) * 3000).astype("<u2")
SIGNED = (np.arange(20, dtype="<i2").reshape(4, 5) * 3000 - 30000).astype("<i2")
FRAMES = np.arange(60, dtype="<u2").reshape(3, 4, 5)


def sources(ds: Dataset) -> list[Any]:
    """Return a data set, its bytes, and the data set that pydicom reads from these."""
    data = file_bytes(ds)
    return [ds, data, pydicom.dcmread(io.BytesIO(data))]


def mapped(stored: np.ndarray, *ranges: tuple[float, float, float, float]) -> np.ndarray:
    """Return float64 real-world values for ranges of (first, last, slope, intercept)."""
    values = np.full(stored.shape, np.nan)
    for first, last, slope, intercept in ranges:
        is_inside = (stored >= first) & (stored <= last)
        values[is_inside] = stored[is_inside].astype("f8") * slope + intercept
    return values


def assert_values(ds: Dataset, expected: np.ndarray, **options: Any) -> None:
    for source in sources(ds):
        values = dicoxide.decode(source, rescale="real_world", **options)
        assert values.dtype == options.get("dtype", np.float32)
        np.testing.assert_array_equal(values, expected.astype(values.dtype))


def assert_error(ds: Dataset, match: str, error: type[Exception] = dicoxide.CorruptFrameError, **options: Any) -> None:
    for source in sources(ds):
        with pytest.raises(error, match=match) as caught:
            dicoxide.decode(source, rescale="real_world", **options)
        assert CLAUSE in str(caught.value)
        assert isinstance(caught.value, dicoxide.DecodeError) == (error is dicoxide.CorruptFrameError)


def assert_deviation(ds: Dataset, match: str, expected: np.ndarray) -> None:
    for source in sources(ds):
        with pytest.warns(dicoxide.NonConformantWarning, match=match) as caught:
            values = dicoxide.decode(source, rescale="real_world", dtype="f8")
        assert len(caught) == 1
        np.testing.assert_array_equal(values, expected)
        with pytest.raises(dicoxide.CorruptFrameError, match=match):
            dicoxide.decode(source, rescale="real_world", strict=True)


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_linear_map_is_applied_within_its_range(uid: str, dtype: str) -> None:
    ds = image(UNSIGNED, value_map(3000, 33000, 0.1, -7.5), uid=uid)
    assert_values(ds, mapped(UNSIGNED, (3000, 33000, 0.1, -7.5)), dtype=np.dtype(dtype))


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("end_vr", ["US", "SS"])
def test_ends_of_signed_values_have_their_sign(uid: str, end_vr: str) -> None:
    ends = (-12000, 9000) if end_vr == "SS" else (0x10000 - 12000, 9000)
    ds = image(SIGNED, value_map(*ends, 0.5, 1.0, end_vr=end_vr), uid=uid)
    assert_values(ds, mapped(SIGNED, (-12000, 9000, 0.5, 1.0)))


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_map_of_all_values_equals_rescale(dtype: str) -> None:
    limits = np.iinfo(dtype)
    stored = np.linspace(limits.min, limits.max, 24).astype(dtype).reshape(4, 6)
    ds = image(stored, value_map(float(limits.min), float(limits.max), 0.3, 2.0, end_vr="FD"))
    assert_values(ds, dicoxide.rescale(stored, 0.3, 2.0))


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_double_float_ends(dtype: str) -> None:
    stored = (np.arange(24).reshape(4, 6) * 5 + 1).astype(dtype)
    if stored.dtype.kind == "f":
        stored[0, :3] = np.nan, np.inf, 20.25
    ds = image(stored, value_map(20.5, 80.5, 0.25, 1.0, end_vr="FD"))
    assert_values(ds, mapped(stored, (20.5, 80.5, 0.25, 1.0)))


@pytest.mark.parametrize("uid", SYNTAXES)
def test_lut_has_one_entry_per_value(uid: str) -> None:
    entries = np.linspace(-1, 1, 30001) ** 3
    ds = image(SIGNED, value_map(-15000, 15000, entries=entries, end_vr="SS"), uid=uid)
    expected = np.full(SIGNED.shape, np.nan)
    is_inside = (SIGNED >= -15000) & (SIGNED <= 15000)
    expected[is_inside] = entries[SIGNED[is_inside].astype(int) + 15000]
    assert_values(ds, expected, dtype=np.dtype("f8"))


def test_lut_of_65536_entries_and_of_one() -> None:
    entries = np.sqrt(np.arange(65536.0))
    assert_values(image(UNSIGNED, value_map(0, 65535, entries=entries)), entries[UNSIGNED])
    assert_values(
        image(UNSIGNED, value_map(3000, 3000, entries=[0.7])), np.where(UNSIGNED == 3000, np.float32(0.7), np.nan)
    )


def test_integer_dtype_is_exact_or_an_error() -> None:
    ds = image(UNSIGNED, value_map(0, 65535, 2.0, -5.0))
    assert_values(ds, UNSIGNED.astype(int) * 2 - 5, dtype=np.dtype("i4"))
    assert_error(
        image(UNSIGNED, value_map(0, 65535, 0.0001, 0.0)), "sample 1 is undefined, or not exact", ValueError, dtype="i4"
    )
    assert_error(
        image(UNSIGNED, value_map(0, 9000, 1.0, 0.0)), "sample 4 is undefined, or not exact", ValueError, dtype="i4"
    )
    entries = np.arange(9001.0)
    stored = np.minimum(UNSIGNED, 9000)
    assert_values(image(stored, value_map(0, 9000, entries=entries)), stored, dtype=np.dtype("u2"))


def test_per_frame_maps_precede_shared_and_top_level_ones() -> None:
    top, shared = value_map(0, 65535, 3.0, 0.0), value_map(0, 65535, 2.0, 0.0)
    own = value_map(0, 30, 1.0, 0.5)
    ds = image(FRAMES, top, shared=[shared], per_frame=[[], [own], []])
    expected = np.stack([FRAMES[0] * 2.0, mapped(FRAMES[1], (0, 30, 1.0, 0.5)), FRAMES[2] * 2.0])
    assert_values(ds, expected)
    assert_values(ds, expected[[2, 1]], frames=[2, -2])
    assert_values(ds, expected[1], frames=1)
    assert_values(image(FRAMES, top, shared=[], per_frame=[[]]), FRAMES * 3.0)
    assert_values(image(FRAMES, shared=[shared]), FRAMES * 2.0)


def test_frame_without_map_is_an_error_that_names_it() -> None:
    ds = image(FRAMES, per_frame=[[value_map(0, 65535, 1.0, 0.0)], [], []])
    assert_error(ds, "no Real World Value Mapping Sequence", ValueError)
    with pytest.raises(ValueError, match="no Real World") as caught:
        dicoxide.decode(ds, rescale="real_world")
    assert caught.value.__notes__ == ["frame index: 1"]
    assert_values(ds, FRAMES[0], frames=0)
    assert_error(image(FRAMES), "no Real World Value Mapping Sequence", ValueError)


ADC = value_map(0, 65535, 0.5, 0.0, label="ADC_1", quantity=("113041", "Apparent Diffusion Coefficient"))
T2 = value_map(0, 65535, 2.0, 1.0, label="T2", units=("ms", "millisecond"), quantity=("113065", "T2 Weighted"))


@pytest.mark.parametrize("quantity", ["ADC_1", "113041", "Apparent Diffusion Coefficient", "um2/s"])
def test_quantity_selects_by_label_code_or_units(quantity: str) -> None:
    ds = image(UNSIGNED, T2, ADC)
    assert_values(ds, UNSIGNED * 0.5, quantity=quantity)
    assert dicoxide.open(file_bytes(ds)).real_world_units(quantity=quantity) == "um2/s"
    assert dicoxide.open(ds).real_world_units(quantity="T2") == "ms"


def test_quantity_that_is_unknown_or_missing_is_an_error_that_lists_the_maps() -> None:
    ds = image(UNSIGNED, T2, ADC)
    maps = r"'T2', 'T2 Weighted' in ms; 'ADC_1', 'Apparent Diffusion Coefficient' in um2/s"
    assert_error(ds, f"no real-world values for quantity 'K', found: {maps}", ValueError, quantity="K")
    assert_error(ds, f"choose one by `quantity`: {maps}", ValueError)
    assert_error(image(UNSIGNED, T2), "for quantity 'quantity'", ValueError, quantity="quantity")


def test_disjoint_ranges_of_one_quantity_are_combined() -> None:
    low, high = value_map(0, 9000, 1.0, 0.0), value_map(9001, 30000, 2.0, -9000.0)
    ds = image(UNSIGNED, high, low)
    assert_values(ds, mapped(UNSIGNED, (0, 9000, 1.0, 0.0), (9001, 30000, 2.0, -9000.0)))
    table = value_map(30001, 40000, entries=np.arange(10000) / 8)
    values = mapped(UNSIGNED, (0, 9000, 1.0, 0.0))
    is_table = (UNSIGNED > 30000) & (UNSIGNED <= 40000)
    values[is_table] = (UNSIGNED[is_table].astype(int) - 30001) / 8
    assert_values(image(UNSIGNED, table, low), values)
    assert_values(image(UNSIGNED, low, low), mapped(UNSIGNED, (0, 9000, 1.0, 0.0)))


@pytest.mark.parametrize(
    "other",
    [
        value_map(9000, 30000, 2.0, 0.0),
        value_map(9001, 30000, 2.0, 0.0, units=("mm2/s", "")),
        value_map(9001, 30000, 2.0, 0.0, quantity=("113041", "ADC")),
    ],
    ids=["overlap", "units", "quantity"],
)
def test_maps_that_do_not_combine_are_an_error(other: Dataset) -> None:
    assert_error(image(UNSIGNED, value_map(0, 9000, 1.0, 0.0), other), "several maps", ValueError)


def test_frames_with_different_units_are_an_error() -> None:
    ds = image(FRAMES, per_frame=[[ADC], [T2], [ADC]])
    assert_error(ds, "different units: 'um2/s'; 'ms'", ValueError)
    assert_values(ds, FRAMES[[0, 2]] * 0.5, frames=[0, 2])
    np.testing.assert_array_equal([*dicoxide.iter_frames(ds, rescale="real_world")][1], FRAMES[1] * 2.0 + 1)


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (value_map(None, 9, 1.0, 0.0), "First Value Mapped is missing"),
        (value_map(0, None, 1.0, 0.0), "Last Value Mapped is missing"),
        (value_map(0, 9, None, 0.0), "Slope and LUT Data are missing"),
        (value_map(0, 9, 1.0, None), "Intercept and LUT Data are missing"),
        (value_map(0, 9, 1.0, 0.0, entries=range(10)), "LUT Data and Slope or Intercept found"),
        (value_map(9, 0, 1.0, 0.0), "values mapped from 9 to 0"),
        (value_map(0, 9, float("nan"), 0.0), "slope nan"),
        (value_map(0, 9, 1.0, float("inf")), "intercept inf"),
        (value_map(float("nan"), 9.0, 1.0, 0.0, end_vr="FD"), "values mapped from nan to 9"),
        (value_map(0, 9, entries=range(9)), "LUT Data has 9 entries, 10 expected"),
        (value_map(0.5, 9.5, entries=range(9), end_vr="FD"), "integers expected"),
        (value_map(float("-inf"), float("inf"), entries=range(9), end_vr="FD"), "integers expected"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_invalid_map_is_an_error(bad: Dataset, match: str) -> None:
    assert_error(image(UNSIGNED, bad), match)
    # A map that is not selected does not matter.
    bad.LUTLabel = "bad"
    assert_values(image(UNSIGNED, bad, T2), UNSIGNED * 2.0 + 1, quantity="T2")


def test_ends_that_contradict_are_an_error() -> None:
    item = value_map(0, 9, 1.0, 0.0)
    item.add_new(0x00409214, "FD", 1.0)
    assert_error(image(UNSIGNED, item), "First Value Mapped 0 and Double Float 1 found")
    item.DoubleFloatRealWorldValueFirstValueMapped = 0.0
    assert_values(image(UNSIGNED, item), mapped(UNSIGNED, (0, 9, 1.0, 0.0)))


def test_lut_with_more_entries_is_a_deviation() -> None:
    ds = image(UNSIGNED, value_map(0, 3000, entries=np.arange(3005) / 4))
    assert_deviation(ds, "3005 entries, 3001 expected", mapped(UNSIGNED, (0, 3000, 0.25, 0.0)))


def test_missing_units_are_a_deviation() -> None:
    ds = image(UNSIGNED, value_map(0, 9, 1.0, 0.0, units=None))
    assert_deviation(ds, "Measurement Units Code Sequence is missing", mapped(UNSIGNED, (0, 9, 1.0, 0.0)))
    assert dicoxide.open(ds).real_world_units() == ""


def test_ends_of_another_sign_are_a_deviation() -> None:
    ds = image(SIGNED, value_map(0, 65535, 1.0, 0.0))
    assert_deviation(ds, "0 to 65535 found, signed ones", mapped(SIGNED, (0, 65535, 1.0, 0.0)))
    ds = image(UNSIGNED, value_map(-32768, 32767, 1.0, 0.0, end_vr="SS"))
    assert_deviation(ds, "-32768 to 32767 found, unsigned ones", mapped(UNSIGNED, (0, 32767, 1.0, 0.0)))


def test_lut_for_float_samples_is_an_error() -> None:
    ds = image(np.ones((2, 2), "f4"), value_map(0, 9, entries=range(10)))
    for source in sources(ds):
        with pytest.raises(ValueError, match="look-up table for float samples"):
            dicoxide.decode(source, rescale="real_world")


@pytest.mark.parametrize("vr", ["US", "LO"])
def test_sequence_of_another_vr_is_an_error(vr: str) -> None:
    ds = image(UNSIGNED)
    ds.add_new(0x00409096, vr, [1, 2] if vr == "US" else "text")
    for source in sources(ds):
        with pytest.raises(dicoxide.CorruptFrameError, match=r"element \(0040,9096\) has another VR, SQ expected"):
            dicoxide.decode(source, rescale="real_world")


def test_arguments_that_do_not_fit_are_errors() -> None:
    ds = image(UNSIGNED, ADC)
    with pytest.raises(ValueError, match="rescale must be True, False or 'real_world', not 'real'"):
        dicoxide.decode(ds, rescale="real")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="quantity needs rescale='real_world'"):
        dicoxide.decode(ds, quantity="ADC")
    with pytest.raises(TypeError, match="quantity must be a str, not int"):
        dicoxide.decode(ds, rescale="real_world", quantity=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="quantity needs"):
        dicoxide.decode_many([], quantity="ADC")


def test_maps_of_a_frame_have_names_and_values() -> None:
    ds = image(FRAMES, per_frame=[[ADC, T2], [value_map(0, 2, entries=[1, 2, 3])], []])
    for source in sources(ds):
        opened = dicoxide.open(source)
        adc, t2 = opened.real_world_value_maps()
        assert adc[:-1] == (
            *("ADC_1", "explanation", "um2/s", "square micrometre per second"),
            *((("113041", "Apparent Diffusion Coefficient"),), 0.0, 65535.0, 0.5, 0.0),
        )
        assert t2.units == "ms"
        (table,) = opened.real_world_value_maps(1)
        assert (table.slope, table.intercept, table.entries.tolist()) == (None, None, [1, 2, 3])
        assert opened.real_world_value_maps(-1) == ()
        with pytest.raises(IndexError):
            opened.real_world_value_maps(3)
        assert opened.real_world_units(0, "T2") == "ms"


def test_every_function_returns_the_same_values(tmp_path: Path) -> None:
    ds = image(FRAMES, shared=[ADC, T2], per_frame=[[], [value_map(0, 30, 1.0, 0.5, label="ADC_1")], []])
    path = tmp_path / "image.dcm"
    path.write_bytes(file_bytes(ds))
    options: dict[str, Any] = {"rescale": "real_world", "quantity": "um2/s"}
    expected = np.stack([FRAMES[0] * 0.5, mapped(FRAMES[1], (0, 30, 1.0, 0.5)), FRAMES[2] * 0.5]).astype("f4")
    for source in (path, path.read_bytes(), ds):
        np.testing.assert_array_equal(dicoxide.decode(source, **options), expected)
        np.testing.assert_array_equal([*dicoxide.iter_frames(source, **options)], expected)
        with dicoxide.open(source) as opened:
            np.testing.assert_array_equal(opened.decode(1, **options), expected[1])
            np.testing.assert_array_equal(opened.decode(**options), expected)
        ((_, values),) = dicoxide.decode_many([source], **options)
        np.testing.assert_array_equal(values, expected)
        out = np.empty((3, 4, 5), "f8")
        assert dicoxide.decode(source, out=out, **options) is out
        np.testing.assert_array_equal(out.astype("f4"), expected)
    with open(path, "rb") as file:
        np.testing.assert_array_equal(dicoxide.decode(file, **options), expected)


@pytest.mark.parametrize("uid", [RLELossless, JPEGLSLossless])
def test_encapsulated_frames(uid: str) -> None:
    ds = image(UNSIGNED, value_map(3000, 33000, 0.1, -7.5))
    if uid == RLELossless:
        codestream = dicoxide.rle_encode(UNSIGNED)
    else:
        # By a fallback decoder.
        codestream = pytest.importorskip("imagecodecs").jpegls_encode(UNSIGNED)
    ds.PixelData = encapsulate([codestream])
    ds.file_meta.TransferSyntaxUID = uid
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    assert_values(ds, mapped(UNSIGNED, (3000, 33000, 0.1, -7.5)))


def test_decode_many_returns_errors_of_single_sources() -> None:
    good, bad = file_bytes(image(UNSIGNED, T2)), file_bytes(image(UNSIGNED))
    results = [result for _, result in dicoxide.decode_many([bad, good], rescale="real_world", on_error="return")]
    assert isinstance(results[0], ValueError)
    np.testing.assert_array_equal(results[1], UNSIGNED * 2.0 + 1)


def test_many_frames_take_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from dicoxide._sources import real_world_value_mapping

    reads: list[object] = []
    items = real_world_value_mapping._items
    monkeypatch.setattr(
        real_world_value_mapping, "_items", lambda *arguments: reads.append(arguments[1]) or items(*arguments)
    )
    count = 2000
    stored = np.zeros((count, 1, 1), "u1")
    ds = image(stored, per_frame=[[value_map(0, 255, 1.0, float(index))] for index in range(count)])
    opened = dicoxide.open(file_bytes(ds))
    values = np.array([opened.decode(index, rescale="real_world")[0, 0] for index in range(count)])
    np.testing.assert_array_equal(values, np.arange(count))
    # The functional groups are listed once, not once per frame.
    assert reads.count("PerFrameFunctionalGroupsSequence") == 1
    assert len(reads) < 10 * count


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8"])
def test_parametric_map_that_highdicom_writes(dtype: str) -> None:
    hd = pytest.importorskip("highdicom")
    from highdicom.pm import ParametricMap, RealWorldValueMapping

    stored = (np.arange(128 * 128).reshape(1, 128, 128) % 251).astype(dtype)
    ends = (10, 200) if stored.dtype.kind == "u" else (10.0, 200.0)
    parameter = RealWorldValueMapping(
        lut_label="ADC",
        lut_explanation="Apparent Diffusion Coefficient",
        unit=hd.sr.CodedConcept("um2/s", "UCUM", "square micrometre per second"),
        value_range=ends,
        slope=0.5,
        intercept=3.0,
        quantity_definition=hd.sr.CodedConcept("113041", "DCM", "Apparent Diffusion Coefficient"),
    )
    with warnings.catch_warnings():
        # Deprecations of highdicom's own arguments.
        warnings.simplefilter("ignore")
        ds = ParametricMap(
            [pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))],
            stored,
            **new_instance(),
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[parameter],
            window_center=100.0,
            window_width=50.0,
        )
    expected = mapped(stored, (*ends, 0.5, 3.0))
    for source in sources(ds):
        values = dicoxide.decode(source, rescale="real_world", quantity="113041", dtype="f8")
        np.testing.assert_array_equal(values, expected.reshape(values.shape))
        assert dicoxide.open(source).real_world_units() == "um2/s"
