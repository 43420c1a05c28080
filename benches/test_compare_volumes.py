"""Tests of the comparison of converters: what counts as equal, and a run on a small series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import compare_volumes
import volume_agreement
import volume_files
import volume_series
import volume_sidecars
from support.mosaics import OBLIQUE
from support.synthetic_series import image, position_along_normal, write
from volume_files import Conversion, NiftiFile

VALUES = np.random.default_rng(3).integers(0, 4000, (5, 6, 4, 3)).astype(np.int16)
AFFINE = np.array([[-2.0, 0.1, 0, 10], [0.1, 2, 0.2, -20], [0, -0.2, 3, 5], [0, 0, 0, 1]])


def nifti(path: Path, values: Any, affine: Any = AFFINE, uid: str = "1.2", **attributes: str) -> NiftiFile:
    nifti_image = nibabel.Nifti1Image(values, affine)
    if affine is None:
        nifti_image.header["sform_code"] = nifti_image.header["qform_code"] = 0
    nibabel.save(nifti_image, path)
    return NiftiFile(path, uid, {"StudyInstanceUID": "1", **attributes})


def outcomes(ours: list[NiftiFile], others: list[NiftiFile]) -> list[tuple[str, list[str]]]:
    found = volume_series.compare(Conversion(ours), Conversion(others), "other")
    return [(outcome.status, outcome.details) for outcome in found]


def reordered(values: Any, affine: Any) -> tuple[Any, Any]:
    """Return the same volume with the first two axes exchanged and the third one reversed."""
    swap = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, values.shape[2] - 1], [0, 0, 0, 1]])
    return np.ascontiguousarray(np.swapaxes(values, 0, 1)[:, :, ::-1]), affine @ swap


def test_compare_axes_in_another_order_are_equal(tmp_path: Path) -> None:
    ours, other = nifti(tmp_path / "a.nii", VALUES), nifti(tmp_path / "b.nii", *reordered(VALUES, AFFINE))
    assert outcomes([ours], [other]) == [("equal", [])]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"affine": AFFINE + np.eye(4)[3] * np.array([[0.01], [0], [0], [0]])}, "world coordinates by 0.01 mm"),
        ({"affine": None}, "no geometry in the other"),
        ({"values": VALUES + (np.indices(VALUES.shape).sum(0) == 0).astype("i2")}, "values of 0.833 % of voxels"),
        ({"values": VALUES[:, :, :3]}, "shapes (5, 6, 4) and (5, 6, 3)"),
        ({"values": VALUES[..., ::-1]}, "order of the fourth axis"),
        ({"values": VALUES[..., :2]}, "2 of 3 and 2 volumes are equal"),
    ],
)
def test_compare_difference_is_named(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    ours = nifti(tmp_path / "a.nii", VALUES)
    other = nifti(tmp_path / "b.nii", **{"values": VALUES, **change})
    ((status, details),) = outcomes([ours], [other])
    assert status == "different"
    assert expected in "; ".join(details)


def test_compare_one_file_per_volume_is_split_differently(tmp_path: Path) -> None:
    ours = nifti(tmp_path / "a.nii", VALUES)
    others = [nifti(tmp_path / f"b{index}.nii", *reordered(VALUES[..., index], AFFINE)) for index in (1, 0, 2)]
    assert outcomes([ours], others) == [("equal, split differently", ["(5, 6, 4, 3) = 3 × (6, 5, 4)"])]


def test_compare_one_file_per_slice_is_split_differently(tmp_path: Path) -> None:
    ours = nifti(tmp_path / "a.nii", VALUES[..., 0])
    others = []
    for index in range(4):
        affine = AFFINE.copy()
        affine[:, 3] += index * affine[:, 2]
        others.append(nifti(tmp_path / f"b{index}.nii", VALUES[:, :, index : index + 1, 0], affine))
    assert outcomes([ours], others) == [("equal, split differently", ["(5, 6, 4) = 4 × (5, 6, 1), slice by slice"])]


def test_compare_series_that_the_other_joins_are_split_differently(tmp_path: Path) -> None:
    ours = [nifti(tmp_path / f"a{index}.nii", VALUES[..., index], uid=f"1.{index}") for index in range(3)]
    other = nifti(tmp_path / "b.nii", VALUES, uid="2")
    assert outcomes(ours, [other]) == [("equal, split differently", ["3 × (5, 6, 4) = (5, 6, 4, 3)"])]


@pytest.mark.parametrize(("shift", "status"), [(0.0, "equal"), (0.5, "different")])
def test_compare_series_under_another_uid_is_found_by_its_values(tmp_path: Path, shift: float, status: str) -> None:
    ours = [nifti(tmp_path / f"a{index}.nii", VALUES + index, uid=f"1.{index}") for index in range(2)]
    affine = AFFINE.copy()
    affine[0, 3] += shift
    others = [nifti(tmp_path / f"b{index}.nii", VALUES + index, affine, f"2.{index}") for index in (1, 0)]
    assert [found for found, _ in outcomes(ours, others)] == [status, status]


def test_compare_series_of_one_converter_is_refused_by_the_other(tmp_path: Path) -> None:
    ours = Conversion([nifti(tmp_path / "a.nii", VALUES, uid="1")], {"3": "NoImage: a", "2": "Corrupt: b"})
    other = Conversion([nifti(tmp_path / "b.nii", VALUES + 1, uid="2")], {"3": "ValueError: c", "1": "ValueError: d"})
    found = {outcome.series_uids[0]: outcome for outcome in volume_series.compare(ours, other, "other")}
    assert {uid: (outcome.status, outcome.details[0]) for uid, outcome in found.items()} == {
        "1": ("refused by other", "ValueError: d"),
        "2": ("refused by dicoxide", "Corrupt: b"),
        "3": ("refused by both", "NoImage: a"),
    }


def test_compare_derived_files_are_left_out(tmp_path: Path) -> None:
    ours, other = nifti(tmp_path / "a.nii", VALUES), nifti(tmp_path / "b.nii", VALUES)
    derived = nifti(tmp_path / "b_Tilt_1.nii", VALUES + 1)
    derived.is_derived = True
    assert outcomes([ours], [other, derived]) == [("equal", [])]


@pytest.mark.parametrize(
    ("ours", "other", "expected"),
    [
        ({"RepetitionTime": 2.0}, {"RepetitionTime": 2.00001}, []),
        ({}, {"RepetitionTime": 2}, ["missing keys: RepetitionTime"]),
        ({"FlipAngle": 20}, {"FlipAngle": 30}, ["FlipAngle 20 and 30"]),
        ({"EchoTime": [0.01, 0.02]}, {"EchoTime": 0.02}, []),
        ({"ImageType": ["M_FFE", "M"]}, {"ImageType": ["M", "FFE", "M", "MAGNITUDE"]}, []),
        ({"SliceTiming": [0, 1, 2, 3]}, {"SliceTiming": [3, 2, 1, 0.01]}, []),
        ({"PhaseEncodingDirection": "j-"}, {"PhaseEncodingDirection": "i-"}, []),
        ({"PhaseEncodingDirection": "j"}, {"PhaseEncodingDirection": "i-"}, ["PhaseEncodingDirection j and i-"]),
    ],
)
def test_sidecar_notes_name_keys_that_differ(
    tmp_path: Path, ours: dict[str, Any], other: dict[str, Any], expected: list[str]
) -> None:
    files = nifti(tmp_path / "a.nii", VALUES), nifti(tmp_path / "b.nii", *reordered(VALUES, AFFINE))
    for item, keys in zip(files, (ours, other), strict=True):
        item.sidecar.update(keys)
    assert volume_sidecars.sidecar_notes(*files) == expected


def test_sidecar_notes_compare_directions_in_world_coordinates(tmp_path: Path) -> None:
    values, affine = VALUES, np.diag([-2.0, 2, 2, 1])
    ours, other = nifti(tmp_path / "a.nii", values, affine), nifti(tmp_path / "b.nii", *reordered(values, affine))
    for item, name, direction in ((ours, "a", (0.6, 0.8, 0)), (other, "b", (0.8, 0.6, 0))):
        np.savetxt(tmp_path / f"{name}.bval", [[0, 1000, 1000]])
        np.savetxt(tmp_path / f"{name}.bvec", np.array([(0, 0, 0), direction, (0, 0, 1)]).T)
        assert np.linalg.det(nibabel.load(item.path).affine) < 0
    assert volume_sidecars.sidecar_notes(ours, other) == ["bvec with opposite signs"]
    np.savetxt(tmp_path / "b.bval", [[0, 1000, 1005]])
    assert volume_sidecars.sidecar_notes(ours, other) == ["bval differs by 5", "bvec with opposite signs"]


def test_load_colour_has_samples_on_the_last_axis(tmp_path: Path) -> None:
    colour = np.random.default_rng(4).integers(0, 255, (5, 6, 4, 3), dtype=np.uint8)
    packed = colour.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nifti(tmp_path / "a.nii", packed)
    nifti(tmp_path / "b.nii", colour[:, :, :, None, :])
    for name in ("a.nii", "b.nii"):
        (volume,) = volume_agreement.load(tmp_path / name)
        np.testing.assert_array_equal(volume.values, colour)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(volume_files.CONVERTERS))
def test_main_oblique_series_equals_other_converters(name: str, tmp_path: Path, capsys: Any) -> None:
    if name not in volume_files.installed_converters():
        pytest.skip(f"{name} is not installed")
    for index in range(6):
        position = position_along_normal(OBLIQUE, 2.5 * index)
        slope = {"RescaleSlope": 2, "RescaleIntercept": -100}
        attributes = {"ImageOrientationPatient": list(OBLIQUE), "ImagePositionPatient": position, **slope}
        write(image(index + 1, Manufacturer="made", Rows=16, Columns=20, **attributes), tmp_path / f"in/{index}.dcm")
    assert (
        compare_volumes.main(["--with", name, "--all", "--json", str(tmp_path / "out.json"), str(tmp_path / "in")]) == 0
    )
    assert "1.2.3.4" in capsys.readouterr().out
    (comparison,) = json.loads((tmp_path / "out.json").read_text())["comparisons"]
    assert [outcome["status"] for outcome in comparison["outcomes"]] == ["equal"]
    assert set(comparison["seconds"]) == {"dicoxide", name}


def test_main_unknown_converter_is_a_usage_error(tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        compare_volumes.main(["--with", "none", str(tmp_path)])
    assert "none not installed" in capsys.readouterr().err
