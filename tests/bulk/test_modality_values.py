"""Modality LUT and Dose Grid Scaling through the outputs of series: `read_series`, dask, the command line's formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RTDoseStorage

import dicoxide
from support.command_line import dicoxide_command
from support.synthetic_series import image, only_volume, slices, write, write_all

SCALING = 0.0015
# The stored values of `slices(4)` are 0 to 330; the table starts at 5 and ends at 304.
FIRST_MAPPED = 5
ENTRIES = ((np.arange(300) * 211) % 65521).astype("<u2")


def lut() -> Sequence:
    item = Dataset()
    item.add_new(0x00283002, "SS", [len(ENTRIES), FIRST_MAPPED, 16])
    item.add_new(0x00283006, "OW", ENTRIES.tobytes())
    return Sequence([item])


def write_lut_series(folder: Path) -> np.ndarray:
    """Write slices with a Modality LUT; return their modality values."""
    # Rescale has no effect besides a Modality LUT.
    datasets = slices(4, ModalityLUTSequence=lut(), RescaleSlope="2", RescaleIntercept="7")
    write_all(datasets, folder)
    stored = np.stack([np.frombuffer(ds.PixelData, "<i2").reshape(ds.Rows, ds.Columns) for ds in datasets])
    return ENTRIES[np.clip(stored.astype(int) - FIRST_MAPPED, 0, len(ENTRIES) - 1)].astype(np.float32)


def write_dose(folder: Path) -> np.ndarray:
    """Write a dose grid of four frames; return its modality values."""
    attributes: dict[str, Any] = {"SOPClassUID": RTDoseStorage, "Modality": "RTDOSE", "PixelRepresentation": 0}
    offsets = [2.5 * index for index in range(4)]
    ds = image(3, NumberOfFrames=4, GridFrameOffsetVector=offsets, DoseGridScaling=SCALING, **attributes)
    write(ds, folder / "dose.dcm")
    return (np.frombuffer(ds.PixelData, "<u2").reshape(4, ds.Rows, ds.Columns) * SCALING).astype(np.float32)


SERIES = pytest.mark.parametrize("write_series", [write_lut_series, write_dose], ids=["lut", "dose"])


def decode(folder: Path, *options: object) -> Path:
    out = folder.parent / "out"
    done = dicoxide_command("decode", folder, "-o", out, *options)
    assert done.code == 0, done
    return out


def load_zarr(out: Path) -> Any:
    return np.asarray(pytest.importorskip("zarr", minversion="3.1").open_group(out, mode="r")["1.2.3.4"])


def load_npy(out: Path) -> Any:
    [path] = out.rglob("*.npy")
    return np.load(path)


def load_nifti(out: Path) -> Any:
    [path] = out.glob("*.nii.gz")
    nifti = pytest.importorskip("nibabel").load(path)
    # Modality values are stored as such.
    assert (nifti.dataobj.slope, nifti.dataobj.inter) == (1.0, 0.0)
    return np.asarray(nifti.dataobj.get_unscaled()).T


@SERIES
def test_read_series_with_rescale_returns_modality_values(tmp_path: Path, write_series: Callable[..., Any]) -> None:
    expected = write_series(tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path, rescale=True))
    assert (volume.array.dtype, volume.is_rescaled) == (np.float32, True)
    np.testing.assert_array_equal(volume.array, expected)


def test_read_series_with_lut_has_no_slope_and_intercept(tmp_path: Path) -> None:
    write_lut_series(tmp_path)
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert volume.plan.rescale is None
    assert all(frame.has_modality_lut for frame in volume.plan.slices)


@SERIES
def test_dask_with_rescale_computes_modality_values(tmp_path: Path, write_series: Callable[..., Any]) -> None:
    pytest.importorskip("dask.array")
    from dicoxide.dask import from_series

    expected = write_series(tmp_path)
    volume = only_volume(from_series(tmp_path, rescale=True))
    assert volume.array.dtype == np.float32
    np.testing.assert_array_equal(volume.array.compute(), expected)


@SERIES
@pytest.mark.parametrize(
    ("file_format", "load"),
    [("zarr", load_zarr), ("npy", load_npy), ("nifti", load_nifti)],
    ids=["zarr", "npy", "nifti"],
)
def test_decode_command_with_rescale_writes_modality_values(
    tmp_path: Path, write_series: Callable[..., Any], file_format: str, load: Callable[[Path], Any]
) -> None:
    expected = write_series(tmp_path / "in")
    values = load(decode(tmp_path / "in", "--format", file_format, "--rescale"))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected)


def test_nifti_of_lut_without_rescale_has_modality_values(tmp_path: Path) -> None:
    expected = write_lut_series(tmp_path / "in")
    out = decode(tmp_path / "in", "--format", "nifti")
    values = load_nifti(out)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected)
    metadata = json.loads((out / "1.2.3.4.json").read_text())
    assert (metadata["values"], metadata["findings"]) == ("modality", [])


def test_nifti_of_dose_without_rescale_has_its_scaling_as_slope(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    expected = write_dose(tmp_path / "in")
    [path] = decode(tmp_path / "in", "--format", "nifti").glob("*.nii.gz")
    np.testing.assert_allclose(nibabel.load(path).get_fdata().T, expected, rtol=1e-6)


def test_zarr_of_lut_without_rescale_has_stored_values(tmp_path: Path) -> None:
    write_lut_series(tmp_path / "in")
    values = load_zarr(decode(tmp_path / "in", "--format", "zarr"))
    np.testing.assert_array_equal(values, only_volume(dicoxide.read_series(tmp_path / "in")).array)
