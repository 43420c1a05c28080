"""`Volume.render` and rendered dask arrays: windows of slices, one range for a volume, padding, inversion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

import dicoxide
from support.reference_rendering import render as reference
from support.synthetic_series import image, item, slices, write, write_all

pytestmark = pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")


def read(folder: Path, **options: Any) -> dicoxide.Volume:
    (volume,) = dicoxide.read_series(folder, **options)
    return volume


def stored_values(folder: Path) -> np.ndarray[Any, Any]:
    return read(folder).array


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_volume_render_with_a_window_equals_the_reference(tmp_path: Path, function: str, dtype: str) -> None:
    write_all(slices(4, RescaleSlope=2, RescaleIntercept=-5), tmp_path)
    volume = read(tmp_path)
    rendered = volume.render(window=(300, 450.5), function=function, dtype=dtype)
    expected = reference(volume.array, (function, 300, 450.5), transform=(2, -5), dtype=dtype)
    assert (rendered.shape, rendered.dtype) == (volume.shape, np.dtype(dtype))
    if dtype == "float32":
        np.testing.assert_allclose(rendered, expected, rtol=2e-7, atol=1e-7)
    else:
        np.testing.assert_array_equal(rendered, expected)


@pytest.mark.parametrize("options", [{"rescale": True}, {"rescale": True, "dtype": "int32"}, {}], ids=str)
def test_volume_render_first_uses_the_window_of_each_slice(tmp_path: Path, options: dict[str, Any]) -> None:
    datasets = slices(3, RescaleSlope=2, RescaleIntercept=-5)
    windows = [(100, 50), (200, 300), (200, 300)]
    for dataset, (center, width) in zip(datasets, windows, strict=True):
        dataset.WindowCenter, dataset.WindowWidth = center, width
    write_all(datasets, tmp_path)
    stored = stored_values(tmp_path)
    expected = [reference(frame, ("LINEAR", *window), transform=(2, -5)) for frame, window in zip(stored, windows)]  # noqa: B905
    np.testing.assert_array_equal(read(tmp_path, **options).render(), expected)


@pytest.mark.parametrize("rescale", [False, True])
def test_volume_render_without_windows_has_the_range_of_all_slices(tmp_path: Path, rescale: bool) -> None:
    datasets = slices(3)
    rescales = [(1.5, -5.0), (2.0, 10.0), (0.5, 0.0)]
    for dataset, (slope, intercept) in zip(datasets, rescales, strict=True):
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    write_all(datasets, tmp_path)
    stored = stored_values(tmp_path)
    values = [frame * slope + intercept for frame, (slope, intercept) in zip(stored, rescales, strict=True)]
    voi = ("RANGE", np.min(values), np.max(values))
    expected = [reference(frame, voi, transform=pair) for frame, pair in zip(stored, rescales, strict=True)]
    rendered = read(tmp_path, rescale=rescale).render(threads=1)
    np.testing.assert_array_equal(rendered, expected)
    assert (rendered.min(), rendered.max()) == (0, 255)


@pytest.mark.parametrize("options", [{}, {"rescale": True}, {"rescale": True, "dtype": "int16"}], ids=str)
def test_volume_render_range_excludes_padding(tmp_path: Path, options: dict[str, Any]) -> None:
    datasets = slices(
        2, RescaleSlope=1, RescaleIntercept=-1024, PixelPaddingValue=-2000, PresentationLUTShape="INVERSE"
    )
    for dataset in datasets:
        pixels = np.frombuffer(dataset.PixelData, np.int16).copy()
        pixels[3:7] = -2000
        dataset.PixelData = pixels.tobytes()
    write_all(datasets, tmp_path)
    stored = stored_values(tmp_path)
    valid = stored[stored != -2000] - 1024.0
    voi = ("RANGE", valid.min(), valid.max())
    expected = reference(stored, voi, transform=(1, -1024), padding=(-2000, -2000), inverted=True)
    np.testing.assert_array_equal(read(tmp_path, **options).render(), expected)
    assert (expected[stored == -2000] == 0).all()


@pytest.mark.parametrize("window", ["range", ("percentile", 10, 90)], ids=str)
def test_volume_render_range_excludes_the_padding_of_each_rescale(tmp_path: Path, window: Any) -> None:
    datasets = slices(3, PixelPaddingValue=-2000)
    for index, dataset in enumerate(datasets):
        dataset.RescaleSlope, dataset.RescaleIntercept = index + 1, -3000 * index
        dataset.PixelData = np.array([-2000] * 9 + [100 + index] * 13 + [250] * 13, np.int16).tobytes()
    write_all(datasets, tmp_path)
    stored = stored_values(tmp_path)
    transforms = [(index + 1, -3000 * index) for index in range(3)]
    values = np.stack([frame * slope + intercept for frame, (slope, intercept) in zip(stored, transforms, strict=True)])
    valid = values[stored != -2000]
    voi = ("RANGE", *(np.percentile(valid, window[1:]) if window != "range" else (valid.min(), valid.max())))
    expected = np.where(stored == -2000, 0, reference(values, voi))
    for dtype in ("int32", "float64"):
        np.testing.assert_array_equal(read(tmp_path, rescale=True, dtype=dtype).render(window=window), expected)


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_volume_render_of_floats_excludes_their_padding(tmp_path: Path, keyword: str) -> None:
    bits = 32 if keyword.startswith("Float") else 64
    stored = np.linspace(-1, 5, 35).astype(f"<f{bits // 8}").reshape(5, 7)
    stored[2] = -7.5
    dataset = image(0, BitsAllocated=bits)
    for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, name)
    setattr(dataset, keyword, stored.tobytes())
    setattr(dataset, keyword.replace("Data", "PaddingValue"), -8.0)
    setattr(dataset, keyword.replace("Data", "PaddingRangeLimit"), -7.0)
    write(dataset, tmp_path / "a.dcm")
    rendered = read(tmp_path).render(invert=True)
    expected = reference(stored, ("RANGE", -1, 5), padding=(-8, -7), inverted=True)
    np.testing.assert_array_equal(rendered, expected[None])


@pytest.mark.parametrize("options", [{}, {"rescale": True}], ids=str)
def test_volume_render_percentiles_are_those_of_the_volume(tmp_path: Path, options: dict[str, Any]) -> None:
    write_all(slices(5, RescaleSlope=2, RescaleIntercept=-5), tmp_path)
    stored = stored_values(tmp_path)
    low, high = np.percentile(stored * 2.0 - 5, [10, 90])
    expected = reference(stored, ("RANGE", low, high), transform=(2, -5))
    np.testing.assert_array_equal(read(tmp_path, **options).render(window=("percentile", 10, 90)), expected)


def test_volume_render_full_is_the_range_of_bits_stored(tmp_path: Path) -> None:
    write_all(slices(2, BitsStored=12, HighBit=11, RescaleSlope=2, RescaleIntercept=-5), tmp_path)
    volume = read(tmp_path)
    voi = ("RANGE", -2048 * 2 - 5, 2047 * 2 - 5)
    np.testing.assert_array_equal(volume.render(window="full"), reference(volume.array, voi, transform=(2, -5)))
    with pytest.raises(ValueError, match="full"):
        read(tmp_path, rescale=True).render(window="full")


def test_volume_render_finds_windows_by_explanation_and_index(tmp_path: Path) -> None:
    more = {"WindowCenter": [40, -600], "WindowWidth": [400, 1500], "WindowCenterWidthExplanation": ["Soft", "Lung"]}
    write_all(slices(2, **more), tmp_path)
    volume = read(tmp_path)
    lung = reference(volume.array, ("LINEAR", -600, 1500))
    np.testing.assert_array_equal(volume.render(window="lung "), lung)
    np.testing.assert_array_equal(volume.render(window=1), lung)
    with pytest.raises(ValueError, match="Soft"):
        volume.render(window="bone")
    with pytest.raises(ValueError, match="out of range"):
        volume.render(window=2)


def test_volume_render_with_an_invalid_window_raises(tmp_path: Path) -> None:
    write_all(slices(2, WindowCenter=40, WindowWidth=0), tmp_path)
    volume = read(tmp_path)
    with pytest.raises(dicoxide.DecodeError, match=r"C\.11\.2\.1\.2\.1"):
        volume.render()
    with pytest.raises(ValueError, match=r"C\.11\.2\.1\.2\.1"):
        volume.render(window=(40, 0.5))
    voi = ("RANGE", volume.array.min(), volume.array.max())
    np.testing.assert_array_equal(volume.render(window="range"), reference(volume.array, voi))


@pytest.mark.parametrize(
    ("attributes", "invert", "is_inverted"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1"}, None, True),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"}, None, False),
        ({"PhotometricInterpretation": "MONOCHROME1"}, False, False),
        ({"PresentationLUTShape": "INVERSE"}, None, True),
        ({}, True, True),
        ({}, None, False),
    ],
    ids=str,
)
def test_volume_render_inverts_as_the_data_set_declares(
    tmp_path: Path, attributes: dict[str, Any], invert: bool | None, is_inverted: bool
) -> None:
    write_all(slices(2, **attributes), tmp_path)
    volume = read(tmp_path)
    expected = reference(volume.array, ("LINEAR", 70, 120), inverted=is_inverted)
    np.testing.assert_array_equal(volume.render(window=(70, 120), invert=invert), expected)


def test_volume_render_of_a_fourth_axis_has_the_shape_of_the_volume(tmp_path: Path) -> None:
    write_all([dataset for echo in (1, 2) for dataset in slices(3, EchoTime=echo)], tmp_path)
    volume = read(tmp_path)
    out = np.empty(volume.shape, np.uint8)
    assert volume.render(out, window=(100, 200)) is out
    np.testing.assert_array_equal(out, reference(volume.array, ("LINEAR", 100, 200)))


def test_volume_render_of_failed_slices_is_0(tmp_path: Path) -> None:
    paths = [write(dataset, tmp_path / f"{index}.dcm", compress=True) for index, dataset in enumerate(slices(3))]
    data = paths[1].read_bytes()
    paths[1].write_bytes(data[:-20])
    volume = read(tmp_path, on_error="return")
    assert list(volume.errors) == [1]
    rendered = volume.render()
    assert not rendered[1].any()
    valid = volume.array[[0, 2]]
    np.testing.assert_array_equal(rendered[[0, 2]], reference(valid, ("RANGE", valid.min(), valid.max())))


def test_volume_render_of_colour_is_the_array(tmp_path: Path) -> None:
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    colour |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    write_all(slices(2, **colour), tmp_path)
    volume = read(tmp_path)
    np.testing.assert_array_equal(volume.render(window=(1, 2)), volume.array)


def modality_lut() -> Dataset:
    lut = item(ModalityLUTType="HU")
    lut.add_new(0x00283002, "SS", [4, 0, 16])
    lut.add_new(0x00283006, "OW", np.array([9, 7, 5, 3], "<u2").tobytes())
    return lut


def test_volume_render_of_stored_values_with_a_modality_lut_raises(tmp_path: Path) -> None:
    write_all(slices(2, ModalityLUTSequence=[modality_lut()]), tmp_path)
    with pytest.raises(ValueError, match="rescale=True"):
        read(tmp_path).render()
    rendered = read(tmp_path, rescale=True).render()
    assert (rendered.min(), rendered.max()) == (0, 255)


def test_volume_render_of_a_palette_raises(tmp_path: Path) -> None:
    write(image(0, PhotometricInterpretation="PALETTE COLOR", PixelRepresentation=0), tmp_path / "a.dcm")
    with pytest.raises(ValueError, match="palettes are applied to files"):
        read(tmp_path).render()


class TestDask:
    @pytest.fixture(autouse=True)
    def _dask(self) -> None:
        pytest.importorskip("dask.array")

    @pytest.mark.parametrize("options", [{}, {"window": "range"}, {"window": (100, 200)}, {"dtype": "uint16"}], ids=str)
    def test_from_series_rendered_equals_volume_render(self, tmp_path: Path, options: dict[str, Any]) -> None:
        write_all([dataset for echo in (1, 2) for dataset in slices(5, EchoTime=echo, RescaleSlope=2)], tmp_path)
        (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=2, render=options or True)
        eager = read(tmp_path)
        assert (lazy.array.shape, lazy.dtype) == (eager.shape, np.dtype(options.get("dtype", "uint8")))
        np.testing.assert_array_equal(lazy.array.compute(scheduler="threads"), eager.render(**options))

    def test_from_series_rendered_measures_only_slices_without_a_window(self, tmp_path: Path) -> None:
        datasets = slices(4)
        for dataset in datasets[:2]:
            dataset.WindowCenter, dataset.WindowWidth = 100, 50
        write_all(datasets, tmp_path)
        (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=1, render=True)
        np.testing.assert_array_equal(lazy.array.compute(scheduler="sync"), read(tmp_path).render())

    def test_from_series_rendered_palette_has_three_samples(self, tmp_path: Path) -> None:
        path = write_palette(tmp_path / "a.dcm")
        (lazy,) = dicoxide.dask.from_series(tmp_path, render=True)
        assert lazy.array.shape == (1, 5, 7, 3)
        np.testing.assert_array_equal(lazy.array.compute(scheduler="sync")[0], dicoxide.render(path))

    def test_from_files_rendered_equals_render(self, tmp_path: Path) -> None:
        paths = write_all(slices(3, WindowCenter=100, WindowWidth=120), tmp_path)
        lazy = dicoxide.dask.from_files(paths, files_per_chunk=2, render={"max_size": 4})
        expected = np.stack([dicoxide.render(path, max_size=4) for path in paths])
        assert (lazy.shape, lazy.dtype) == (expected.shape, np.uint8)
        np.testing.assert_array_equal(lazy.compute(scheduler="sync"), expected)

    def test_from_files_rendered_without_windows_have_one_range(self, tmp_path: Path) -> None:
        paths = write_all(slices(3), tmp_path)
        stored = np.stack([dicoxide.decode(path) for path in paths])
        lazy = dicoxide.dask.from_files(paths, files_per_chunk=1, render=True)
        expected = reference(stored, ("RANGE", stored.min(), stored.max()))
        np.testing.assert_array_equal(lazy.compute(scheduler="sync"), expected)

    def test_from_series_rendered_ignores_slices_of_padding_only(self, tmp_path: Path) -> None:
        datasets = slices(3, PixelPaddingValue=-2000, RescaleIntercept=500, RescaleSlope=1)
        datasets[1].PixelData = np.full(35, -2000, np.int16).tobytes()
        write_all(datasets, tmp_path)
        (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=1, render=True)
        volume = read(tmp_path)
        valid = volume.array[[0, 2]]
        expected = reference(
            volume.array,
            ("RANGE", valid.min() + 500, valid.max() + 500),
            transform=(1, 500),
            padding=(-2000, -2000),
        )
        np.testing.assert_array_equal(lazy.array.compute(scheduler="sync"), expected)
        np.testing.assert_array_equal(volume.render(), expected)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"render": {"window": ("percentile", 1, 99)}}, "percentiles"),
            ({"render": True, "rescale": True}, "rescale does not fit render"),
            ({"render": {"window": ("a", 1)}}, "window must be"),
        ],
        ids=["percentiles", "rescale", "window"],
    )
    def test_from_series_with_unsuitable_rendering_raises(
        self, tmp_path: Path, options: dict[str, Any], message: str
    ) -> None:
        write_all(slices(2), tmp_path)
        with pytest.raises((ValueError, TypeError), match=message):
            dicoxide.dask.from_series(tmp_path, **options)


def write_palette(path: Path) -> Path:
    dataset = image(0, PhotometricInterpretation="PALETTE COLOR", PixelRepresentation=0)
    for offset, keyword in enumerate(("Red", "Green", "Blue")):
        dataset.add_new(f"{keyword}PaletteColorLookupTableDescriptor", "US", [32, 0, 16])
        entries = (np.arange(32, dtype="<u2") * (offset + 1) * 257).tobytes()
        setattr(dataset, f"{keyword}PaletteColorLookupTableData", entries)
    return write(dataset, path)
