"""Division of series into volumes: rounding, jitter, slabs, acquisitions at positions of their own, options."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

import dicoxide
from dicoxide.bulk import plan_series
from support.synthetic_series import (
    AXIAL,
    SHARED,
    enhanced_frames,
    enhanced_object,
    finding_kinds,
    image,
    item,
    only_volume,
    position_along_normal,
    repeated_slices,
    slice_indices,
    slices,
    write,
    write_all,
)


def stack(positions: Iterable[float], first: int = 0, **attributes: Any) -> list[Dataset]:
    """Return axial slices at z `positions`; values count from `first`."""
    return [image(first + index, ImagePositionPatient=[0.0, 0.0, z], **attributes) for index, z in enumerate(positions)]


def shapes(volumes: Iterable[Any]) -> list[tuple[int, ...]]:
    return [volume.shape[:-2] for volume in volumes]


@pytest.mark.parametrize(
    "texts",
    [("0.468749999", "0.46875"), ("0.4688", "0.46875"), ("0.469", "0.46875"), ("1", "1.000488")],
)
def test_read_series_with_rounded_pixel_spacing_gives_one_volume(tmp_path: Path, texts: tuple[str, str]) -> None:
    write_all([image(i, ImagePositionPatient=[0, 0, i], PixelSpacing=[texts[i % 2]] * 2) for i in range(6)], tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (slice_indices(volume), finding_kinds(volume)) == ([0, 1, 2, 3, 4, 5], [])


def test_read_series_with_rounded_orientation_digits_gives_one_volume(tmp_path: Path) -> None:
    orientations = [(0.99999, -0.0044, 0, 0.0044, 0.99999, 0), (0.999990298, -0.00439999, 0, 0.00439999, 0.9999903, 0)]
    datasets = stack(range(6))
    for index, dataset in enumerate(datasets):
        dataset.ImageOrientationPatient = list(orientations[index % 2])
    write_all(datasets, tmp_path)
    assert slice_indices(only_volume(dicoxide.read_series(tmp_path))) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("shift", [1e-6, 0.0009, 0.013, 0.03])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_read_series_of_repetitions_that_jitter_has_a_fourth_axis(tmp_path: Path, shift: float, axis: int) -> None:
    datasets = repeated_slices(4, [{"TriggerTime": 0}, {"TriggerTime": 100}, {"TriggerTime": 200}])
    for index, dataset in enumerate(datasets):
        dataset.ImagePositionPatient[axis] += (index // 4) * shift / 2
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.axis, volume.shape[:2], finding_kinds(volume)) == ("TriggerTime", (3, 4), [])
    assert slice_indices(volume) == [[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]
    assert volume.spacing == pytest.approx((0.75, 0.5, 2.5))


def test_read_series_with_jittering_slices_is_evenly_spaced(tmp_path: Path) -> None:
    jitter = np.random.default_rng(1).uniform(-0.013, 0.013, 40)
    write_all(stack(np.arange(40) * 0.5 + jitter.round(4)), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert finding_kinds(volume) == []
    assert volume.spacing[2] == pytest.approx(0.5, abs=1e-3)


def test_read_series_of_sheared_repetitions_that_jitter_has_one_volume(tmp_path: Path) -> None:
    datasets = [
        image(10 * time + i, ImagePositionPatient=[0.013 * time, 0.4 * i, 2.0 * i], TemporalPositionIdentifier=time + 1)
        for time in range(2)
        for i in range(5)
    ]
    datasets += [image(99, ImagePositionPatient=[90, 0.4, 2], TemporalPositionIdentifier=1)]
    write_all(datasets, tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert shapes(volumes) == [(2, 5), (1,)]
    assert finding_kinds(volumes[0]) == ["mixed_columns", "shear"]


@pytest.mark.parametrize(
    "keyword", ["AcquisitionNumber", "EchoTime", "EchoNumbers", "DiffusionBValue", "TemporalPositionIdentifier"]
)
@pytest.mark.parametrize("offset", [0.4, 0.625 + 0.1, 1.1])
def test_read_series_of_interleaved_positions_separates_values(tmp_path: Path, keyword: str, offset: float) -> None:
    positions = np.arange(4) * 1.25
    datasets = [*stack(positions, **{keyword: 1}), *stack(positions + offset, 10, **{keyword: 2})]
    write_all(datasets, tmp_path, lambda index: str(index * 3 % 8))
    volumes = dicoxide.read_series(tmp_path)
    assert [slice_indices(volume) for volume in volumes] == [[0, 1, 2, 3], [10, 11, 12, 13]]
    assert [volume.part for volume in volumes] == [((keyword, 1.0),), ((keyword, 2.0),)]
    assert all(volume.spacing[2] == pytest.approx(1.25) for volume in volumes)


def test_read_series_of_interleaved_acquisitions_with_even_union_is_one_volume(tmp_path: Path) -> None:
    datasets = [*stack([0, 2, 4, 6], AcquisitionNumber=1), *stack([1, 3, 5, 7], 10, AcquisitionNumber=2)]
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (slice_indices(volume), finding_kinds(volume)) == ([0, 10, 1, 11, 2, 12, 3, 13], [])


def test_read_series_of_slightly_shifted_repetitions_has_a_fourth_axis(tmp_path: Path) -> None:
    datasets = [dataset for time in range(5) for dataset in stack(np.arange(6) * 3.0 + 0.06 * time, 10 * time)]
    for index, dataset in enumerate(datasets):
        dataset.TemporalPositionIdentifier = index // 6 + 1
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.shape[:2], volume.axis) == ((5, 6), "TemporalPositionIdentifier")
    assert finding_kinds(volume) == ["moving_positions"]
    assert "0.24 mm" in volume.findings[0].message


def test_read_series_of_overlapping_acquisitions_keeps_all_frames(tmp_path: Path) -> None:
    datasets = [*stack(range(6), AcquisitionNumber=1), *stack(range(5, 11), 10, AcquisitionNumber=2)]
    write_all(datasets, tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [slice_indices(volume) for volume in volumes] == [[0, 1, 2, 3, 4, 5], [10, 11, 12, 13, 14, 15]]
    assert all(volume.affine is not None for volume in volumes)


@pytest.mark.parametrize("has_numbers", [True, False])
def test_read_series_of_asl_pairs_is_one_volume_in_acquisition_order(tmp_path: Path, has_numbers: bool) -> None:
    tags = [
        {
            "TemporalPositionIdentifier": time + 1,
            "AcquisitionTime": None if has_numbers else f"1000{2 * time + label:02}",
        }
        for time in range(4)
        for label in range(2)
    ]
    write_all(repeated_slices(3, tags), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.shape[:2] == (8, 3)
    assert [row[0] for row in slice_indices(volume)] == [10 * index for index in range(8)]
    assert finding_kinds(volume) == (["shared_temporal_position"] if has_numbers else [])


def test_read_series_of_asl_contexts_separates_them_only_on_request(tmp_path: Path) -> None:
    frames = [
        frame
        | {
            "FrameContentSequence": item(TemporalPositionIndex=time),
            "MRArterialSpinLabelingSequence": item(ASLContext=context),
        }
        for time in (1, 2, 3)
        for context in ("CONTROL", "LABEL")
        for frame in enhanced_frames(4)
    ]
    path = write(enhanced_object(frames, SHARED), tmp_path / "asl")
    volume = only_volume(dicoxide.read_series(tmp_path))
    np.testing.assert_array_equal(volume.array.reshape(24, 5, 7), dicoxide.decode(path))
    volumes = dicoxide.read_series(tmp_path, split_by="ASLContext")
    assert [(volume.part, volume.shape[:2]) for volume in volumes] == [
        ((("ASLContext", "CONTROL"),), (3, 4)),
        ((("ASLContext", "LABEL"),), (3, 4)),
    ]


def test_read_series_of_two_slabs_separates_them(tmp_path: Path) -> None:
    write_all(stack([0, 2, 4, 6, 100, 105, 110]), tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [slice_indices(volume) for volume in volumes] == [[0, 1, 2, 3], [4, 5, 6]]
    assert [finding_kinds(volume) for volume in volumes] == [["split_spacing"]] * 2
    assert [volume.spacing[2] for volume in volumes] == [2, 5]


def test_read_series_of_two_slabs_with_echoes_keeps_the_axis(tmp_path: Path) -> None:
    positions = [0, 1, 2, 3, 5, 7, 9]
    write_all([*stack(positions, EchoTime=3), *stack(positions, 10, EchoTime=5)], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [(volume.axis, volume.shape[:2]) for volume in volumes] == [("EchoTime", (2, 4)), ("EchoTime", (2, 3))]
    assert slice_indices(volumes[1]) == [[4, 5, 6], [14, 15, 16]]


def test_read_series_sorts_parts_by_number(tmp_path: Path) -> None:
    tags = [{"EchoTime": echo, "AcquisitionTime": f"10000{time}"} for echo in (10.2, 4.6, 100) for time in (1, 2)]
    write_all(repeated_slices(3, tags), tmp_path)
    assert [volume.part[0][1] for volume in dicoxide.read_series(tmp_path)] == [4.6, 10.2, 100]


def test_read_series_with_split_by_separates_values(tmp_path: Path) -> None:
    tags = [{"EchoTime": echo, "ConvolutionKernel": "B30f"} for echo in (3, 5)]
    datasets = repeated_slices(3, tags)
    datasets[5].ConvolutionKernel = "B60f"
    write_all(datasets, tmp_path)
    assert shapes(dicoxide.read_series(tmp_path)) == [(2, 3)]
    volumes = dicoxide.read_series(tmp_path, split_by="EchoTime")
    assert [volume.part for volume in volumes] == [(("EchoTime", 3.0),), (("EchoTime", 5.0),)]
    assert shapes(volumes) == [(3,), (3,)]
    volumes = dicoxide.read_series(tmp_path, split_by=["EchoTime", "ConvolutionKernel"])
    assert shapes(volumes) == [(3,), (2,), (1,)]
    assert volumes[2].part == (("EchoTime", 5.0), ("ConvolutionKernel", "B60f"))


def test_plan_series_with_split_by_reads_functional_groups(tmp_path: Path) -> None:
    frames = [
        frame | {"FrameContentSequence": item(TemporalPositionIndex=time)}
        for time in (2, 1)
        for frame in enhanced_frames(3)
    ]
    write(enhanced_object(frames, SHARED), tmp_path / "enhanced")
    plans = plan_series(tmp_path, split_by=["TemporalPositionIndex", "SliceThickness", "StudyDate"])
    assert [plan.part for plan in plans] == [
        (("TemporalPositionIndex", time), ("SliceThickness", 2.0), ("StudyDate", None)) for time in (1, 2)
    ]
    assert [source[1] for source in plans[0].sources] == [3, 4, 5]


@pytest.mark.parametrize(
    ("keyword", "values", "axis"),
    [
        ("ImageType", [["ORIGINAL", "M"], ["ORIGINAL", "P"]], "InstanceNumber"),
        ("EchoTime", [3, 5], "EchoTime"),
        ("FrameOfReferenceUID", ["1.2.3", "1.2.4"], "InstanceNumber"),
        ("SeriesInstanceUID", ["1.2.3.4.1", "1.2.3.4.2"], "InstanceNumber"),
    ],
)
def test_read_series_with_merge_joins_values(tmp_path: Path, keyword: str, values: list[Any], axis: str) -> None:
    write_all(repeated_slices(3, [{keyword: value} for value in values]), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path, merge=[keyword]))
    assert volume.axis == axis
    assert slice_indices(volume) == [[0, 1, 2], [10, 11, 12]]
    assert volume.affine is not None


def test_read_series_with_merge_of_types_without_numbers_keeps_all_frames(tmp_path: Path) -> None:
    tags = [{"ImageType": ["ORIGINAL", kind], "InstanceNumber": None} for kind in "PM"]
    write_all(repeated_slices(3, tags), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path, merge="ImageType"))
    assert [sorted(row) for row in slice_indices(volume)] == [[10, 11, 12], [0, 1, 2]]


@pytest.mark.parametrize(
    ("keyword", "values", "kind"),
    [
        ("ImageOrientationPatient", [list(AXIAL), [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]], "merged_orientations"),
        ("PixelSpacing", [[0.5, 0.5], [1, 1]], "merged_pixel_spacings"),
        ("AcquisitionNumber", [1, 2], "moving_positions"),
    ],
)
def test_read_series_with_merge_of_geometry_has_no_affine(
    tmp_path: Path, keyword: str, values: list[Any], kind: str
) -> None:
    if keyword == "AcquisitionNumber":
        datasets = [
            dataset for n in values for dataset in stack(np.arange(4) * 2 + 0.7 * (n - 1), 10 * n, **{keyword: n})
        ]
    else:
        datasets = [image(i, ImagePositionPatient=[0, 0, i], **{keyword: values[i % 2]}) for i in range(4)]
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path, merge=[keyword]))
    assert volume.affine is None
    assert kind in finding_kinds(volume)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_by": "EchoTmie"}, "split_by: 'EchoTmie' is not the keyword"),
        ({"merge": ["EchoTime", "Echo Time"]}, "merge: 'Echo Time' is not the keyword"),
        ({"merge": "Rows"}, "images that differ in Rows cannot be one volume"),
        ({"split_by": "EchoTime", "merge": "EchoTime"}, "EchoTime is in both split_by and merge"),
    ],
)
def test_read_series_with_invalid_keywords_raises(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dicoxide.read_series(tmp_path, **options)


@pytest.mark.parametrize("value", ["1e308", "-1e308", "nan", "inf", "1e10"])
def test_read_series_with_absurd_positions_has_no_geometry(tmp_path: Path, value: str) -> None:
    datasets = slices(4)
    for dataset in datasets:
        dataset.ImagePositionPatient = [0, 0, 0]
    paths = write_all(datasets, tmp_path)
    for path in paths:
        data = path.read_bytes()
        tag = b"\x20\x00\x32\x00DS"
        start = data.index(tag) + 8
        length = int.from_bytes(data[start - 2 : start], "little")
        text = b"\\".join([value.encode()] * 3)
        text += b" " * (len(text) % 2)
        path.write_bytes(data[: start - 2] + len(text).to_bytes(2, "little") + text + data[start + length :])
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.affine, finding_kinds(volume)) == (None, ["no_geometry"])
    assert slice_indices(volume) == [0, 1, 2, 3]


def test_read_series_with_incomplete_repetition_keeps_the_others(tmp_path: Path) -> None:
    datasets = repeated_slices(4, [{"TemporalPositionIdentifier": time} for time in range(1, 6)])
    write_all(datasets[:-2], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert shapes(volumes) == [(4, 4), (2,)]
    assert volumes[1].part == (("TemporalPositionIdentifier", 5.0),)
    assert all("incomplete_axis" in finding_kinds(volume) for volume in volumes)
    assert volumes[0].origin == tuple(position_along_normal(AXIAL, 0))
