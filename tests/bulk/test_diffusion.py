"""b-values and gradient directions of volumes, in JSON files and in FSL's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

import dicoxide
from support.command_line import dicoxide_command
from support.diffusion import MANUFACTURERS, OBLIQUE, diffusion_image, enhanced
from support.synthetic_series import AXIAL, CORONAL, SAGITTAL, write

GRADIENTS = [(0.6, 0.8, 0.0), (0.0, 0.6, 0.8), (0.48, -0.6, 0.64), (-0.8, 0.0, 0.6)]
# In the order of acquisition: two images without weighting, two shells.
PROTOCOL: list[tuple[float, tuple[float, ...] | None]] = [
    (0.0, None),
    (1000.0, GRADIENTS[2]),
    (2000.0, GRADIENTS[0]),
    (0.0, None),
    (1000.0, GRADIENTS[3]),
    (1000.0, GRADIENTS[1]),
]
DEPTH = 3
ORIENTATIONS = {"axial": AXIAL, "sagittal": SAGITTAL, "coronal": CORONAL, "oblique": OBLIQUE}


def write_protocol(folder: Path, vendor: str, **attributes: Any) -> None:
    for volume, (b_value, gradient) in enumerate(PROTOCOL):
        for index in range(DEPTH):
            slices: dict[str, Any] = {"slice_index": index, "volume": volume, "count": DEPTH}
            dataset = diffusion_image(vendor, b_value, gradient, **slices, **attributes)
            write(dataset, folder / f"{(volume * 7 + index * 5) % 18:02}-{volume}.dcm")


def assert_same_directions(found: np.ndarray, gradients: list[tuple[float, ...] | None], atol: float = 1e-6) -> None:
    """Check directions up to their sign."""
    expected = np.array([gradient or (0.0, 0.0, 0.0) for gradient in gradients])
    signs = np.where((found * expected).sum(axis=1) < 0, -1.0, 1.0)
    np.testing.assert_allclose(found * signs[:, None], expected, atol=atol)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("vendor", MANUFACTURERS)
def test_read_series_keeps_b_values_and_gradients(tmp_path: Path, vendor: str, orientation: str) -> None:
    write_protocol(tmp_path, vendor, orientation=ORIENTATIONS[orientation])
    (volume,) = dicoxide.read_series(tmp_path)
    assert volume.shape[:2] == (len(PROTOCOL), DEPTH)
    assert volume.axis == "DiffusionBValue"
    assert (volume.array[:, 0, 0, 0] // 100 // DEPTH).tolist() == list(range(len(PROTOCOL)))
    assert volume.b_values is not None
    assert volume.gradients is not None
    assert volume.b_values.tolist() == [b_value for b_value, _ in PROTOCOL]
    assert volume.axis_values == tuple(volume.b_values.tolist())
    assert_same_directions(volume.gradients, [gradient for _, gradient in PROTOCOL])


@pytest.mark.parametrize("vendor", ["ge", "canon"])
@pytest.mark.parametrize("orientation", ["axial", "sagittal", "oblique"])
def test_read_series_with_phase_encoding_along_rows_turns_gradients(
    tmp_path: Path, vendor: str, orientation: str
) -> None:
    write_protocol(tmp_path, vendor, orientation=ORIENTATIONS[orientation], InPlanePhaseEncodingDirection="ROW")
    (volume,) = dicoxide.read_series(tmp_path)
    assert volume.gradients is not None
    assert_same_directions(volume.gradients, [gradient for _, gradient in PROTOCOL])


@pytest.mark.parametrize("vendor", ["ge", "uih", "canon"])
def test_read_series_with_rounded_orientations_is_one_volume(tmp_path: Path, vendor: str) -> None:
    write_protocol(tmp_path, vendor)
    for number, path in enumerate(sorted(tmp_path.iterdir())):
        dataset = pydicom.dcmread(path)
        dataset.ImageOrientationPatient = [round(value + 1e-7 * (number % 3), 9) for value in OBLIQUE]
        dataset.save_as(path)
    (volume,) = dicoxide.read_series(tmp_path)
    assert volume.shape[:2] == (len(PROTOCOL), DEPTH)
    assert volume.gradients is not None
    assert_same_directions(volume.gradients, [gradient for _, gradient in PROTOCOL])


def test_read_series_of_ge_shells_scales_the_b_value(tmp_path: Path) -> None:
    half = tuple(0.5 * component for component in GRADIENTS[0])
    for index in range(DEPTH):
        write(diffusion_image("ge", 3000, half, slice_index=index), tmp_path / f"a{index}.dcm")
        write(diffusion_image("ge", 3000, GRADIENTS[1], slice_index=index, volume=1), tmp_path / f"b{index}.dcm")
    (volume,) = dicoxide.read_series(tmp_path)
    assert volume.b_values is not None
    assert volume.gradients is not None
    assert volume.b_values.tolist() == [750.0, 3000.0]
    assert_same_directions(volume.gradients, [GRADIENTS[0], GRADIENTS[1]])


def test_read_series_of_enhanced_image_keeps_gradients(tmp_path: Path) -> None:
    b_values = [b_value for b_value, _ in PROTOCOL]
    gradients = [gradient for _, gradient in PROTOCOL]
    write(enhanced(b_values, gradients, DEPTH), tmp_path / "a.dcm")
    (volume,) = dicoxide.read_series(tmp_path)
    assert volume.b_values is not None
    assert volume.gradients is not None
    assert volume.b_values.tolist() == b_values
    assert_same_directions(volume.gradients, gradients)


def test_isotropic_images_have_no_direction(tmp_path: Path) -> None:
    for volume, b_value in enumerate((0.0, 500.0, 1000.0)):
        for index in range(DEPTH):
            dataset = diffusion_image("philips", b_value, None, slice_index=index, volume=volume)
            write(dataset, tmp_path / "in" / f"{volume}{index}.dcm")
    (series,) = dicoxide.read_series(tmp_path / "in")
    assert series.b_values is not None
    assert series.gradients is not None
    assert series.b_values.tolist() == [0.0, 500.0, 1000.0]
    assert not series.gradients.any()
    done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "nifti")
    assert done.code == 0, done.err
    assert not list((tmp_path / "out").glob("*.bve*"))


def test_images_without_diffusion_have_none(tmp_path: Path) -> None:
    for index in range(DEPTH):
        write(diffusion_image("standard", None, None, slice_index=index), tmp_path / f"{index}.dcm")
    (volume,) = dicoxide.read_series(tmp_path)
    assert volume.b_values is None
    assert volume.gradients is None


def test_volumes_are_in_the_order_of_acquisition_times(tmp_path: Path) -> None:
    # Instance numbers are in the reverse order of times.
    for volume, gradient in enumerate(GRADIENTS):
        for index in range(DEPTH):
            time = f"1000{50 - 10 * volume:02}.{index}"
            slices: dict[str, Any] = {"slice_index": index, "volume": volume, "AcquisitionTime": time}
            write(diffusion_image("siemens", 1000, gradient, **slices), tmp_path / f"{volume}{index}.dcm")
    (volume_,) = dicoxide.read_series(tmp_path)
    assert volume_.gradients is not None
    assert_same_directions(volume_.gradients, [*GRADIENTS[::-1]])


@pytest.mark.parametrize(
    "value",
    [[float("nan")] * 3, [float("inf"), 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0], [1e-300, 0.0, 0.0]],
    ids=["nan", "infinite", "zero", "two", "tiny"],
)
def test_impossible_gradients_are_no_directions(tmp_path: Path, value: list[float]) -> None:
    for index in range(DEPTH):
        dataset = diffusion_image("siemens", 1000, None, slice_index=index)
        dataset.private_block(0x19, "SIEMENS MR HEADER").add_new(0x0E, "FD", value)
        write(dataset, tmp_path / f"{index}.dcm")
    (volume,) = dicoxide.read_series(tmp_path)
    assert volume.gradients is not None
    assert volume.gradients.tolist() == [[0.0, 0.0, 0.0]]


def test_private_elements_of_another_block_are_found(tmp_path: Path) -> None:
    for index in range(DEPTH):
        dataset = diffusion_image("standard", None, None, slice_index=index, Manufacturer="SIEMENS")
        dataset.private_block(0x19, "ANOTHER CREATOR", create=True).add_new(0x0C, "IS", 5)
        block = dataset.private_block(0x19, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", 800)
        block.add_new(0x0E, "FD", list(GRADIENTS[0]))
        write(dataset, tmp_path / f"{index}.dcm")
    (volume,) = dicoxide.read_series(tmp_path)
    assert volume.b_values is not None
    assert volume.gradients is not None
    assert volume.b_values.tolist() == [800.0]
    np.testing.assert_allclose(volume.gradients, [GRADIENTS[0]], atol=1e-12)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_bval_and_bvec_files_follow_the_fsl_convention(tmp_path: Path, orientation: str) -> None:
    nibabel = pytest.importorskip("nibabel")
    write_protocol(tmp_path / "in", "standard", orientation=ORIENTATIONS[orientation])
    done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "nifti")
    assert done.code == 0, done.err
    b_values = np.loadtxt(tmp_path / "out" / "1.2.3.4.bval", ndmin=2)
    vectors = np.loadtxt(tmp_path / "out" / "1.2.3.4.bvec", ndmin=2)
    assert b_values.tolist() == [[b_value for b_value, _ in PROTOCOL]]
    # FSL's voxel axes are those of the image, the first reversed if the determinant is positive; they are turned into
    # the patient's by the rotation of the affine, which is in RAS.
    affine = nibabel.load(tmp_path / "out" / "1.2.3.4.nii.gz").affine[:3, :3]
    rotation = affine / np.linalg.norm(affine, axis=0)
    if np.linalg.det(rotation) > 0:
        rotation[:, 0] *= -1
    world_lps = (rotation @ vectors).T * (-1, -1, 1)
    expected = [gradient or (0.0, 0.0, 0.0) for _, gradient in PROTOCOL]
    np.testing.assert_allclose(world_lps, expected, atol=1e-6)
    metadata = json.loads((tmp_path / "out" / "1.2.3.4.json").read_text())
    assert metadata["b_values"] == [b_value for b_value, _ in PROTOCOL]
    np.testing.assert_allclose(metadata["gradients"], expected, atol=1e-12)


def test_resumed_run_replaces_gradient_files(tmp_path: Path) -> None:
    write_protocol(tmp_path / "in", "standard")
    options = ("-o", tmp_path / "out", "--format", "nifti", "--resume")
    assert dicoxide_command("decode", tmp_path / "in", *options).code == 0
    assert (tmp_path / "out" / "1.2.3.4.bval").exists()
    for path in (tmp_path / "in").glob("*.dcm"):
        write(without_diffusion(path), path)
    assert dicoxide_command("decode", tmp_path / "in", *options).code == 0
    assert not list((tmp_path / "out").glob("*.bv*"))


def without_diffusion(path: Path) -> Dataset:
    """Return the data set of a file without diffusion attributes."""
    dataset = pydicom.dcmread(path)
    for keyword in ("DiffusionBValue", "DiffusionGradientOrientation"):
        if keyword in dataset:
            delattr(dataset, keyword)
    return dataset
