"""dicom2nifti writes equal NIfTI files with and without dicoxide, and the values and affine of dicoxide's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

import dicoxide
from support.command_line import dicoxide_command
from support.pydicom_decoders import only_dicoxide, require_decoder
from support.synthetic_series import AXIAL, CORONAL, SAGITTAL, slices, write

nibabel: Any = pytest.importorskip("nibabel", reason="nibabel is not installed")
dicom2nifti: Any = pytest.importorskip("dicom2nifti", reason="dicom2nifti is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")


def write_series(folder: Path, syntax: str, orientation: Any) -> Path:
    rng = np.random.default_rng(1)
    attributes = {
        "PatientID": "1",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SliceThickness": 2.5,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
    }
    for index, dataset in enumerate(slices(5, orientation, Rows=12, Columns=10, **attributes)):
        dataset.PixelData = rng.integers(0, 4096, (12, 10)).astype("<i2").tobytes()
        path = write(dataset, folder / f"{index}.dcm")
        if syntax != ExplicitVRLittleEndian:
            compressed = pydicom.dcmread(path)
            plugin = "dicoxide" if syntax == JPEGLSLossless else "pydicom"
            with dicoxide.enabled():
                compressed.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
            compressed.save_as(path)
    return folder


def convert(folder: Path, target: Path) -> Any:
    dicom2nifti.dicom_series_to_nifti(folder, target, reorient_nifti=False)
    return nibabel.load(target)


@pytest.mark.parametrize(
    ("syntax", "orientation"),
    [
        pytest.param(ExplicitVRLittleEndian, AXIAL, id="native"),
        pytest.param(RLELossless, SAGITTAL, id="rle"),
        pytest.param(JPEGLSLossless, CORONAL, id="jpegls"),
    ],
)
def test_series_is_converted_equally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: Any, orientation: Any
) -> None:
    require_decoder(syntax)
    folder = write_series(tmp_path / "series", syntax, orientation)
    expected = convert(folder, tmp_path / "without.nii")
    with only_dicoxide(monkeypatch, syntax):
        found = convert(folder, tmp_path / "with.nii")
    assert (tmp_path / "with.nii").read_bytes() == (tmp_path / "without.nii").read_bytes()
    np.testing.assert_array_equal(found.get_fdata(), expected.get_fdata())

    result = dicoxide_command("decode", folder, "-o", tmp_path / "own", "--format", "nifti", "--rescale")
    assert result.code == 0, result
    (own_path,) = (tmp_path / "own").rglob("*.nii*")
    # The order of the axes is a choice of each converter.
    own, other = (nibabel.as_closest_canonical(volume) for volume in (nibabel.load(own_path), expected))
    np.testing.assert_allclose(own.affine, other.affine, atol=1e-4)
    np.testing.assert_array_equal(own.get_fdata(), other.get_fdata())
