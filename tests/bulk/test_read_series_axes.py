"""`read_series`: repeated positions become a fourth axis or separate volumes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import dicoxide
from support.synthetic_series import (
    finding_kinds,
    image,
    only_volume,
    repeated_slices,
    slice_indices,
    write_all,
)

AXES: list[tuple[str, str, list[dict[str, Any]], list[float]]] = [
    ("TemporalPositionIdentifier", "", [{"TemporalPositionIdentifier": i} for i in (1, 2, 3)], [1, 2, 3]),
    ("EchoTime", "ms", [{"EchoTime": 4.5, "AcquisitionTime": "02"}, {"EchoTime": 9}], [4.5, 9]),
    ("EchoNumbers", "", [{"EchoNumbers": 1}, {"EchoNumbers": 2}], [1, 2]),
    ("DiffusionBValue", "s/mm²", [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 1000.0}], [0, 1000]),
    ("TriggerTime", "ms", [{"TriggerTime": 0}, {"TriggerTime": 52.5}], [0, 52.5]),
    ("FrameReferenceTime", "ms", [{"FrameReferenceTime": 500}, {"FrameReferenceTime": 1500}], [500, 1500]),
    ("AcquisitionTime", "s", [{"AcquisitionTime": "101500.5"}, {"AcquisitionTime": "101502"}], [0, 1.5]),
    (
        "AcquisitionTime",
        "s",
        [
            {"AcquisitionTime": "235959", "AcquisitionDate": "20240229"},
            {"AcquisitionTime": "000001", "AcquisitionDate": "20240301"},
        ],
        [0, 2],
    ),
    ("AcquisitionTime", "s", [{"AcquisitionDateTime": f"2024010110151{i}.250000+0100"} for i in (1, 3)], [0, 2]),
    ("ContentTime", "s", [{"ContentTime": "10"}, {"ContentTime": "1001"}], [0, 60]),
]


@pytest.mark.parametrize(("axis", "unit", "tags", "values"), AXES)
def test_read_series_with_repeated_positions_has_a_fourth_axis(
    tmp_path: Path, axis: str, unit: str, tags: list[dict[str, Any]], values: list[float]
) -> None:
    datasets = repeated_slices(3, tags)
    random.Random(1).shuffle(datasets)
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.axis, volume.axis_unit, list(volume.axis_values)) == (axis, unit, values)
    assert slice_indices(volume) == [[10 * tag, 10 * tag + 1, 10 * tag + 2] for tag in range(len(tags))]
    assert volume.shape == (len(tags), 3, 5, 7)
    assert volume.spacing == (0.75, 0.5, 2.5)
    assert finding_kinds(volume) == []


def test_read_series_of_diffusion_keeps_directions_with_equal_b_value(tmp_path: Path) -> None:
    tags = [
        {"DiffusionBValue": 700.0, "DiffusionGradientOrientation": [0.0, 1.0, 0.0]},
        {"DiffusionBValue": 0.0},
        {"DiffusionBValue": 700.0, "DiffusionGradientOrientation": [0.0, 0.0, 1.0]},
        {"DiffusionBValue": 0.0},
    ]
    write_all(repeated_slices(2, tags), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.axis_values == (700, 0, 700, 0)
    assert slice_indices(volume) == [[0, 1], [10, 11], [20, 21], [30, 31]]


def test_read_series_of_copied_diffusion_uses_one_copy(tmp_path: Path) -> None:
    for copy in "ab":
        write_all(repeated_slices(2, [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 700.0}]), tmp_path / copy)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [[0, 1], [10, 11]]
    (finding,) = volume.findings
    assert (finding.kind, finding.slices) == ("duplicate_position", (0, 1))


def test_read_series_of_magnitude_and_phase_separates_volumes(tmp_path: Path) -> None:
    tags = [{"ImageType": ["ORIGINAL", "PRIMARY", kind], "EchoTime": echo} for kind in "MP" for echo in (3, 5)]
    write_all(repeated_slices(2, tags), tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [volume.part for volume in volumes] == [(("ImageType", f"ORIGINAL\\PRIMARY\\{kind}"),) for kind in "MP"]
    assert [slice_indices(volume) for volume in volumes] == [[[0, 1], [10, 11]], [[20, 21], [30, 31]]]
    assert all(volume.axis == "EchoTime" for volume in volumes)


def test_read_series_with_mixed_image_types_keeps_one_volume(tmp_path: Path) -> None:
    write_all(
        [image(i, ImagePositionPatient=[0, 0, i], ImageType=["ORIGINAL", str(i % 2)]) for i in range(4)], tmp_path
    )
    assert slice_indices(only_volume(dicoxide.read_series(tmp_path))) == [0, 1, 2, 3]


def test_read_series_of_echoes_with_time_axis_separates_echoes(tmp_path: Path) -> None:
    tags = [{"TemporalPositionIdentifier": time, "EchoTime": echo} for echo in (3, 5) for time in (1, 2)]
    write_all(repeated_slices(2, tags), tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [(volume.part, volume.axis) for volume in volumes] == [
        ((("EchoTime", 3.0),), "TemporalPositionIdentifier"),
        ((("EchoTime", 5.0),), "TemporalPositionIdentifier"),
    ]


def test_read_series_of_unlabelled_repetitions_reports_the_axis(tmp_path: Path) -> None:
    write_all(repeated_slices(2, [{}, {}]), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.axis, finding_kinds(volume)) == ("InstanceNumber", ["unnamed_axis"])
    assert slice_indices(volume) == [[0, 1], [10, 11]]


@pytest.mark.parametrize(("axis", "first"), [("TemporalPositionIdentifier", 1), ("AcquisitionTime", 101010)])
def test_read_series_with_incomplete_axis_separates_incomplete_values(tmp_path: Path, axis: str, first: int) -> None:
    datasets = repeated_slices(4, [{axis: str(first + tag_index)} for tag_index in range(3)])
    del datasets[5]
    write_all(datasets, tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [slice_indices(volume) for volume in volumes] == [[[0, 1, 2, 3], [20, 21, 22, 23]], [10, 12, 13]]
    assert [finding_kinds(volume) for volume in volumes] == [["incomplete_axis"], ["gap", "incomplete_axis"]]
    assert [volume.axis for volume in volumes] == [axis, None]
    assert volumes[1].part[0][0] == axis


@pytest.mark.parametrize("shared", [{}, {"TriggerTime": 700.0}], ids=["no trigger time", "constant trigger time"])
def test_read_series_frames_that_share_temporal_positions_are_one_volume(tmp_path: Path, shared: dict) -> None:
    tags = [{"TemporalPositionIdentifier": time, **shared} for time in (1, 2, 3) for _ in range(2)]
    write_all(repeated_slices(4, tags), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.shape[:2], volume.axis) == ((6, 4), "TemporalPositionIdentifier")
    assert volume.axis_values == (1, 1, 2, 2, 3, 3)
    assert finding_kinds(volume) == ["shared_temporal_position"]


def test_read_series_cardiac_phases_of_each_temporal_position_are_a_volume(tmp_path: Path) -> None:
    tags = [{"TemporalPositionIdentifier": time, "TriggerTime": 50.0 * phase} for time in (1, 2) for phase in range(3)]
    write_all(repeated_slices(4, tags), tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [(volume.shape[:2], volume.axis) for volume in volumes] == [((3, 4), "TriggerTime")] * 2
