"""Rendered slices of ``dicoxide decode``: pictures, and arrays with ``--render``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

import dicoxide
from support.command_line import change_attributes, decode_by_pydicom, dicoxide_command, truncate_frame, write_series
from support.reference_rendering import render as reference
from support.rendering_datasets import lut_item
from support.synthetic_series import enhanced_frames, enhanced_object, image, write

pillow = pytest.importorskip("PIL.Image")

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
FORMATS = pytest.mark.parametrize("form", SUFFIXES)


def decode(source: Path, out: Path, *more: object, code: int = 0) -> dict[str, Any]:
    done = dicoxide_command("decode", source, "-o", out, "--json", *more)
    assert done.code == code, done.err
    document: dict[str, Any] = done.document
    return document


def load(path: Path) -> np.ndarray[Any, Any]:
    with pillow.open(path) as picture:
        return np.asarray(picture)


def pictures(folder: Path) -> tuple[list[np.ndarray[Any, Any]], dict[str, Any]]:
    """Return the pictures of the only series, in the order of the metadata, and the metadata."""
    (series,) = folder.glob("*/series.json")
    metadata: dict[str, Any] = json.loads(series.read_text())
    return [load(series.parent / name) for name in metadata["files"]], metadata


@FORMATS
def test_decode_to_pictures_equals_render(tmp_path: Path, form: str) -> None:
    # Smooth, so that lossy formats change little.
    pixels = np.add.outer(np.arange(64), np.arange(48)).astype(np.uint16) * 20
    paths = write_series(tmp_path / "in", 3, rows=64, columns=48)
    for path in paths:
        change_attributes(path, PixelData=pixels.tobytes())
    decode(tmp_path / "in", tmp_path / "out", "--format", form, "--window", "-300,1200")
    images, metadata = pictures(tmp_path / "out")
    assert metadata["files"] == [f"{index:04}{SUFFIXES[form]}" for index in range(3)]
    for path, picture in zip(paths, images, strict=True):
        expected = dicoxide.render(path, window=(-300, 1200))
        gray = picture if picture.ndim == 2 else picture.mean(axis=2)
        assert gray.shape == expected.shape
        difference = np.abs(gray.astype(float) - expected).max()
        assert difference == 0 if form in ("png", "tiff") else difference <= 6
    assert metadata["values"] == "rendered"
    assert metadata["rendering"] == {"window": [-300.0, 1200.0], "overlays": False, "max_size": None}


def test_pictures_apply_the_window_of_each_slice(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 3, WindowCenter=(40, [300, 1], 1), WindowWidth=(400, [1500, 2], 1))
    decode(tmp_path / "in", tmp_path / "out", "--format", "png")
    images, metadata = pictures(tmp_path / "out")
    windows = [(40, 400), (300, 1500), (1, 1)]
    stored = decode_by_pydicom(paths)
    for picture, frame, window in zip(images, stored, windows, strict=True):
        np.testing.assert_array_equal(picture, reference(frame, ("LINEAR", *window), transform=(1, -1024)))
    assert metadata["windows"] == [[*map(float, window), "LINEAR"] for window in windows]


def test_pictures_without_a_window_have_the_range_of_each_slice(tmp_path: Path) -> None:
    frames = enhanced_frames(3)
    source = write(enhanced_object(frames, Rows=5, Columns=7), tmp_path / "a.dcm")
    stored = dicoxide.decode(source)
    decode(source, tmp_path / "out", "--format", "png")
    images, _ = pictures(tmp_path / "out")
    expected = [reference(frame, ("RANGE", frame.min(), frame.max())) for frame in stored]
    assert sorted(picture.tobytes() for picture in images) == sorted(frame.tobytes() for frame in expected)


def test_pictures_apply_the_voi_lut_before_windows(tmp_path: Path) -> None:
    ramp = np.arange(4096)[::-1].astype(np.uint16)
    (path,) = write_series(tmp_path / "in", 1, VOILUTSequence=[lut_item(-1024, ramp, 12, vr="SS")])
    (stored,) = decode_by_pydicom([path])
    decode(tmp_path / "in", tmp_path / "out", "--format", "png")
    (picture,), _ = pictures(tmp_path / "out")
    np.testing.assert_array_equal(picture, reference(stored, ("LUT", -1024, ramp, 12), transform=(1, -1024)))


def test_pictures_with_malformed_voi_lut_report_it(tmp_path: Path) -> None:
    item = lut_item(0, np.arange(100, dtype=np.uint16), 12)
    item.LUTDescriptor = [4096, 0, 12]
    write_series(tmp_path / "in", 1, VOILUTSequence=[item])
    document = decode(tmp_path / "in", tmp_path / "out", "--format", "png")
    assert any("at least 8192 expected: not applied (PS3.3 C.11.2.1.1)" in text for text in document["warnings"])
    (picture,), _ = pictures(tmp_path / "out")
    assert (picture.min(), picture.max()) == (0, 255)


def test_pictures_of_monochrome1_are_inverted(tmp_path: Path) -> None:
    (path,) = write_series(tmp_path / "in", 1, PhotometricInterpretation="MONOCHROME1")
    decode(tmp_path / "in", tmp_path / "out", "--format", "png")
    (stored,) = decode_by_pydicom([path])
    (picture,), _ = pictures(tmp_path / "out")
    np.testing.assert_array_equal(picture, reference(stored, ("RANGE", stored.min(), stored.max()), inverted=True))


def test_pictures_of_colour_equal_pydicom(tmp_path: Path) -> None:
    source = Path(get_testdata_file("SC_rgb_small_odd.dcm"))
    decode(source, tmp_path / "out", "--format", "png")
    (picture,), _ = pictures(tmp_path / "out")
    np.testing.assert_array_equal(picture, pydicom.dcmread(source).pixel_array)


def write_palette(path: Path, count: int = 1) -> Path:
    dataset = image(0, PhotometricInterpretation="PALETTE COLOR", PixelRepresentation=0, NumberOfFrames=count)
    for factor, keyword in enumerate(("Red", "Green", "Blue"), 1):
        dataset.add_new(f"{keyword}PaletteColorLookupTableDescriptor", "US", [32, 0, 16])
        setattr(dataset, f"{keyword}PaletteColorLookupTableData", (np.arange(32, dtype="<u2") * factor * 257).tobytes())
    return write(dataset, path)


@pytest.mark.parametrize("count", [1, 3])
def test_pictures_of_palettes_are_rgb(tmp_path: Path, count: int) -> None:
    source = write_palette(tmp_path / "a.dcm", count)
    document = decode(source, tmp_path / "out", "--format", "png")
    images, _ = pictures(tmp_path / "out")
    np.testing.assert_array_equal(images, dicoxide.render(source).reshape(count, 5, 7, 3))
    assert document["series"][0]["shape"] == [count, 5, 7, 3]
    assert document["series"][0]["slice_shape"] == [5, 7, 3]


@pytest.mark.parametrize("more", [[], ["--max-size", "6"]], ids=["full", "reduced"])
def test_pictures_with_overlays_equal_render(tmp_path: Path, more: list[str]) -> None:
    (path,) = write_series(tmp_path / "in", 1)
    dataset = pydicom.dcmread(path)
    for element, vr, value in (
        (0x0010, "US", 12),
        (0x0011, "US", 10),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", b"\x55" * 16),
    ):
        dataset.add_new(0x60000000 + element, vr, value)
    dataset.save_as(path)
    decode(tmp_path / "in", tmp_path / "out", "--format", "png", "--window", "full", "--overlays", *more)
    (picture,), metadata = pictures(tmp_path / "out")
    max_size = int(more[1]) if more else None
    np.testing.assert_array_equal(picture, dicoxide.render(path, window="full", overlays=True, max_size=max_size))
    assert not np.array_equal(picture, dicoxide.render(path, window="full", max_size=max_size))
    assert metadata["rendering"]["overlays"] is True


def test_pictures_of_a_maximum_size_scale_the_geometry(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 3, rows=40, columns=20)
    decode(tmp_path / "in", tmp_path / "out", "--format", "png", "--max-size", 10)
    images, metadata = pictures(tmp_path / "out")
    for path, picture in zip(paths, images, strict=True):
        np.testing.assert_array_equal(picture, dicoxide.render(path, max_size=10))
    assert metadata["spacing"] == [2.5, 2.0, 3.0]
    # The centre of the first pixel is that of 4 × 4 pixels.
    assert metadata["affine_lps"] == [
        [3.0, 0, 0, -10 + 1.5 * 0.75],
        [0, 2.0, 0, -20 + 1.5 * 0.5],
        [0, 0, 2.5, 0],
        [0, 0, 0, 1],
    ]


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_pictures_of_16_bits_are_written(tmp_path: Path, form: str) -> None:
    (path,) = write_series(tmp_path / "in", 1)
    decode(tmp_path / "in", tmp_path / "out", "--format", form, "--dtype", "uint16", "--window", "full")
    (picture,), _ = pictures(tmp_path / "out")
    assert picture.dtype.itemsize >= 2
    np.testing.assert_array_equal(picture, dicoxide.render(path, dtype="uint16", window="full"))


@pytest.mark.parametrize("form", ["png", "tiff"])
def test_pictures_of_16_bits_and_colour_have_8_bits(tmp_path: Path, form: str) -> None:
    source = write_palette(tmp_path / "a.dcm")
    decode(source, tmp_path / "out", "--format", form, "--dtype", "uint16")
    (picture,), _ = pictures(tmp_path / "out")
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, dicoxide.render(source))


def test_pictures_with_failed_slices_have_the_others(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "in", 4, is_jpeg=True, rows=64, columns=64)
    truncate_frame(paths[0])
    document = decode(tmp_path / "in", tmp_path / "out", "--format", "png", code=1)
    images, metadata = pictures(tmp_path / "out")
    assert len(images) == 3
    for path, picture in zip(paths[1:], images, strict=True):
        np.testing.assert_array_equal(picture, dicoxide.render(path))
    assert [missing["kind"] for missing in metadata["missing"]] == ["Truncated"]
    assert document["series"][0]["status"] == "incomplete"


def test_pictures_of_which_all_slices_fail_are_a_failed_series(tmp_path: Path) -> None:
    write_series(tmp_path / "in", 2)
    document = decode(tmp_path / "in", tmp_path / "out", "--format", "png", "--window", "bone", code=1)
    assert {failure["kind"] for failure in document["failures"]} == {"Request"}
    assert document["series"][0]["status"] == "failed"
    assert not list((tmp_path / "out").glob("*/*.png"))


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_pictures_of_lower_quality_are_smaller(tmp_path: Path, form: str) -> None:
    write_series(tmp_path / "in", 1, rows=64, columns=64)
    sizes = []
    for quality in (10, 95):
        decode(tmp_path / "in", tmp_path / f"out{quality}", "--format", form, "--quality", quality)
        (path,) = (tmp_path / f"out{quality}").glob(f"*/*{SUFFIXES[form]}")
        sizes.append(path.stat().st_size)
    assert sizes[0] < sizes[1]


def test_pictures_resumed_with_another_window_are_written_again(tmp_path: Path) -> None:
    (path,) = write_series(tmp_path / "in", 1)
    for window in ((40, 400), (0, 1000)):
        text = ",".join(map(str, window))
        document = decode(tmp_path / "in", tmp_path / "out", "--format", "png", "--window", text, "--resume")
        assert document["series"][0]["status"] == "written"
    again = decode(tmp_path / "in", tmp_path / "out", "--format", "png", "--window", "0,1000", "--resume")
    assert again["series"][0]["status"] == "resumed"
    (picture,), _ = pictures(tmp_path / "out")
    np.testing.assert_array_equal(picture, dicoxide.render(path, window=(0, 1000)))


def read_array(out: Path, form: str) -> tuple[Any, dict[str, Any]]:
    """Return the only array of an output folder, and its metadata."""
    if form == "npy":
        (path,) = out.glob("*.npy")
        return np.load(path), json.loads(path.with_suffix(".json").read_text())
    zarr = pytest.importorskip("zarr")
    ((_, array),) = zarr.open_group(out, mode="r").arrays()
    return array[:], dict(array.attrs)


@pytest.mark.parametrize("form", ["zarr", "npy"])
@pytest.mark.parametrize("is_jpeg", [False, True], ids=["native", "jpeg"])
def test_rendered_array_without_windows_has_one_range(tmp_path: Path, form: str, is_jpeg: bool) -> None:
    paths = write_series(tmp_path / "in", 5, is_jpeg=is_jpeg)
    stored = decode_by_pydicom(paths)
    document = decode(tmp_path / "in", tmp_path / "out", "--format", form, "--render")
    array, metadata = read_array(tmp_path / "out", form)
    np.testing.assert_array_equal(array, reference(stored, ("RANGE", stored.min(), stored.max())))
    assert (array.dtype, metadata["values"]) == (np.uint8, "rendered")
    assert (document["series"][0]["dtype"], document["series"][0]["shape"]) == ("uint8", list(stored.shape))


@pytest.mark.parametrize("form", ["zarr", "npy"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_rendered_array_has_the_requested_type(tmp_path: Path, form: str, dtype: str) -> None:
    paths = write_series(tmp_path / "in", 3)
    decode(tmp_path / "in", tmp_path / "out", "--format", form, "--render", "--window", "40,400", "--dtype", dtype)
    array, _ = read_array(tmp_path / "out", form)
    np.testing.assert_array_equal(array, [dicoxide.render(path, window=(40, 400), dtype=dtype) for path in paths])


@pytest.mark.parametrize("form", ["zarr", "npy"])
def test_rendered_array_of_a_palette_has_a_sample_axis(tmp_path: Path, form: str) -> None:
    source = write_palette(tmp_path / "a.dcm", 3)
    decode(source, tmp_path / "out", "--format", form, "--render")
    array, metadata = read_array(tmp_path / "out", form)
    np.testing.assert_array_equal(array, dicoxide.render(source))
    assert metadata["axes"] == ["slice", "row", "column", "sample"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "nifti", "--render"], "--render does not fit --format nifti"),
        (["--format", "zarr", "--window", "1,2"], "--window and --overlays need --render"),
        (["--format", "npy", "--overlays"], "--window and --overlays need --render"),
        (["--format", "npy", "--render", "--max-size", "9"], "--max-size needs a format of pictures"),
        (["--format", "npy", "--render", "--window", "1%,99%"], "needs all values of an array in memory"),
        (["--format", "jpeg", "--dtype", "uint16"], "rendered slices in jpeg are uint8"),
        (["--format", "npy", "--render", "--dtype", "int32"], "rendered slices in npy are uint8 or uint16 or float32"),
        (["--format", "png", "--quality", "0"], "must be at least 1"),
        (["--format", "png", "--real-world"], "--real-world does not fit --format png"),
        (["--format", "png", "--render", "--rescale"], "not allowed with argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_decode_with_unsuitable_rendering_exits_with_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = dicoxide_command("decode", tmp_path, "-o", tmp_path / "out", *arguments)
    assert done.code == 2
    assert message in done.err
