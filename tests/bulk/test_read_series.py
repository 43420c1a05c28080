"""`read_series`: source discovery, slice order, irregular series, and pixel values."""

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
from support.real_images import PYDICOM_FILES
from support.synthetic_series import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    finding_kinds,
    image,
    normal,
    only_volume,
    position_along_normal,
    slice_indices,
    slices,
    write,
    write_all,
)

OBLIQUE = tuple(np.linalg.qr(np.array([[0.9, 0.3, 0.1], [-0.2, 0.8, -0.5]]).T)[0].T.round(9).ravel().tolist())


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, CORONAL, OBLIQUE], ids=["ax", "sag", "cor", "oblique"])
@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
def test_read_series_orders_slices_by_position(tmp_path: Path, orientation: Any, order: str) -> None:
    datasets = slices(6, orientation)
    if order == "descending":
        datasets.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(datasets)
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [0, 1, 2, 3, 4, 5]
    assert volume.shape == volume.array.shape == (6, 5, 7)
    assert volume.dtype == np.int16
    assert finding_kinds(volume) == []
    np.testing.assert_allclose(volume.spacing, (0.75, 0.5, 2.5), rtol=1e-8)
    assert volume.origin == tuple(position_along_normal(orientation, 0))
    np.testing.assert_allclose(volume.direction[:, 2], normal(orientation), atol=1e-8)
    np.testing.assert_allclose(volume.direction[:, 0], orientation[:3], atol=1e-8)
    np.testing.assert_allclose(volume.affine @ (0, 0, 5, 1), (*position_along_normal(orientation, 12.5), 1), atol=1e-6)
    np.testing.assert_allclose(volume.positions[3], position_along_normal(orientation, 7.5), atol=1e-9)


def test_read_series_slices_equal_decode_of_their_sources(tmp_path: Path) -> None:
    for index, dataset in enumerate(slices(9)):
        write(dataset, tmp_path / f"{(index * 7) % 9}", compress=index % 2 == 0)
    volume = only_volume(dicoxide.read_series(tmp_path, threads=3))
    for plane, (path, frame), uid in zip(volume.array, volume.sources, volume.sop_instance_uids, strict=True):
        np.testing.assert_array_equal(plane, dicoxide.decode(path))
        assert frame == 0
        assert pydicom.dcmread(path).SOPInstanceUID == uid


