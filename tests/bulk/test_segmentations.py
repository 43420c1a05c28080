"""Segmentations: empty frames that an object omits are filled with zeros on a grid that all of its segments share."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage, generate_uid

import dicoxide
from dicoxide import dask as dicoxide_dask
from support.command_line import dicoxide_command
from support.highdicom_arguments import new_instance
from support.synthetic_series import AXIAL, enhanced_object, finding_kinds, item, only_volume, slices, write, write_all

SHAPE = (5, 7)


def segmentation(
    frames: list[tuple[int, float]], spacing: float | None = 2.0, orientation: Any = AXIAL, **attributes: Any
) -> Dataset:
    """Return a segmentation whose frames are (segment, z in mm); the first sample of frame i is i + 1."""
    shared = {
        "PlaneOrientationSequence": item(ImageOrientationPatient=list(orientation)),
        "PixelMeasuresSequence": item(PixelSpacing=[1, 1], SliceThickness=2.0, SpacingBetweenSlices=spacing),
    }
    if spacing is None:
        del shared["PixelMeasuresSequence"].SpacingBetweenSlices
    groups = [
        {
            "PlanePositionSequence": item(ImagePositionPatient=[0, 0, z]),
            "SegmentIdentificationSequence": item(ReferencedSegmentNumber=segment),
        }
        for segment, z in frames
    ]
    fields = {"SOPClassUID": SegmentationStorage, "Modality": "SEG", "SeriesInstanceUID": "1.2.3.9"}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    dataset = enhanced_object(groups, shared, **(fields | bits | attributes))
    pixels = np.ones((len(frames), *SHAPE), "u1") * (np.arange(len(frames), dtype="u1") + 1)[:, None, None]
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    return dataset


def values(volume: Any) -> list[int]:
    """Return the value of each slice, which is constant within it."""
    array = np.asarray(volume)
    assert (array == array[..., :1, :1]).all()
    return array[:, 0, 0].tolist()


@pytest.mark.parametrize("spacing", [2.0, None, 2.000001, 0.3, 5.0])
def test_read_series_of_segmentation_fills_omitted_frames(tmp_path: Path, spacing: float | None) -> None:
    write(segmentation([(1, 2), (1, 4), (1, 10)], spacing), tmp_path / "a")
    volume = only_volume(dicoxide.read_series(tmp_path))
    if spacing == 0.3:
        # No position is on this grid; the usual distance is used.
        assert volume.shape == (5, *SHAPE)
    assert values(volume) == [1, 2, 0, 0, 3]
    assert finding_kinds(volume) == ["omitted_frames"]
    assert volume.findings[0].slices == (2, 3)
    assert volume.spacing == (1, 1, 2)
    assert [source if source is None else source[1] for source in volume.sources] == [0, 1, None, None, 2]
    np.testing.assert_array_equal(volume.positions[:, 2], [2, 4, 6, 8, 10])
    again = pickle.loads(pickle.dumps(volume.plan))
    assert again.first_slice.path == volume.sources[0][0]


def test_read_series_of_segments_gives_all_the_same_grid(tmp_path: Path) -> None:
    frames = [(2, 10.0), (1, 2.0), (1, 4.0), (3, 6.0), (2, 8.0)]
    write(segmentation(frames), tmp_path / "a")
    volumes = dicoxide.read_series(tmp_path)
    assert [volume.part for volume in volumes] == [(("ReferencedSegmentNumber", number),) for number in (1, 2, 3)]
    assert [values(volume) for volume in volumes] == [[2, 3, 0, 0, 0], [0, 0, 0, 5, 1], [0, 0, 4, 0, 0]]
    for volume in volumes:
        np.testing.assert_array_equal(volume.affine, volumes[0].affine)


def test_read_series_of_two_segmentations_separates_them(tmp_path: Path) -> None:
    objects = [segmentation([(1, 0), (1, 2 * steps)], SOPInstanceUID=generate_uid()) for steps in (2, 4)]
    write_all(objects, tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [values(volume) for volume in volumes] == [[1, 0, 0, 0, 2], [1, 0, 2]]


def test_read_series_of_other_objects_is_not_filled(tmp_path: Path) -> None:
    datasets = slices(5)
    del datasets[2]
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.shape[0], volume.affine, finding_kinds(volume)) == (4, None, ["gap"])


@pytest.mark.parametrize("last", [1e8, 4001.3, 9e8])
def test_read_series_of_segmentation_with_far_positions_is_not_filled(tmp_path: Path, last: float) -> None:
    write(segmentation([(1, 0), (1, 2), (1, last)]), tmp_path / "a")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.shape[0], volume.affine) == (3, None)


def test_read_series_of_many_segments_is_bounded_by_the_input(tmp_path: Path) -> None:
    write(segmentation([(segment, 1000.0 * (segment % 2)) for segment in range(1, 250)]), tmp_path / "a")
    assert sum(volume.shape[0] for volume in dicoxide.read_series(tmp_path)) < 1 << 17


def test_dask_of_segmentation_fills_omitted_frames(tmp_path: Path) -> None:
    pytest.importorskip("dask")
    write(segmentation([(1, 2), (1, 4), (1, 10)]), tmp_path / "a")
    volume = only_volume(dicoxide_dask.from_series(tmp_path, slices_per_chunk=2))
    assert values(volume.array.compute(scheduler="synchronous")) == [1, 2, 0, 0, 3]


@pytest.mark.parametrize("form", ["npy", "nifti", "zarr", "png"])
@pytest.mark.parametrize("frames", [[(1, 2), (1, 4), (1, 10)], [(1, 2), (2, 8)]], ids=["frames", "segments"])
def test_cli_decode_of_segmentation_writes_omitted_frames(
    tmp_path: Path, form: str, frames: list[tuple[int, float]]
) -> None:
    write(segmentation(frames), tmp_path / "in" / "a")
    result = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", form, "--json")
    assert result.code == 0, result.err
    series = result.document["series"]
    assert [entry["slices"] for entry in series] == ([5] if len(frames) == 3 else [4, 4])
    if form == "npy":
        expected = [[1, 2, 0, 0, 3]] if len(frames) == 3 else [[1, 0, 0, 0], [0, 0, 0, 2]]
        for entry, numbers in zip(series, expected, strict=True):
            assert values(np.load(tmp_path / "out" / f"{entry['name']}.npy")) == numbers
            metadata = json.loads((tmp_path / "out" / f"{entry['name']}.json").read_text())
            assert [source is None for source in metadata["sources"]] == [number == 0 for number in numbers]
            assert metadata["affine_lps"] is not None


def test_cli_decode_of_segmentation_with_one_frame_and_failure_writes_nothing(tmp_path: Path) -> None:
    path = write(segmentation([(1, 2), (2, 8)]), tmp_path / "in" / "a")
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    result = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "npy")
    assert result.code == 1
    written = sorted(entry.name for entry in (tmp_path / "out").glob("*.npy"))
    assert len(written) <= 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize("step", [2.5, -2.5])
def test_read_series_of_segmentation_that_highdicom_writes(tmp_path: Path, kind: str, step: float) -> None:
    hd = pytest.importorskip("highdicom")
    from pydicom.sr.codedict import codes

    source = slices(9)
    for index, dataset in enumerate(source):
        dataset.ImagePositionPatient[2] = step * index
        dataset.file_meta = Dataset()
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
            setattr(dataset, keyword, "")
        dataset.StudyDate, dataset.StudyTime = "20240101", "101010"
        dataset.Manufacturer = "made"
    segments = 2
    masks = np.zeros((9, *SHAPE, segments), "u1")
    masks[2:4, 1:3, 2:5, 0] = 1
    masks[7, 3, 3, 0] = 1
    masks[5:7, 3:5, :, 1] = 1
    try:
        kind_value = hd.seg.SegmentationTypeValues[kind]
    except KeyError:
        pytest.skip(f"this highdicom has no {kind}")
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=str(number),
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Liver,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number in range(1, segments + 1)
    ]
    created = hd.seg.Segmentation(
        source,
        masks,
        kind_value,
        descriptions,
        **new_instance(),
        omit_empty_frames=True,
        max_fractional_value=1,
    )
    created.save_as(tmp_path / "seg")
    volumes = dicoxide.read_series(tmp_path / "seg")
    # Slices 2 to 7 of the source are on the grid; they ascend along the normal.
    expected = masks[2:8][:: 1 if step > 0 else -1]
    if kind == "LABELMAP":
        np.testing.assert_array_equal(only_volume(volumes).array, expected @ np.array([1, 2], "u1"))
    else:
        assert [volume.part[0][1] for volume in volumes] == [1, 2]
        for index, volume in enumerate(volumes):
            np.testing.assert_array_equal(volume.array, expected[..., index])
    for volume in volumes:
        assert volume.spacing == pytest.approx((0.75, 0.5, 2.5))
        assert volume.origin[2] == pytest.approx(min(2 * step, 7 * step))
