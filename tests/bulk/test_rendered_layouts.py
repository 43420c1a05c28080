"""Rendering of mosaics, segmentations and functional groups as volumes: dask, `dicoxide decode` and `sheet`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import cli
from support.mosaics import siemens_mosaic, stack
from support.reference_rendering import render as reference
from support.synthetic_series import SHARED, enhanced_frames, enhanced_object, item, write

pytestmark = pytest.mark.filterwarnings("ignore")


def run(source: Path, out: Path, *arguments: str) -> None:
    assert cli.main(["decode", str(source), "-o", str(out), *arguments]) == 0


def read_npy(out: Path) -> tuple[Any, dict[str, Any]]:
    (path,) = out.glob("*.npy")
    return np.load(path), json.loads(path.with_suffix(".json").read_text())


def read_pictures(out: Path) -> np.ndarray[Any, Any]:
    """Return the pictures of the only series, stacked."""
    pillow = pytest.importorskip("PIL.Image")
    (series,) = out.glob("*/series.json")
    pictures = []
    for name in json.loads(series.read_text())["files"]:
        with pillow.open(series.parent / name) as picture:
            pictures.append(np.asarray(picture))
    return np.stack(pictures)


class TestMosaics:
    @pytest.fixture(autouse=True)
    def _mosaic(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "in"
        window = {"WindowCenter": 500, "WindowWidth": 700}
        write(siemens_mosaic(stack(5), **window), self.folder / "m.dcm")
        (self.volume,) = dicoxide.read_series(self.folder)
        self.expected = reference(self.volume.array, ("LINEAR", 500, 700))

    def test_volume_of_mosaic_renders_its_slices(self) -> None:
        np.testing.assert_array_equal(self.volume.render(), self.expected)

    def test_decode_of_mosaic_renders_its_slices(self, tmp_path: Path) -> None:
        run(self.folder, tmp_path / "npy", "--format", "npy", "--render")
        np.testing.assert_array_equal(read_npy(tmp_path / "npy")[0], self.expected)
        # Slices of mosaics keep their size.
        run(self.folder, tmp_path / "png", "--format", "png", "--max-size", "2")
        np.testing.assert_array_equal(read_pictures(tmp_path / "png"), self.expected)

    def test_dask_of_mosaic_renders_its_slices(self) -> None:
        pytest.importorskip("dask.array")
        (lazy,) = dicoxide.dask.from_series(self.folder, slices_per_chunk=2, render=True)
        np.testing.assert_array_equal(lazy.array.compute(scheduler="sync"), self.expected)
        with pytest.raises(ValueError, match="mosaics"):
            dicoxide.dask.from_series(self.folder, render={"max_size": 2})

    def test_sheet_of_mosaic_has_a_slice(self, tmp_path: Path) -> None:
        pillow = pytest.importorskip("PIL.Image")
        assert cli.main(["sheet", str(self.folder), "-o", str(tmp_path / "a.png")]) == 0
        with pillow.open(tmp_path / "a.png") as picture:
            assert np.asarray(picture.convert("L")).max() > 200


class TestOmittedFrames:
    """A segmentation with frames at 2 and 8 mm, which omits the ones between."""

    @pytest.fixture(autouse=True)
    def _segmentation(self, tmp_path: Path) -> None:
        self.path = tmp_path / "in" / "a.dcm"
        shared = {
            "PlaneOrientationSequence": item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
            "PixelMeasuresSequence": item(PixelSpacing=[1, 1], SliceThickness=2.0, SpacingBetweenSlices=2.0),
        }
        groups = [
            {
                "PlanePositionSequence": item(ImagePositionPatient=[0, 0, z]),
                "SegmentIdentificationSequence": item(ReferencedSegmentNumber=1),
            }
            for z in (2, 8)
        ]
        segment = item(SegmentNumber=1, SegmentLabel="a", RecommendedDisplayCIELabValue=[40000, 50000, 40000])
        bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
        dataset = enhanced_object(
            groups,
            shared,
            SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4",
            Modality="SEG",
            SegmentationType="FRACTIONAL",
            MaximumFractionalValue=255,
            SegmentSequence=[segment],
            **bits,
        )
        dataset.PixelData = np.full((2, 5, 7), 255, "u1").tobytes()
        write(dataset, self.path)
        first, last = dicoxide.render(self.path)
        self.expected = np.stack([first, np.zeros_like(first), np.zeros_like(first), last])

    def test_decode_of_omitted_frames_writes_black(self, tmp_path: Path) -> None:
        assert self.expected.shape == (4, 5, 7, 3)
        assert self.expected.any()
        run(self.path, tmp_path / "npy", "--format", "npy", "--render")
        array, metadata = read_npy(tmp_path / "npy")
        np.testing.assert_array_equal(array, self.expected)
        assert metadata["sources"][1:3] == [None, None]
        run(self.path, tmp_path / "png", "--format", "png")
        np.testing.assert_array_equal(read_pictures(tmp_path / "png"), self.expected)

    def test_dask_of_omitted_frames_is_black(self) -> None:
        pytest.importorskip("dask.array")
        (lazy,) = dicoxide.dask.from_series(self.path, slices_per_chunk=1, render=True)
        np.testing.assert_array_equal(lazy.array.compute(scheduler="sync"), self.expected)


@pytest.mark.parametrize("with_windows", [True, False], ids=["windows", "range"])
def test_functional_groups_give_each_frame_its_window_and_rescale(tmp_path: Path, with_windows: bool) -> None:
    frames = enhanced_frames(4)
    transforms = [(1.0 + index, -3.0 * index) for index in range(4)]
    windows = [(50.0 * index, 100.0) for index in range(4)]
    for frame, (slope, intercept), (center, width) in zip(frames, transforms, windows, strict=True):
        frame["PixelValueTransformationSequence"] = item(RescaleSlope=slope, RescaleIntercept=intercept)
        if with_windows:
            frame["FrameVOILUTSequence"] = item(WindowCenter=center, WindowWidth=width)
    path = write(enhanced_object(frames, SHARED), tmp_path / "in" / "a.dcm")
    stored = dicoxide.decode(path)
    values = [pixels * slope + intercept for pixels, (slope, intercept) in zip(stored, transforms, strict=True)]
    vois: list[tuple[Any, ...]] = [("LINEAR", *window) for window in windows]
    if not with_windows:
        vois = [("RANGE", np.min(values), np.max(values))] * 4
    expected = np.stack(
        [reference(*pair, transform=transform) for *pair, transform in zip(stored, vois, transforms, strict=True)]
    )
    (volume,) = dicoxide.read_series(tmp_path / "in")
    order = [source[1] for source in volume.sources if source is not None]
    np.testing.assert_array_equal(volume.render(), expected[order])
    (rescaled,) = dicoxide.read_series(tmp_path / "in", rescale=True)
    np.testing.assert_array_equal(rescaled.render(), expected[order])
    run(tmp_path / "in", tmp_path / "out", "--format", "npy", "--render")
    array, metadata = read_npy(tmp_path / "out")
    np.testing.assert_array_equal(array, expected[order])
    assert metadata["windows"] == [[*windows[index], "LINEAR"] if with_windows else None for index in order]