def test_volume_attributes_describe_the_series(tmp_path: Path) -> None:
    write_all(slices(2, RescaleSlope="2", RescaleIntercept="-1000"), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
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


def test_read_series_of_folders_and_files_reports_skipped_files(tmp_path: Path) -> None:
    paths = write_all(slices(4), tmp_path / "a", lambda index: ["x", "y.bin", "deep/er/z.dcm", "deep/w"][index])
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    (tmp_path / "a" / "empty").touch()
    (tmp_path / "a" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    report = image(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    del report.PixelData
    write(report, tmp_path / "a" / "report.dcm")
    volumes = dicoxide.read_series(tmp_path)
    assert slice_indices(only_volume(volumes)) == [0, 1, 2, 3]
    assert {reason: len(result) for reason, result in volumes.skipped.items()} == {
        "not DICOM": 2,
        "DICOMDIR": 1,
        "no image": 1,
    }
    assert volumes.errors == []
    assert slice_indices(only_volume(dicoxide.read_series(paths[:2]))) == [0, 1]
    assert slice_indices(only_volume(dicoxide.read_series([tmp_path / "a" / "deep", str(paths[1])]))) == [1, 2, 3]
    assert slice_indices(only_volume(dicoxide.read_series(str(paths[2])))) == [2]
    twice = only_volume(dicoxide.read_series([paths[0], tmp_path, paths[0]]))
    assert (slice_indices(twice), finding_kinds(twice)) == ([0, 1, 2, 3], [])
    assert dicoxide.read_series(tmp_path / "a" / "notes.txt") == []


def test_read_series_reads_files_without_preamble(tmp_path: Path) -> None:
    for index, dataset in enumerate(slices(3)):
        path = write(dataset, tmp_path / str(index))
        path.write_bytes(path.read_bytes()[132:])
    assert slice_indices(only_volume(dicoxide.read_series(tmp_path))) == [0, 1, 2]


def test_read_series_of_cyclic_links_and_pipes_ends(tmp_path: Path) -> None:
    write_all(slices(3), tmp_path / "a")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a" / "000.dcm")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "a" / "pipe")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [0, 1, 2]
    assert finding_kinds(volume) == []


def test_read_series_separates_and_orders_series(tmp_path: Path) -> None:
    for number, uid in ((7, "1.2.1"), (3, "1.2.9"), (None, "1.2.0")):
        write_all(slices(2, SeriesInstanceUID=uid, SeriesNumber=number), tmp_path / uid)
    write_all(slices(3, SeriesInstanceUID=None), tmp_path / "one")
    write_all(slices(2, SeriesInstanceUID=None), tmp_path / "two")
    volumes = dicoxide.read_series(tmp_path)
    result = [(volume.series_instance_uid, volume.shape[0]) for volume in volumes]
    assert result == [("", 3), ("", 2), ("1.2.9", 2), ("1.2.1", 2), ("1.2.0", 2)]


def test_read_series_with_gaps_reports_missing_positions(tmp_path: Path) -> None:
    datasets = slices(12)
    write_all([dataset for index, dataset in enumerate(datasets) if index not in (4, 5, 9)], tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    (gap,) = volume.findings
    assert (gap.kind, volume.affine) == ("gap", None)
    assert gap.slices == (3, 6)
    np.testing.assert_allclose(gap.positions, [position_along_normal(AXIAL, 2.5 * index) for index in (4, 5, 9)])
    assert "3 slices missing at a slice spacing of 2.5 mm" in gap.message
    assert "expected positions in mm: (-10.5, 20.25, 13), (-10.5, 20.25, 15.5)" in gap.message


def test_read_series_with_uneven_spacing_reports_it(tmp_path: Path) -> None:
    write_all([image(i, ImagePositionPatient=[0, 0, z]) for i, z in enumerate((0, 1, 2, 3.4, 4.4))], tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert finding_kinds(volume) == ["uneven_spacing"]
    assert volume.findings[0].slices == (2,)
    assert volume.affine is volume.spacing is None


def test_read_series_with_duplicate_instance_uses_one(tmp_path: Path) -> None:
    datasets = slices(4)
    write_all(datasets, tmp_path)
    write(datasets[2], tmp_path / "z" / "copy")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [0, 1, 2, 3]
    (finding,) = volume.findings
    assert (finding.kind, finding.slices) == ("duplicate", (2,))
    assert "copy" in finding.message


def test_read_series_with_duplicate_position_uses_one(tmp_path: Path) -> None:
    datasets = [*slices(6), image(9, ImagePositionPatient=position_along_normal(AXIAL, 5.0), AcquisitionTime="101010")]
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [0, 1, 2, 3, 4, 5]
    (finding,) = volume.findings
    assert (finding.kind, finding.slices) == ("duplicate_position", (2,))
    assert "006.dcm" in finding.message


def test_read_series_of_two_copies_uses_one(tmp_path: Path) -> None:
    write_all(slices(4), tmp_path / "a")
    write_all(slices(4), tmp_path / "b")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [0, 1, 2, 3]
    assert finding_kinds(volume) == ["duplicate_position"]


def test_read_series_with_repeated_uid_keeps_all_slices(tmp_path: Path) -> None:
    write_all(slices(4, SOPInstanceUID="1.2.3.9"), tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [0, 1, 2, 3]
    assert finding_kinds(volume) == ["repeated_uid"]


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
def test_read_series_with_different_images_separates_volumes(tmp_path: Path, other: dict[str, Any], kind: str) -> None:
    attributes = {"ImagePositionPatient": position_along_normal(AXIAL, 30)} | other
    write_all([*slices(4), image(9, **attributes)], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [slice_indices(volume) for volume in volumes] == [[0, 1, 2, 3], [9]]
    assert all(kind in finding_kinds(volume) for volume in volumes)


def test_read_series_with_rounded_orientations_gives_one_volume(tmp_path: Path) -> None:
    datasets = slices(4)
    datasets[2].ImageOrientationPatient = [0.999999, 0.0001, 0, -0.0001, 0.999999, 0]
    write_all(datasets, tmp_path)
    assert slice_indices(only_volume(dicoxide.read_series(tmp_path))) == [0, 1, 2, 3]


def test_read_series_of_tilted_gantry_shears_the_affine(tmp_path: Path) -> None:
    positions = [[0.0, 0.4 * index, 2.0 * index] for index in range(5)]
    write_all([image(i, ImagePositionPatient=position) for i, position in enumerate(positions)], tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert finding_kinds(volume) == ["shear"]
    for index, position in enumerate(positions):
        np.testing.assert_allclose(volume.affine @ (0, 0, index, 1), (*position, 1), atol=1e-9)
    np.testing.assert_allclose(volume.direction[:, 2], np.array([0, 0.4, 2]) / np.hypot(0.4, 2))


def test_read_series_with_slice_off_axis_reports_it(tmp_path: Path) -> None:
    datasets = slices(5)
    datasets[3].ImagePositionPatient[0] += 4
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert [(finding.kind, finding.slices) for finding in volume.findings] == [("off_axis", (3,))]
    assert volume.affine is None


def test_read_series_of_parallel_stacks_separates_volumes(tmp_path: Path) -> None:
    neighbours = [
        image(10 + i, ImagePositionPatient=position_along_normal(AXIAL, 2.5 * i, start=(90, 0, 3))) for i in range(3)
    ]
    write_all([*slices(3), *neighbours], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert sorted(slice_indices(volume) for volume in volumes) == [[0, 1, 2], [10, 11, 12]]
    assert all(finding_kinds(volume) == ["mixed_columns"] for volume in volumes)


def test_read_series_rescales_each_slice_by_its_own_attributes(tmp_path: Path) -> None:
    datasets = [image(i, ImagePositionPatient=[0, 0, i], RescaleSlope=i + 0.5, RescaleIntercept=-i) for i in range(4)]
    write_all(datasets, tmp_path)
    stored, values = (only_volume(dicoxide.read_series(tmp_path, rescale=rescale)) for rescale in (False, True))
    assert finding_kinds(stored) == finding_kinds(values) == ["mixed_rescale"]
    assert stored.plan.rescale is None
    assert (stored.is_rescaled, values.is_rescaled) == (False, True)
    assert values.dtype == np.float32
    slopes = np.arange(4).reshape(-1, 1, 1)
    np.testing.assert_array_equal(values.array, stored.array * (slopes + 0.5) - slopes)
    assert only_volume(dicoxide.read_series(tmp_path, rescale=True, dtype="f8")).dtype == np.float64
    assert only_volume(dicoxide.read_series(tmp_path, dtype="i4")).dtype == np.int32


def test_read_series_of_signed_and_unsigned_slices_widens_the_dtype(tmp_path: Path) -> None:
    datasets = slices(4)
    for dataset in datasets[2:]:
        dataset.PixelRepresentation = 0
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.dtype == np.int32
    assert slice_indices(volume) == [0, 1, 2, 3]
    assert finding_kinds(volume) == ["mixed_dtypes"]


def test_read_series_does_not_rescale_colour(tmp_path: Path) -> None:
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    write_all(slices(2, SeriesInstanceUID="1.2.7", **colour, **bits), tmp_path / "colour")
    write_all(slices(2), tmp_path / "grey")
    (wider,) = dicoxide.read_series(tmp_path / "colour", dtype="u2")
    assert (wider.dtype, finding_kinds(wider)) == (np.uint16, [])
    volumes = dicoxide.read_series(tmp_path, rescale=True)
    assert [(volume.shape, volume.dtype, volume.is_rescaled) for volume in volumes] == [
        ((2, 5, 7), np.float32, True),
        ((2, 5, 7, 3), np.uint8, False),
    ]
    assert finding_kinds(volumes[1]) == ["not_rescaled"]


def test_read_series_without_geometry_orders_by_instance_number(tmp_path: Path) -> None:
    datasets = [image(i, ImagePositionPatient=None, ImageOrientationPatient=None) for i in (3, 1, 2, 0)]
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [0, 1, 2, 3]
    assert finding_kinds(volume) == ["no_geometry"]
    assert volume.affine is volume.spacing is volume.origin is volume.direction is volume.positions is None


def test_read_series_of_one_slice_uses_slice_thickness(tmp_path: Path) -> None:
    write(image(), tmp_path / "a")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.spacing, finding_kinds(volume)) == ((0.75, 0.5, 2.0), ["single_slice"])


def test_read_series_without_pixel_spacing_has_no_affine(tmp_path: Path) -> None:
    datasets = slices(3, PixelSpacing=None)
    write_all(datasets[::-1], tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert slice_indices(volume) == [0, 1, 2]
    assert (volume.affine, finding_kinds(volume)) == (None, ["no_pixel_spacing"])


@pytest.mark.filterwarnings("ignore")
def test_read_series_of_pydicom_files_uses_each_frame_once(tmp_path: Path) -> None:
    volumes = dicoxide.read_series(PYDICOM_FILES / "test_files", on_error="return")
    assert len(volumes) > 30
    seen = [source for volume in volumes for source in volume.sources]
    assert len(seen) == len(set(seen))
    for volume in volumes:
        for index in {0, len(volume.sources) - 1} - volume.errors.keys():
            path, frame = volume.sources[index]
            plane = volume.array.reshape(-1, *volume.plan.frame_shape)[index]
            np.testing.assert_array_equal(plane, dicoxide.decode(path, frames=frame), err_msg=path)
