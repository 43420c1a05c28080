"""Series of files become volumes: what belongs together, in which order, and what is found irregular."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import dicoxide
from dicoxide.bulk import decode_slices, decode_volume, plan_series
from support.real_images import PYDICOM_FILES
from support.synthetic_series import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    along,
    enhanced,
    image,
    item,
    normal,
    numbers,
    stack,
    write,
    write_all,
)

OBLIQUE = tuple(np.linalg.qr(np.array([[0.9, 0.3, 0.1], [-0.2, 0.8, -0.5]]).T)[0].T.round(9).ravel().tolist())


def kinds(volume: Any) -> list[str]:
    return [finding.kind for finding in volume.findings]


def only(volumes: list[dicoxide.Volume]) -> dicoxide.Volume:
    assert len(volumes) == 1, volumes
    return volumes[0]


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, CORONAL, OBLIQUE], ids=["ax", "sag", "cor", "oblique"])
@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_slices_are_in_the_order_of_their_places(tmp_path: Path, orientation: Any, order: str) -> None:
    datasets = stack(6, orientation)
    if order == "descending":
        datasets.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(datasets)
    write_all(datasets, tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [0, 1, 2, 3, 4, 5]
    assert volume.shape == volume.array.shape == (6, 5, 7)
    assert volume.dtype == np.int16
    assert kinds(volume) == []
    np.testing.assert_allclose(volume.spacing, (0.75, 0.5, 2.5), rtol=1e-8)
    assert volume.origin == tuple(along(orientation, 0))
    np.testing.assert_allclose(volume.direction[:, 2], normal(orientation), atol=1e-8)
    np.testing.assert_allclose(volume.direction[:, 0], orientation[:3], atol=1e-8)
    np.testing.assert_allclose(volume.affine @ (0, 0, 5, 1), (*along(orientation, 12.5), 1), atol=1e-6)
    np.testing.assert_allclose(volume.positions[3], along(orientation, 7.5), atol=1e-9)


def test_every_slice_equals_decode_of_its_source(tmp_path: Path) -> None:
    for index, dataset in enumerate(stack(9)):
        write(dataset, tmp_path / f"{(index * 7) % 9}", compress=index % 2 == 0)
    volume = only(dicoxide.read_series(tmp_path, threads=3))
    for plane, (path, frame), uid in zip(volume.array, volume.sources, volume.sop_instance_uids, strict=True):
        np.testing.assert_array_equal(plane, dicoxide.decode(path))
        assert frame == 0
        assert pydicom.dcmread(path).SOPInstanceUID == uid


def test_what_a_volume_says_of_itself(tmp_path: Path) -> None:
    write_all(stack(2, RescaleSlope="2", RescaleIntercept="-1000"), tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert (volume.modality, volume.description, volume.series_instance_uid) == ("CT", "made", "1.2.3.4")
    assert volume.attributes["SliceThickness"] == 2.0
    assert volume.attributes["SOPInstanceUID"] == volume.sop_instance_uids[0]
    assert volume.plan.rescale == (2.0, -1000.0)
    assert (volume.axis, volume.axis_values, volume.axis_unit, volume.part) == (None, (), "", ())
    assert "CT 2×5×7 of int16" in repr(volume)
    np.testing.assert_array_equal(np.asarray(volume), volume.array)
    assert np.asarray(volume, np.float32).dtype == np.float32
    again = pickle.loads(pickle.dumps(volume))
    np.testing.assert_array_equal(again.array, volume.array)
    assert again.attributes == volume.attributes


def test_folders_files_and_what_is_no_image(tmp_path: Path) -> None:
    paths = write_all(stack(4), tmp_path / "a", lambda index: ["x", "y.bin", "deep/er/z.dcm", "deep/w"][index])
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    (tmp_path / "a" / "empty").touch()
    (tmp_path / "a" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    report = image(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    del report.PixelData
    write(report, tmp_path / "a" / "report.dcm")
    volumes = dicoxide.read_series(tmp_path)
    assert numbers(only(volumes)) == [0, 1, 2, 3]
    assert {reason: len(found) for reason, found in volumes.skipped.items()} == {
        "not DICOM": 2,
        "DICOMDIR": 1,
        "no image": 1,
    }
    assert volumes.errors == []
    assert numbers(only(dicoxide.read_series(paths[:2]))) == [0, 1]
    assert numbers(only(dicoxide.read_series([tmp_path / "a" / "deep", str(paths[1])]))) == [1, 2, 3]
    assert numbers(only(dicoxide.read_series(str(paths[2])))) == [2]
    twice = only(dicoxide.read_series([paths[0], tmp_path, paths[0]]))
    assert (numbers(twice), kinds(twice)) == ([0, 1, 2, 3], [])
    assert dicoxide.read_series(tmp_path / "a" / "notes.txt") == []


def test_files_without_preamble_are_read(tmp_path: Path) -> None:
    for index, dataset in enumerate(stack(3)):
        path = write(dataset, tmp_path / str(index))
        path.write_bytes(path.read_bytes()[132:])
    assert numbers(only(dicoxide.read_series(tmp_path))) == [0, 1, 2]


def test_links_in_circles_and_pipes_do_not_hang(tmp_path: Path) -> None:
    write_all(stack(3), tmp_path / "a")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a" / "000.dcm")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "a" / "pipe")
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [0, 1, 2]
    assert kinds(volume) == []


def test_series_are_apart_and_in_order(tmp_path: Path) -> None:
    for number, uid in ((7, "1.2.1"), (3, "1.2.9"), (None, "1.2.0")):
        write_all(stack(2, SeriesInstanceUID=uid, SeriesNumber=number), tmp_path / uid)
    write_all(stack(3, SeriesInstanceUID=None), tmp_path / "one")
    write_all(stack(2, SeriesInstanceUID=None), tmp_path / "two")
    volumes = dicoxide.read_series(tmp_path)
    found = [(volume.series_instance_uid, volume.shape[0]) for volume in volumes]
    assert found == [("", 3), ("", 2), ("1.2.9", 2), ("1.2.1", 2), ("1.2.0", 2)]


def test_gaps_are_named(tmp_path: Path) -> None:
    datasets = stack(12)
    write_all([dataset for index, dataset in enumerate(datasets) if index not in (4, 5, 9)], tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    (gap,) = volume.findings
    assert gap.kind == "gap"
    assert gap.slices == (3, 6)
    np.testing.assert_allclose(gap.positions, [along(AXIAL, 2.5 * index) for index in (4, 5, 9)])
    assert "3 of the slices 2.5 mm apart missing, at (-10.5, 20.25, 13), (-10.5, 20.25, 15.5)" in gap.message


def test_uneven_spacing_is_named(tmp_path: Path) -> None:
    write_all([image(i, ImagePositionPatient=[0, 0, z]) for i, z in enumerate((0, 1, 2, 3.4, 4.4))], tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert kinds(volume) == ["uneven_spacing"]
    assert volume.findings[0].slices == (2,)
    np.testing.assert_allclose(volume.spacing[2], 4.4 / 4)


def test_duplicate_instances_are_left_out_and_named(tmp_path: Path) -> None:
    datasets = stack(4)
    write_all(datasets, tmp_path)
    write(datasets[2], tmp_path / "z" / "copy")
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [0, 1, 2, 3]
    (finding,) = volume.findings
    assert (finding.kind, finding.slices) == ("duplicate", (2,))
    assert "copy" in finding.message


def test_positions_twice_are_left_out_and_named(tmp_path: Path) -> None:
    datasets = [*stack(6), image(9, ImagePositionPatient=along(AXIAL, 5.0), AcquisitionTime="101010")]
    write_all(datasets, tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [0, 1, 2, 3, 4, 5]
    (finding,) = volume.findings
    assert (finding.kind, finding.slices) == ("duplicate_position", (2,))
    assert "006.dcm" in finding.message


def test_a_second_copy_of_everything_is_left_out(tmp_path: Path) -> None:
    write_all(stack(4), tmp_path / "a")
    write_all(stack(4), tmp_path / "b")
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [0, 1, 2, 3]
    assert kinds(volume) == ["duplicate_position"]


def test_one_uid_for_all_is_no_duplicate(tmp_path: Path) -> None:
    write_all(stack(4, SOPInstanceUID="1.2.3.9"), tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [0, 1, 2, 3]
    assert kinds(volume) == ["repeated_uid"]


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ({"Rows": 4}, "mixed_sizes"),
        ({"ImageOrientationPatient": list(SAGITTAL)}, "mixed_orientations"),
        ({"PixelSpacing": [0.5, 0.5]}, "mixed_pixel_spacing"),
        ({"FrameOfReferenceUID": "1.2.9"}, "mixed_frames_of_reference"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "mixed_values"),
        ({"BitsAllocated": 64, "BitsStored": 64, "HighBit": 63, "PixelRepresentation": 0}, "mixed_values"),
        ({"ImagePositionPatient": None}, "missing_geometry"),
        ({"ImagePositionPatient": [0, 0]}, "missing_geometry"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "missing_geometry"),
    ],
)
def test_different_images_are_volumes_of_their_own(tmp_path: Path, other: dict[str, Any], kind: str) -> None:
    attributes = {"ImagePositionPatient": along(AXIAL, 30)} | other
    write_all([*stack(4), image(9, **attributes)], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [numbers(volume) for volume in volumes] == [[0, 1, 2, 3], [9]]
    assert all(kind in kinds(volume) for volume in volumes)


def test_orientations_that_differ_by_rounding_are_one(tmp_path: Path) -> None:
    datasets = stack(4)
    datasets[2].ImageOrientationPatient = [0.999999, 0.0001, 0, -0.0001, 0.999999, 0]
    write_all(datasets, tmp_path)
    assert numbers(only(dicoxide.read_series(tmp_path))) == [0, 1, 2, 3]


def test_a_tilted_gantry_shears_the_affine(tmp_path: Path) -> None:
    positions = [[0.0, 0.4 * index, 2.0 * index] for index in range(5)]
    write_all([image(i, ImagePositionPatient=position) for i, position in enumerate(positions)], tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert kinds(volume) == ["shear"]
    for index, position in enumerate(positions):
        np.testing.assert_allclose(volume.affine @ (0, 0, index, 1), (*position, 1), atol=1e-9)
    np.testing.assert_allclose(volume.direction[:, 2], np.array([0, 0.4, 2]) / np.hypot(0.4, 2))


def test_slices_off_the_axis_are_named(tmp_path: Path) -> None:
    datasets = stack(5)
    datasets[3].ImagePositionPatient[0] += 4
    write_all(datasets, tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert [(finding.kind, finding.slices) for finding in volume.findings] == [("off_axis", (3,))]


def test_stacks_beside_each_other_are_apart(tmp_path: Path) -> None:
    beside = [image(10 + i, ImagePositionPatient=along(AXIAL, 2.5 * i, start=(90, 0, 3))) for i in range(3)]
    write_all([*stack(3), *beside], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert sorted(numbers(volume) for volume in volumes) == [[0, 1, 2], [10, 11, 12]]
    assert all(kinds(volume) == ["mixed_columns"] for volume in volumes)


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    datasets = [image(i, ImagePositionPatient=[0, 0, i], RescaleSlope=i + 0.5, RescaleIntercept=-i) for i in range(4)]
    write_all(datasets, tmp_path)
    stored, values = (only(dicoxide.read_series(tmp_path, rescale=rescale)) for rescale in (False, True))
    assert kinds(stored) == kinds(values) == ["mixed_rescale"]
    assert stored.plan.rescale is None
    assert (stored.is_rescaled, values.is_rescaled) == (False, True)
    assert values.dtype == np.float32
    slopes = np.arange(4).reshape(-1, 1, 1)
    np.testing.assert_array_equal(values.array, stored.array * (slopes + 0.5) - slopes)
    assert only(dicoxide.read_series(tmp_path, rescale=True, dtype="f8")).dtype == np.float64
    assert only(dicoxide.read_series(tmp_path, dtype="i4")).dtype == np.int32


def test_signed_and_unsigned_slices_share_a_wider_type(tmp_path: Path) -> None:
    datasets = stack(4)
    for dataset in datasets[2:]:
        dataset.PixelRepresentation = 0
    write_all(datasets, tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert volume.dtype == np.int32
    assert numbers(volume) == [0, 1, 2, 3]
    assert kinds(volume) == ["mixed_dtypes"]


def test_colour_is_not_rescaled(tmp_path: Path) -> None:
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    write_all(stack(2, SeriesInstanceUID="1.2.7", **colour, **bits), tmp_path / "colour")
    write_all(stack(2), tmp_path / "grey")
    (wider,) = dicoxide.read_series(tmp_path / "colour", dtype="u2")
    assert (wider.dtype, kinds(wider)) == (np.uint16, [])
    volumes = dicoxide.read_series(tmp_path, rescale=True)
    assert [(volume.shape, volume.dtype, volume.is_rescaled) for volume in volumes] == [
        ((2, 5, 7), np.float32, True),
        ((2, 5, 7, 3), np.uint8, False),
    ]
    assert kinds(volumes[1]) == ["not_rescaled"]


def test_without_a_place_the_order_is_that_of_instance_numbers(tmp_path: Path) -> None:
    datasets = [image(i, ImagePositionPatient=None, ImageOrientationPatient=None) for i in (3, 1, 2, 0)]
    write_all(datasets, tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [0, 1, 2, 3]
    assert kinds(volume) == ["no_geometry"]
    assert volume.affine is volume.spacing is volume.origin is volume.direction is volume.positions is None


def test_multi_frame_objects_without_a_place_are_apart(tmp_path: Path) -> None:
    write_all([image(i, NumberOfFrames=4, ImageOrientationPatient=None) for i in range(2)], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [volume.shape for volume in volumes] == [(4, 5, 7)] * 2
    assert all(kinds(volume) == ["separate_objects", "no_geometry"] for volume in volumes)
    np.testing.assert_array_equal(volumes[0].array, dicoxide.decode(volumes[0].sources[0][0]))


def test_one_position_for_many_frames_is_none(tmp_path: Path) -> None:
    write(image(NumberOfFrames=3), tmp_path / "a")
    assert kinds(only(dicoxide.read_series(tmp_path))) == ["no_geometry"]


@pytest.mark.parametrize("step", [3.0, -3.0])
@pytest.mark.parametrize("start", [0.0, 3.0])
def test_dose_grids_lie_by_their_offsets(tmp_path: Path, step: float, start: float) -> None:
    offsets = [start + step * index for index in range(5)]
    dose = {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31, "PixelRepresentation": 0, "Modality": "RTDOSE"}
    dataset = image(NumberOfFrames=5, ImagePositionPatient=[1, 2, 3], GridFrameOffsetVector=offsets, **dose)
    path = write(dataset, tmp_path / "dose")
    volume = only(dicoxide.read_series(tmp_path))
    assert kinds(volume) == []
    assert volume.spacing == (0.75, 0.5, 3.0)
    assert volume.origin == (1.0, 2.0, 3.0 + min(0.0, step * 4))
    np.testing.assert_array_equal(volume.array, dicoxide.decode(path)[:: 1 if step > 0 else -1])


def test_dose_grids_may_give_coordinates(tmp_path: Path) -> None:
    upside_down = [1, 0, 0, 0, -1, 0]
    offsets = [-20.0, -18.0, -16.0]
    place = {"ImagePositionPatient": [1, 2, -20], "ImageOrientationPatient": upside_down}
    path = write(image(NumberOfFrames=3, GridFrameOffsetVector=offsets, **place), tmp_path / "dose")
    volume = only(dicoxide.read_series(tmp_path))
    assert volume.origin == (1.0, 2.0, -16.0)
    np.testing.assert_array_equal(volume.direction[:, 2], (0, 0, -1))
    np.testing.assert_array_equal(volume.array, dicoxide.decode(path)[::-1])


def test_reconstructed_nuclear_medicine_lies_by_its_slice_vector(tmp_path: Path) -> None:
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
    volume = only(dicoxide.read_series(tmp_path))
    assert volume.shape == (2, 3, 5, 7)
    assert volume.origin == (0, 0, 50)
    assert volume.spacing[2] == 4
    np.testing.assert_array_equal(volume.array.reshape(6, 5, 7), dicoxide.decode(path))


def enhanced_frames(count: int, **groups: Any) -> list[dict[str, Any]]:
    return [
        {"PlanePositionSequence": item(ImagePositionPatient=along(CORONAL, 2.0 * i)), **groups} for i in range(count)
    ]


SHARED = {
    "PlaneOrientationSequence": item(ImageOrientationPatient=list(CORONAL)),
    "PixelMeasuresSequence": item(PixelSpacing=[0.5, 0.75], SliceThickness=2),
}


def test_enhanced_frames_lie_by_their_functional_groups(tmp_path: Path) -> None:
    frames = enhanced_frames(6)
    random.Random(3).shuffle(frames)
    path = write(enhanced(frames, SHARED), tmp_path / "enhanced")
    volume = only(dicoxide.read_series(tmp_path))
    assert kinds(volume) == []
    assert volume.shape == (6, 5, 7)
    assert volume.spacing == (0.75, 0.5, 2.0)
    decoded = dicoxide.decode(path)
    places = [frame["PlanePositionSequence"].ImagePositionPatient for frame in frames]
    order = sorted(range(6), key=lambda index: float(np.dot(places[index], normal(CORONAL))))
    np.testing.assert_array_equal(volume.array, decoded[order])
    assert [frame for _, frame in volume.sources] == order
    assert "PerFrameFunctionalGroupsSequence" not in volume.attributes
    assert volume.attributes["SharedFunctionalGroupsSequence"][0]["PixelMeasuresSequence"][0]["SliceThickness"] == 2


def test_enhanced_frames_have_their_own_rescale(tmp_path: Path) -> None:
    frames = enhanced_frames(3)
    for index, frame in enumerate(frames):
        pair = item(RescaleSlope=index + 1, RescaleIntercept=0, RescaleType="US")
        frame["PixelValueTransformationSequence"] = pair
    path = write(enhanced(frames, SHARED), tmp_path / "enhanced")
    volume = only(dicoxide.read_series(tmp_path, rescale=True))
    np.testing.assert_array_equal(volume.array, dicoxide.decode(path, rescale=True))
    assert kinds(volume) == ["mixed_rescale"]


def test_enhanced_time_is_a_fourth_axis(tmp_path: Path) -> None:
    frames = []
    for index in range(3):
        for time in (1, 2):
            content = item(StackID="1", TemporalPositionIndex=time, DimensionIndexValues=[time, index + 1])
            position = item(ImagePositionPatient=along(CORONAL, 2.0 * index))
            frames.append({"FrameContentSequence": content, "PlanePositionSequence": position})
    path = write(enhanced(frames, SHARED), tmp_path / "enhanced")
    volume = only(dicoxide.read_series(tmp_path))
    assert (volume.axis, volume.axis_values) == ("TemporalPositionIdentifier", (1.0, 2.0))
    decoded = dicoxide.decode(path)
    np.testing.assert_array_equal(volume.array, np.stack([decoded[0::2], decoded[1::2]]))


def test_enhanced_dimensions_tell_frames_apart(tmp_path: Path) -> None:
    frames = []
    for other in (2, 1):
        for index, frame in enumerate(enhanced_frames(3)):
            frames.append(frame | {"FrameContentSequence": item(DimensionIndexValues=[index + 1, other])})
    path = write(enhanced(frames, SHARED), tmp_path / "enhanced")
    volume = only(dicoxide.read_series(tmp_path))
    assert (volume.axis, kinds(volume)) == ("DimensionIndexValues", ["unnamed_axis"])
    np.testing.assert_array_equal(volume.array, dicoxide.decode(path)[[3, 4, 5, 0, 1, 2]].reshape(2, 3, 5, 7))


def test_frames_at_one_place_that_nothing_tells_apart_are_kept(tmp_path: Path) -> None:
    path = write(enhanced(enhanced_frames(2) + enhanced_frames(2), SHARED, InstanceNumber=None), tmp_path / "a")
    volume = only(dicoxide.read_series(tmp_path))
    assert (volume.axis, kinds(volume)) == ("InstanceNumber", ["unnamed_axis"])
    np.testing.assert_array_equal(volume.array.reshape(4, 5, 7), dicoxide.decode(path))


def test_enhanced_stacks_and_segments_are_apart(tmp_path: Path) -> None:
    def segment(number: int) -> dict[str, Any]:
        return {"SegmentIdentificationSequence": item(ReferencedSegmentNumber=number)}

    frames = [*enhanced_frames(3, **segment(1)), *enhanced_frames(2, **segment(2))]
    write(enhanced(frames, SHARED), tmp_path / "a")
    volumes = dicoxide.read_series(tmp_path)
    assert [(volume.shape[0], volume.part) for volume in volumes] == [
        (3, (("ReferencedSegmentNumber", 1),)),
        (2, (("ReferencedSegmentNumber", 2),)),
    ]


def repeated(count: int, tags: list[dict[str, Any]]) -> list[pydicom.Dataset]:
    """Slices at `count` positions, each as often as there are tags; of value 10 × which of the tags + position."""
    return [
        image(10 * which + index, ImagePositionPatient=along(AXIAL, 2.5 * index), **attributes)
        for which, attributes in enumerate(tags)
        for index in range(count)
    ]


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
def test_repeated_positions_are_a_fourth_axis(
    tmp_path: Path, axis: str, unit: str, tags: list[dict[str, Any]], values: list[float]
) -> None:
    datasets = repeated(3, tags)
    random.Random(1).shuffle(datasets)
    write_all(datasets, tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert (volume.axis, volume.axis_unit, list(volume.axis_values)) == (axis, unit, values)
    assert numbers(volume) == [[10 * which, 10 * which + 1, 10 * which + 2] for which in range(len(tags))]
    assert volume.shape == (len(tags), 3, 5, 7)
    assert volume.spacing == (0.75, 0.5, 2.5)
    assert kinds(volume) == []


def test_diffusion_directions_share_a_b_value(tmp_path: Path) -> None:
    tags = [
        {"DiffusionBValue": 700.0, "DiffusionGradientOrientation": [0.0, 1.0, 0.0]},
        {"DiffusionBValue": 0.0},
        {"DiffusionBValue": 700.0, "DiffusionGradientOrientation": [0.0, 0.0, 1.0]},
        {"DiffusionBValue": 0.0},
    ]
    write_all(repeated(2, tags), tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert volume.axis_values == (0, 0, 700, 700)
    assert numbers(volume) == [[10, 11], [30, 31], [20, 21], [0, 1]]


def test_copies_are_no_repetitions_of_a_b_value(tmp_path: Path) -> None:
    for copy in "ab":
        write_all(repeated(2, [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 700.0}]), tmp_path / copy)
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [[0, 1], [10, 11]]
    (finding,) = volume.findings
    assert (finding.kind, finding.slices) == ("duplicate_position", (0, 1))


def test_magnitude_and_phase_are_apart_each_with_echoes(tmp_path: Path) -> None:
    tags = [{"ImageType": ["ORIGINAL", "PRIMARY", kind], "EchoTime": echo} for kind in "MP" for echo in (3, 5)]
    write_all(repeated(2, tags), tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [volume.part for volume in volumes] == [(("ImageType", f"ORIGINAL\\PRIMARY\\{kind}"),) for kind in "MP"]
    assert [numbers(volume) for volume in volumes] == [[[0, 1], [10, 11]], [[20, 21], [30, 31]]]
    assert all(volume.axis == "EchoTime" for volume in volumes)


def test_image_types_that_do_not_repeat_positions_stay_together(tmp_path: Path) -> None:
    write_all(
        [image(i, ImagePositionPatient=[0, 0, i], ImageType=["ORIGINAL", str(i % 2)]) for i in range(4)], tmp_path
    )
    assert numbers(only(dicoxide.read_series(tmp_path))) == [0, 1, 2, 3]


def test_echoes_with_a_time_axis_are_apart(tmp_path: Path) -> None:
    tags = [{"TemporalPositionIdentifier": time, "EchoTime": echo} for echo in (3, 5) for time in (1, 2)]
    write_all(repeated(2, tags), tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [(volume.part, volume.axis) for volume in volumes] == [
        ((("EchoTime", 3.0),), "TemporalPositionIdentifier"),
        ((("EchoTime", 5.0),), "TemporalPositionIdentifier"),
    ]


def test_untold_repetitions_are_kept_and_named(tmp_path: Path) -> None:
    write_all(repeated(2, [{}, {}]), tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert (volume.axis, kinds(volume)) == ("InstanceNumber", ["unnamed_axis"])
    assert numbers(volume) == [[0, 1], [10, 11]]


@pytest.mark.parametrize(("axis", "first"), [("TemporalPositionIdentifier", 1), ("AcquisitionTime", 101010)])
def test_an_incomplete_fourth_axis_is_a_volume_a_value(tmp_path: Path, axis: str, first: int) -> None:
    datasets = repeated(4, [{axis: str(first + which)} for which in range(3)])
    del datasets[5]
    write_all(datasets, tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [numbers(volume) for volume in volumes] == [[0, 1, 2, 3], [20, 21, 22, 23], [10, 12, 13]]
    assert [kinds(volume) for volume in volumes] == [["incomplete_axis"]] * 2 + [["gap", "incomplete_axis"]]
    assert all(volume.part[0][0] == axis for volume in volumes)


def test_one_slice_has_the_spacing_of_its_header(tmp_path: Path) -> None:
    write(image(), tmp_path / "a")
    volume = only(dicoxide.read_series(tmp_path))
    assert (volume.spacing, kinds(volume)) == ((0.75, 0.5, 2.0), ["single_slice"])


def test_without_pixel_spacing_there_is_no_affine(tmp_path: Path) -> None:
    datasets = stack(3, PixelSpacing=None)
    write_all(datasets[::-1], tmp_path)
    volume = only(dicoxide.read_series(tmp_path))
    assert numbers(volume) == [0, 1, 2]
    assert (volume.affine, kinds(volume)) == (None, ["no_pixel_spacing"])


def test_errors_are_raised_in_order(tmp_path: Path) -> None:
    paths = write_all(stack(40), tmp_path)
    for index in (30, 12, 25):
        paths[index].write_bytes(paths[index].read_bytes()[:-10])
    with pytest.raises(dicoxide.TruncatedFrameError) as caught:
        dicoxide.read_series(tmp_path, threads=4)
    assert str(paths[12]) in caught.value.__notes__[0]


def test_errors_are_returned_by_slice(tmp_path: Path) -> None:
    paths = write_all(stack(6), tmp_path)
    paths[4].write_bytes(paths[4].read_bytes()[:-10])
    volumes = dicoxide.read_series(tmp_path, on_error="return", rescale=True)
    volume = only(volumes)
    assert list(volume.errors) == [4]
    assert isinstance(volume.errors[4], dicoxide.TruncatedFrameError)
    assert np.isnan(volume.array[4]).all()
    assert np.isfinite(np.delete(volume.array, 4, axis=0)).all()
    (finding,) = volume.findings
    assert (finding.kind, finding.slices) == ("failed", (4,))
    assert str(paths[4]) in finding.message
    assert not only(dicoxide.read_series(tmp_path, on_error="return")).array[4].any()
    skipped = dicoxide.read_series(tmp_path, on_error="skip")
    assert skipped == []
    assert [path for path, _ in skipped.errors] == [str(paths[4])]


def test_frames_that_fail_are_told_from_their_neighbours(tmp_path: Path) -> None:
    path = write(enhanced(enhanced_frames(4), SHARED), tmp_path / "a", compress=True)
    dataset = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=4))
    frames[2] = b"\xff" * len(frames[2])
    dataset.PixelData = pydicom.encaps.encapsulate(frames)
    dataset.save_as(path)
    volume = only(dicoxide.read_series(tmp_path, on_error="return"))
    failed = [frame for _, frame in volume.sources].index(2)
    assert list(volume.errors) == [failed]
    assert volume.array.any(axis=(1, 2)).tolist() == [index != failed for index in range(4)]


def test_broken_headers_are_errors(tmp_path: Path) -> None:
    paths = write_all(stack(4), tmp_path)
    dataset = pydicom.dcmread(paths[1])
    del dataset.BitsAllocated
    dataset.save_as(paths[1])
    with pytest.raises(dicoxide.CorruptFrameError, match="BitsAllocated") as caught:
        dicoxide.read_series(tmp_path)
    assert str(paths[1]) in caught.value.__notes__[0]
    volumes = dicoxide.read_series(tmp_path, on_error="return")
    assert numbers(only(volumes)) == [0, 2, 3]
    assert [path for path, _ in volumes.errors] == [str(paths[1])]
    with pytest.raises(FileNotFoundError):
        dicoxide.read_series(tmp_path / "nowhere")
    with pytest.raises(OSError, match="neither a file nor a folder"):
        dicoxide.read_series(os.devnull)


def test_many_frames_promised_are_not_believed(tmp_path: Path) -> None:
    path = write(image(0), tmp_path / "a", compress=True)
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames = 2**31 - 1
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    dataset.save_as(path)
    with pytest.raises(dicoxide.CorruptFrameError):
        dicoxide.read_series(tmp_path)


def test_a_file_that_changes_is_an_error(tmp_path: Path) -> None:
    paths = write_all(stack(3), tmp_path)
    (plan,) = plan_series(tmp_path)
    write(image(1, Rows=4), paths[1])
    with pytest.raises(dicoxide.CorruptFrameError, match="the file has changed"):
        decode_volume(plan)
    paths[1].unlink()
    with pytest.raises(FileNotFoundError):
        decode_volume(plan)
    volume = decode_volume(plan, on_error="return")
    assert isinstance(volume.errors[1], FileNotFoundError)
    assert volume.attributes["Modality"] == "CT"
    paths[0].unlink()
    volume = decode_volume(plan, on_error="return")
    assert (list(volume.errors), volume.attributes) == ([0, 1], {})


def test_broken_attributes_are_not_there(tmp_path: Path) -> None:
    paths = write_all(stack(3), tmp_path)
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"IS\x02\x002 ", b"IS\x02\x00x "))
    volume = only(dicoxide.read_series(tmp_path))
    assert "SeriesNumber" not in volume.attributes
    assert volume.plan.series_number is None
    assert volume.attributes["SeriesDescription"] == "made"


def test_the_limit_counts_all_arrays(tmp_path: Path) -> None:
    write_all(stack(3), tmp_path / "a")
    write_all(stack(2, SeriesInstanceUID="1.2.8"), tmp_path / "b")
    needed = 5 * 5 * 7 * 2
    assert len(dicoxide.read_series(tmp_path, max_bytes=needed)) == 2
    with pytest.raises(dicoxide.LimitError, match=f"{needed} bytes"):
        dicoxide.read_series(tmp_path, max_bytes=needed - 1)
    with pytest.raises(dicoxide.LimitError):
        dicoxide.read_series(tmp_path, max_bytes=needed, rescale=True)


def test_plans_decode_in_pieces_and_elsewhere(tmp_path: Path) -> None:
    write_all(repeated(4, [{"EchoTime": 1}, {"EchoTime": 2}]), tmp_path)
    with pytest.raises(ValueError, match="uint8 is not that"):
        dicoxide.read_series(tmp_path, dtype="uint8")
    (plan,) = pickle.loads(pickle.dumps(plan_series(tmp_path)))
    whole = decode_volume(plan)
    pieces = [decode_slices(plan, slice(start, start + 3))[0] for start in range(0, 8, 3)]
    np.testing.assert_array_equal(np.concatenate(pieces).reshape(plan.shape), whole.array)
    out = np.empty(plan.shape, np.int32)
    assert decode_volume(plan, out).array is out
    np.testing.assert_array_equal(out, whole.array)
    with pytest.raises(ValueError, match="shape"):
        decode_volume(plan, out[:1])
    with pytest.raises(ValueError, match="step"):
        decode_slices(plan, slice(None, None, 2))
    with pytest.raises(dicoxide.LimitError):
        decode_slices(plan, slice(0, 2), max_bytes=100)


def test_unknown_ways_with_errors_are_refused(tmp_path: Path) -> None:
    for function in (dicoxide.read_series, plan_series):
        with pytest.raises(ValueError, match="on_error"):
            function(tmp_path, on_error="ignore")


@pytest.mark.filterwarnings("ignore")
def test_every_image_that_pydicom_ships_is_in_one_volume(tmp_path: Path) -> None:
    volumes = dicoxide.read_series(PYDICOM_FILES / "test_files", on_error="return")
    assert len(volumes) > 30
    seen = [source for volume in volumes for source in volume.sources]
    assert len(seen) == len(set(seen))
    for volume in volumes:
        for at in {0, len(volume.sources) - 1} - volume.errors.keys():
            path, frame = volume.sources[at]
            plane = volume.array.reshape(-1, *volume.plan.frame_shape)[at]
            np.testing.assert_array_equal(plane, dicoxide.decode(path, frames=frame), err_msg=path)
