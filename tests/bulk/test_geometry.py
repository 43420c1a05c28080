"""Geometry of volumes: properties, and comparison with the series reader of SimpleITK."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicoxide
from dicoxide.bulk import plan_series
from dicoxide.bulk.series import _geometry as geometry
from dicoxide.bulk.series._attribute_values import parse_seconds
from support.real_images import PYDICOM_FILES, shared_files
from support.synthetic_series import AXIAL, CORONAL, SAGITTAL, image, normal, slices, write_all

angles = st.floats(-math.pi, math.pi)


def rotated(a: float, b: float, c: float) -> tuple[float, ...]:
    """Return the axial orientation rotated by angles in radians about the three axes."""
    rotation = np.eye(3)
    for axis, angle in enumerate((a, b, c)):
        step = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step[i, i] = step[j, j] = math.cos(angle)
        step[i, j], step[j, i] = -math.sin(angle), math.sin(angle)
        rotation = rotation @ step
    return tuple(rotation[:, :2].T.ravel().tolist())


@given(a=angles, b=angles, c=angles, spacing=st.floats(0.05, 20), count=st.integers(2, 40))
def test_compute_geometry_affine_maps_indices_to_positions(
    a: float, b: float, c: float, spacing: float, count: int
) -> None:
    orientation = rotated(a, b, c)
    start = np.array([12.5, -300, 40.25])
    positions = start + np.outer(np.arange(count) * spacing, normal(orientation))
    result, findings = geometry.compute_geometry(positions, orientation, (0.5, 0.75), None)
    assert findings == []
    voxels = np.stack([np.zeros(count), np.zeros(count), np.arange(count), np.ones(count)])
    np.testing.assert_allclose((result.affine @ voxels)[:3].T, positions, atol=1e-9 * count * spacing + 1e-9)
    np.testing.assert_allclose(result.direction.T @ result.direction, np.eye(3), atol=1e-12)
    assert np.linalg.det(result.direction) == pytest.approx(1)
    np.testing.assert_allclose(result.direction * result.spacing, result.affine[:3, :3])
    assert result.spacing[:2] == (0.75, 0.5)
    assert result.origin == tuple(start)


@given(missing=st.sets(st.integers(1, 18)))
def test_compute_geometry_with_gaps_reports_every_missing_slice(missing: set[int]) -> None:
    there = [index for index in range(20) if index not in missing]
    if np.median(np.diff(there)) != 1:
        return
    positions = np.array([[0, 0, 1.25 * index] for index in there])
    result, findings = geometry.compute_geometry(positions, AXIAL, (1, 1), None)
    assert (result is None) == bool(missing)
    named = [position[2] / 1.25 for finding in findings for position in finding.positions]
    assert named == sorted(missing)
    assert [finding.kind for finding in findings] == (["gap"] if missing else [])


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (AXIAL, True),
        (SAGITTAL, True),
        ((0.999, 0, 0, 0, 1.001, 0), True),
        ((1, 0, 0, 1, 0, 0), False),
        ((0, 0, 0, 0, 0, 0), False),
        ((1, 0, 0, 0, 2, 0), False),
        ((1e300, 0, 0, 0, 1, 0), False),
    ],
)
def test_is_orientation_accepts_only_orthogonal_unit_vectors(orientation: Any, expected: bool) -> None:
    assert geometry.is_orientation(orientation) is expected


@pytest.mark.parametrize(
    ("date", "time", "seconds"),
    [
        (None, "101112.5", 36672.5),
        (None, "10:11:12", 36672),
        (None, "10", 36000),
        (None, "1011", 36660),
        ("", "", None),
        (None, "ten", None),
        (None, "101", None),
        ("00010101", "000001", 86401),
        ("", "00010101000001.25+0100", 86401.25),
        ("20241301", "000001", None),
    ],
)
def test_parse_seconds_of_date_and_time(date: Any, time: str, seconds: float | None) -> None:
    assert parse_seconds(date, time) == seconds


def itk_volume(sitk: Any, paths: Sequence[str]) -> Any:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(list(paths))
    return reader.Execute()


def assert_equals_itk(sitk: Any, volume: dicoxide.Volume, expected: Any, within: float) -> None:
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(expected))
    np.testing.assert_allclose(volume.spacing, expected.GetSpacing(), rtol=within)
    np.testing.assert_allclose(volume.origin, expected.GetOrigin(), rtol=within, atol=within)
    np.testing.assert_allclose(volume.direction.ravel(), expected.GetDirection(), atol=within)


@pytest.mark.parametrize(
    "orientation",
    [AXIAL, SAGITTAL, CORONAL, (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), rotated(0.3, 0, 0), rotated(0.4, -1.2, 2.5)],
    ids=["axial", "sagittal", "coronal", "prone", "tilted", "oblique"],
)
def test_read_series_of_synthetic_series_equals_simpleitk(tmp_path: Path, orientation: Any) -> None:
    sitk = pytest.importorskip("SimpleITK")
    rounded = [round(value, 12) for value in orientation]
    datasets = slices(7, rounded, spacing=1.75, RescaleSlope=2, RescaleIntercept=-1024)
    write_all(datasets, tmp_path, lambda index: f"{(index * 5) % 7}.dcm")
    (volume,) = dicoxide.read_series(tmp_path, rescale=True)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path), "1.2.3.4")
    assert [path for path, _ in volume.sources] == list(names)
    assert_equals_itk(sitk, volume, itk_volume(sitk, names), 1e-8)


def test_read_series_of_sheared_series_has_the_step_of_simpleitk(tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    write_all([image(i, ImagePositionPatient=[0, 0.5 * i, 2 * i]) for i in range(5)], tmp_path)
    (volume,) = dicoxide.read_series(tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([path for path, _ in volume.sources])
    if not hasattr(reader, "ForceOrthogonalDirectionOff"):
        pytest.skip("this SimpleITK makes every direction orthogonal")
    reader.ForceOrthogonalDirectionOff()
    assert_equals_itk(sitk, volume, reader.Execute(), 1e-9)


def folders_of_images() -> list[Path]:
    """Return folders with more than one file, which may contain a series."""
    files = [*shared_files(), *(path for path in (PYDICOM_FILES / "test_files").rglob("*") if path.is_file())]
    folders: dict[Path, int] = {}
    for path in files:
        folders[path.parent] = folders.get(path.parent, 0) + 1
    return sorted(folder for folder, count in folders.items() if count > 1)


@pytest.mark.filterwarnings("ignore")
def test_read_series_of_real_series_equals_simpleitk() -> None:
    sitk = pytest.importorskip("SimpleITK")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    compared = 0
    for folder in folders_of_images():
        files = [path for path in folder.iterdir() if path.is_file()]
        for plan in plan_series(files, on_error="return"):
            paths = [frame.path for frame in plan.slices]
            if plan.geometry is None or plan.axis or len(paths) < 2 or len(set(paths)) < len(paths):
                continue
            volumes = dicoxide.read_series(paths, rescale=True)
            assert len(volumes) == 1, folder
            assert_equals_itk(sitk, volumes[0], itk_volume(sitk, paths), 1e-6)
            names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), plan.series_instance_uid)
            assert set(names) != set(paths) or list(names) == paths, folder
            compared += 1
    # Other real series have gaps, and so no affine.
    assert compared >= 1


@pytest.mark.filterwarnings("ignore")
def test_plan_series_of_real_files_has_the_geometry_of_simpleitk() -> None:
    sitk = pytest.importorskip("SimpleITK")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    compared = set()
    for plan in plan_series([*shared_files(), *(PYDICOM_FILES / "test_files").glob("*.dcm")], on_error="return"):
        paths = {frame.path for frame in plan.slices}
        # SimpleITK supports neither segments nor mosaics.
        is_mosaic = any(frame.tile is not None for frame in plan.slices)
        if plan.geometry is None or len(paths) > 1 or plan.axis or plan.modality == "SEG" or is_mosaic:
            continue
        (path,) = paths
        reader = sitk.ImageFileReader()
        reader.SetFileName(path)
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            continue
        dimensions = 3 if plan.depth > 1 else 2
        np.testing.assert_allclose(plan.geometry.origin, reader.GetOrigin(), rtol=1e-9, atol=1e-9, err_msg=path)
        spacing = reader.GetSpacing()[:dimensions]
        np.testing.assert_allclose(plan.geometry.spacing[:dimensions], spacing, rtol=1e-9, err_msg=path)
        np.testing.assert_allclose(plan.geometry.direction.ravel(), reader.GetDirection(), atol=1e-6, err_msg=path)
        compared.add(path)
    assert len(compared) >= 3
