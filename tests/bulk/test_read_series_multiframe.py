"""`read_series`: enhanced objects, dose grids and nuclear medicine, whose frames carry their own geometry."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from support.synthetic_series import (
    AXIAL,
    CORONAL,
    SHARED,
    enhanced_frames,
    enhanced_object,
    finding_kinds,
    image,
    item,
    normal,
    only_volume,
    position_along_normal,
    write,
    write_all,
)


def test_read_series_of_objects_without_geometry_separates_them(tmp_path: Path) -> None:
    write_all([image(i, NumberOfFrames=4, ImageOrientationPatient=None) for i in range(2)], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [volume.shape for volume in volumes] == [(4, 5, 7)] * 2
    assert all(finding_kinds(volume) == ["separate_objects", "no_geometry"] for volume in volumes)
    np.testing.assert_array_equal(volumes[0].array, dicoxide.decode(volumes[0].sources[0][0]))


def test_read_series_of_frames_with_one_position_has_no_geometry(tmp_path: Path) -> None:
    write(image(NumberOfFrames=3), tmp_path / "a")
    assert finding_kinds(only_volume(dicoxide.read_series(tmp_path))) == ["no_geometry"]


@pytest.mark.parametrize("step", [3.0, -3.0])
@pytest.mark.parametrize("start", [0.0, 3.0])
def test_read_series_of_dose_grid_uses_relative_offsets(tmp_path: Path, step: float, start: float) -> None:
    offsets = [start + step * index for index in range(5)]
    dose = {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31, "PixelRepresentation": 0, "Modality": "RTDOSE"}
    dataset = image(NumberOfFrames=5, ImagePositionPatient=[1, 2, 3], GridFrameOffsetVector=offsets, **dose)
    path = write(dataset, tmp_path / "dose")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert finding_kinds(volume) == []
    assert volume.spacing == (0.75, 0.5, 3.0)
    assert volume.origin == (1.0, 2.0, 3.0 + min(0.0, step * 4))
    np.testing.assert_array_equal(volume.array, dicoxide.decode(path)[:: 1 if step > 0 else -1])


def test_read_series_of_dose_grid_accepts_absolute_offsets(tmp_path: Path) -> None:
    upside_down = [1, 0, 0, 0, -1, 0]
    offsets = [-20.0, -18.0, -16.0]
    offset = {"ImagePositionPatient": [1, 2, -20], "ImageOrientationPatient": upside_down}
    path = write(image(NumberOfFrames=3, GridFrameOffsetVector=offsets, **offset), tmp_path / "dose")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.origin == (1.0, 2.0, -16.0)
    np.testing.assert_array_equal(volume.direction[:, 2], (0, 0, -1))
    np.testing.assert_array_equal(volume.array, dicoxide.decode(path)[::-1])


def test_read_series_of_reconstructed_nm_uses_the_slice_vector(tmp_path: Path) -> None:
    detector = item(ImagePositionPatient=[0, 0, 50], ImageOrientationPatient=list(AXIAL))
    dataset = image(
        NumberOfFrames=6,
        ImagePositionPatient=None,
        ImageOrientationPatient=None,
        SpacingBetweenSlices=4,
        DetectorInformationSequence=[detector],
        SliceVector=[1, 2, 3, 1, 2, 3],
        TimeSlotVector=[1, 1, 1, 2, 2, 2],
    )
    path = write(dataset, tmp_path / "nm")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.shape == (2, 3, 5, 7)
    assert volume.origin == (0, 0, 50)
    assert volume.spacing[2] == 4
    np.testing.assert_array_equal(volume.array.reshape(6, 5, 7), dicoxide.decode(path))


def test_read_series_of_enhanced_object_uses_functional_groups(tmp_path: Path) -> None:
    frames = enhanced_frames(6)
    random.Random(3).shuffle(frames)
    path = write(enhanced_object(frames, SHARED), tmp_path / "enhanced")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert finding_kinds(volume) == []
    assert volume.shape == (6, 5, 7)
    assert volume.spacing == (0.75, 0.5, 2.0)
    decoded = dicoxide.decode(path)
    positions = [frame["PlanePositionSequence"].ImagePositionPatient for frame in frames]
    order = sorted(range(6), key=lambda index: float(np.dot(positions[index], normal(CORONAL))))
    np.testing.assert_array_equal(volume.array, decoded[order])
    assert [frame for _, frame in volume.sources] == order
    assert "PerFrameFunctionalGroupsSequence" not in volume.attributes
    assert volume.attributes["SharedFunctionalGroupsSequence"][0]["PixelMeasuresSequence"][0]["SliceThickness"] == 2


def test_read_series_of_enhanced_object_rescales_per_frame(tmp_path: Path) -> None:
    frames = enhanced_frames(3)
    for index, frame in enumerate(frames):
        pair = item(RescaleSlope=index + 1, RescaleIntercept=0, RescaleType="US")
        frame["PixelValueTransformationSequence"] = pair
    path = write(enhanced_object(frames, SHARED), tmp_path / "enhanced")
    volume = only_volume(dicoxide.read_series(tmp_path, rescale=True))
    np.testing.assert_array_equal(volume.array, dicoxide.decode(path, rescale=True))
    assert finding_kinds(volume) == ["mixed_rescale"]


def test_read_series_of_enhanced_object_has_a_time_axis(tmp_path: Path) -> None:
    frames = []
    for index in range(3):
        for time in (1, 2):
            content = item(StackID="1", TemporalPositionIndex=time, DimensionIndexValues=[time, index + 1])
            position = item(ImagePositionPatient=position_along_normal(CORONAL, 2.0 * index))
            frames.append({"FrameContentSequence": content, "PlanePositionSequence": position})
    path = write(enhanced_object(frames, SHARED), tmp_path / "enhanced")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.axis, volume.axis_values) == ("TemporalPositionIdentifier", (1.0, 2.0))
    decoded = dicoxide.decode(path)
    np.testing.assert_array_equal(volume.array, np.stack([decoded[0::2], decoded[1::2]]))


def test_read_series_of_enhanced_object_uses_dimension_indices(tmp_path: Path) -> None:
    frames = []
    for other in (2, 1):
        for index, frame in enumerate(enhanced_frames(3)):
            frames.append(frame | {"FrameContentSequence": item(DimensionIndexValues=[index + 1, other])})
    path = write(enhanced_object(frames, SHARED), tmp_path / "enhanced")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.axis, finding_kinds(volume)) == ("DimensionIndexValues", ["unnamed_axis"])
    np.testing.assert_array_equal(volume.array, dicoxide.decode(path)[[3, 4, 5, 0, 1, 2]].reshape(2, 3, 5, 7))


def test_read_series_of_unlabelled_enhanced_repetitions_keeps_frames(tmp_path: Path) -> None:
    path = write(enhanced_object(enhanced_frames(2) + enhanced_frames(2), SHARED, InstanceNumber=None), tmp_path / "a")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.axis, finding_kinds(volume)) == ("InstanceNumber", ["unnamed_axis"])
    np.testing.assert_array_equal(volume.array.reshape(4, 5, 7), dicoxide.decode(path))


def test_read_series_of_segments_separates_them(tmp_path: Path) -> None:
    def segment(number: int) -> dict[str, Any]:
        return {"SegmentIdentificationSequence": item(ReferencedSegmentNumber=number)}

    frames = [*enhanced_frames(3, **segment(1)), *enhanced_frames(2, **segment(2))]
    write(enhanced_object(frames, SHARED), tmp_path / "a")
    volumes = dicoxide.read_series(tmp_path)
    assert [(volume.shape[0], volume.part) for volume in volumes] == [
        (3, (("ReferencedSegmentNumber", 1),)),
        (2, (("ReferencedSegmentNumber", 2),)),
    ]
