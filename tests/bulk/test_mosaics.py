"""`read_series`: mosaics become slices; position and order follow from the private elements of Siemens and UIH."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide.bulk.series._csa import parse_csa
from support.command_line import dicoxide_command
from support.mosaics import (
    OBLIQUE,
    PIXEL_SPACING,
    SLICE_POSITION,
    SLICE_SPACING,
    csa_header,
    image_of,
    siemens_mosaic,
    slice_position,
    stack,
    uih_grid,
)
from support.synthetic_series import finding_kinds, normal, only_volume, write, write_all


def expected_affine(direction: float = 1.0, count: int = 1) -> np.ndarray[Any, Any]:
    """Return the affine of slices that ascend along the normal."""
    origin = np.array(SLICE_POSITION) if direction > 0 else slice_position(count - 1, direction)
    axes = np.stack([OBLIQUE[:3], OBLIQUE[3:], normal(OBLIQUE)], axis=1)
    affine = np.eye(4)
    affine[:3, :3] = axes * (PIXEL_SPACING[1], PIXEL_SPACING[0], SLICE_SPACING)
    affine[:3, 3] = origin
    return affine


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9, 12])
@pytest.mark.parametrize("direction", [1.0, -1.0])
@pytest.mark.parametrize("sources", [{"csa_version": 1, "header": False}, {"csa_version": 2, "header": False}, {}])
def test_mosaic_becomes_slices_with_their_positions(
    tmp_path: Path, count: int, direction: float, sources: dict[str, Any]
) -> None:
    slices = stack(count)
    write(siemens_mosaic(slices, direction=direction, **sources), tmp_path / "m.dcm")
    volume = only_volume(dicoxide.read_series(tmp_path))
    np.testing.assert_array_equal(volume.array, slices if direction > 0 else slices[::-1])
    np.testing.assert_allclose(volume.affine, expected_affine(direction, count), atol=1e-6)
    assert finding_kinds(volume) == (["single_slice"] if count == 1 else [])
    assert volume.sources == [(str(tmp_path / "m.dcm"), 0)] * count


def test_mosaics_of_several_times_are_repetitions(tmp_path: Path) -> None:
    stacks = [stack(5, seed) for seed in range(3)]
    datasets = [siemens_mosaic(slices, AcquisitionTime=f"12000{n}.0") for n, slices in enumerate(stacks)]
    write_all(datasets[::-1], tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.axis, volume.axis_values) == ("AcquisitionTime", (0, 1, 2))
    np.testing.assert_array_equal(volume.array, stacks)
    (lazy,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=2)
    np.testing.assert_array_equal(lazy.array.compute(scheduler="sync"), stacks)


def test_mosaics_that_moved_are_repetitions_with_a_finding(tmp_path: Path) -> None:
    shifts = [(0, 0, 0), (0.3, -0.1, 0.05), (0.6, 0.2, -1.5)]
    datasets = [siemens_mosaic(stack(5, n), shift=shift, InstanceNumber=n) for n, shift in enumerate(shifts)]
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.shape[:2] == (3, 5)
    assert "moving_positions" in finding_kinds(volume)
    np.testing.assert_allclose(volume.affine, expected_affine(), atol=1e-6)


def test_copies_of_a_mosaic_are_named_once_each(tmp_path: Path) -> None:
    paths = write_all([siemens_mosaic(stack(5)) for _ in range(3)], tmp_path)
    (finding,) = only_volume(dicoxide.read_series(tmp_path)).findings
    assert finding.kind == "duplicate_position"
    assert finding.left_out == tuple((str(path), 0) for path in paths[1:])
    assert finding.message.startswith("2 frames repeat")
    assert [finding.message.count(str(path)) for path in paths] == [0, 1, 1]


def test_frames_with_absurdly_many_slices_are_not_divided(tmp_path: Path) -> None:
    frame_count, side = 17, 64
    mosaic = siemens_mosaic(np.zeros((side * side, 1, 1), np.uint16))
    mosaic.NumberOfFrames = frame_count
    mosaic.PixelData *= frame_count
    write(mosaic, tmp_path / "m.dcm")
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.shape == (frame_count, side, side)
    assert "17 frames have 4096 slices each" in volume.plan.slices[0].file.mosaic_problem


def test_uih_grid_becomes_slices_with_their_positions(tmp_path: Path) -> None:
    stacks = [stack(7, seed) for seed in range(2)]
    datasets = [uih_grid(slices, AcquisitionTime=f"12000{n}.0") for n, slices in enumerate(stacks)]
    write_all(datasets, tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    np.testing.assert_array_equal(volume.array, stacks)
    np.testing.assert_allclose(volume.affine, expected_affine(), atol=1e-6)
    assert finding_kinds(volume) == []


def test_mosaics_of_other_sizes_and_single_slices_are_separate_volumes(tmp_path: Path) -> None:
    slices = stack(6)
    datasets = [siemens_mosaic(slices), siemens_mosaic(slices[:5], InstanceNumber=1)]
    single = image_of(slices[0], ImagePositionPatient=list(SLICE_POSITION), InstanceNumber=2)
    write_all([*datasets, single], tmp_path)
    volumes = dicoxide.read_series(tmp_path)
    assert [volume.shape[0] for volume in volumes] == [6, 5, 1]
    assert all("mixed_mosaics" in finding_kinds(volume) for volume in volumes)


def broken_mosaics() -> dict[str, Any]:
    no_normal = siemens_mosaic(stack(5), csa=False)
    indivisible = siemens_mosaic(stack(5))
    indivisible[0x19, 0x100A].value = 17
    absurd = siemens_mosaic(stack(5))
    absurd[0x19, 0x100A].value = 65535
    cut = siemens_mosaic(stack(5), header=False)
    cut[0x29, 0x1010].value = cut[0x29, 0x1010].value[:100]
    grid = uih_grid(stack(5))
    del grid[0x65, 0x1051].value[0]
    return {
        "no count": siemens_mosaic(stack(5), csa=False, header=False),
        "no direction": no_normal,
        "tiles that do not fit": indivisible,
        "absurd count": absurd,
        "CSA header cut short": cut,
        "grid with too few items": grid,
    }


@pytest.mark.parametrize("name", broken_mosaics())
def test_mosaic_that_cannot_be_divided_has_a_finding_and_no_affine(tmp_path: Path, name: str) -> None:
    dataset = broken_mosaics()[name]
    write_all([dataset], tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.shape == (1, dataset.Rows, dataset.Columns)
    assert volume.affine is None
    assert "mosaic" in finding_kinds(volume)


def test_mosaic_without_position_becomes_slices_without_an_affine(tmp_path: Path) -> None:
    dataset = siemens_mosaic(stack(5))
    del dataset.ImagePositionPatient
    write_all([dataset], tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert (volume.shape[0], volume.affine, finding_kinds(volume)) == (5, None, ["no_geometry"])
    np.testing.assert_array_equal(volume.array, stack(5))


@pytest.mark.parametrize("output", ["npy", "zarr", "nifti"])
def test_command_line_writes_the_slices_of_mosaics(tmp_path: Path, output: str) -> None:
    stacks = [stack(5, seed) for seed in range(3)]
    datasets = [siemens_mosaic(slices, AcquisitionTime=f"12000{n}.0") for n, slices in enumerate(stacks)]
    write_all(datasets, tmp_path / "in")
    out = tmp_path / "out"
    completed = dicoxide_command("decode", tmp_path / "in", "-o", out, "--format", output, "--uncompressed")
    assert completed.code == 0, completed.err
    np.testing.assert_array_equal(read_output(out, output), stacks)


def test_frame_selection_counts_frames_not_slices_of_mosaics(tmp_path: Path) -> None:
    write(siemens_mosaic(stack(5)), tmp_path / "in" / "m.dcm")
    out = tmp_path / "out"
    completed = dicoxide_command("decode", tmp_path / "in", "-o", out, "--format", "npy", "--frames", "0")
    assert completed.code == 0, completed.err
    assert read_output(out, "npy").shape[0] == 5
    refused = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "2", "--format", "npy", "--frames", "1")
    assert refused.code == 1
    assert "range for 1 frame" in refused.err + refused.out


def read_output(out: Path, output: str) -> np.ndarray[Any, Any]:
    if output == "npy":
        (path,) = out.glob("*.npy")
        return np.load(path)
    if output == "nifti":
        nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
        (path,) = out.glob("*.nii")
        metadata = json.loads(path.with_suffix(".json").read_text())
        loaded = nibabel.load(path)
        assert np.allclose(loaded.affine, np.diag([-1, -1, 1, 1]) @ metadata["affine_lps"], atol=1e-4)
        return np.asarray(loaded.dataobj).T
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    group = zarr.open_group(out, mode="r")
    ((_, array),) = group.arrays()
    return np.asarray(array)


def test_changed_mosaic_is_an_error(tmp_path: Path) -> None:
    path = write(siemens_mosaic(stack(5)), tmp_path / "m.dcm")
    (plan,) = dicoxide.bulk.plan_series(tmp_path)
    write(siemens_mosaic(stack(2)), path)
    with pytest.raises(dicoxide.CorruptFrameError, match="the file has changed"):
        dicoxide.bulk.decode_volume(plan)


@pytest.mark.parametrize("version", [1, 2])
def test_csa_header_has_its_values(version: int) -> None:
    values = {"One": ["a b"], "Many": ["0.5", "-1", "123456789"], "Empty": []}
    data = csa_header(values, version=version)
    whole = parse_csa(data, values)
    assert whole == {"One": ("a b",), "Many": ("0.5", "-1", "123456789")}
    assert parse_csa(data, {"Many"}) == {"Many": whole["Many"]}
    for length in range(0, len(data), 3):
        assert parse_csa(data[:length], values).items() <= whole.items()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        None,
        "text",
        b"SV10\4\3\2\1" + struct.pack("<II", 2**32 - 1, 77),
        b"SV10\4\3\2\1" + struct.pack("<II64si4siii", 1, 77, b"Name", 1, b"LO", 0, 2**31 - 1, 77),
        b"SV10\4\3\2\1" + struct.pack("<II64si4siii4i", 1, 77, b"Name", 1, b"LO", 0, 1, 77, 0, -5, 77, 0),
    ],
)
def test_malformed_csa_header_has_no_values(data: Any) -> None:
    assert parse_csa(data, {"Name"}) == {}
