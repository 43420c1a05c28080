"""Real-world values of volumes, dask arrays and bulk runs (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import generate_uid

import dicoxide
from support.command_line import dicoxide_command
from support.real_world_maps import file_bytes, image, value_map

STORED = np.arange(60, dtype="<u2").reshape(3, 4, 5)
OPTIONS: dict[str, Any] = {"rescale": "real_world", "quantity": "ADC"}


def write_series(folder: Path, units: tuple[str, ...] = ("um2/s",) * 3, *, has_map: bool = True) -> np.ndarray:
    """Write three files with a map each, and return their real-world values."""
    series = generate_uid()
    for index, stored in enumerate(STORED):
        adc = value_map(2, 50, 0.5, float(index), units=(units[index], ""))
        t2 = value_map(0, 65535, 2.0, 0.0, label="T2", units=("ms", ""))
        ds = image(stored, *([t2, adc] if has_map else []))
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = series, series, index + 1
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, index * 2], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing = [1, 1]
        (folder / f"{index}.dcm").write_bytes(file_bytes(ds))
    values = STORED * np.float32(0.5) + np.arange(3, dtype="f4")[:, None, None]
    return np.where((STORED >= 2) & (STORED <= 50), values, np.nan)


@pytest.fixture
def series(tmp_path: Path) -> tuple[Path, np.ndarray]:
    folder = tmp_path / "series"
    folder.mkdir()
    return folder, write_series(folder)


def test_volume_has_values_and_units(series: tuple[Path, np.ndarray]) -> None:
    folder, expected = series
    (volume,) = dicoxide.read_series(folder, **OPTIONS)
    assert (volume.units, volume.is_rescaled, volume.dtype) == ("um2/s", True, np.float32)
    np.testing.assert_array_equal(volume.array, expected)
    assert "RealWorldValueMappingSequence" in pickle.loads(pickle.dumps(volume.attributes))
    (volume,) = dicoxide.read_series(folder, rescale="real_world", quantity="ms")
    assert volume.units == "ms"
    np.testing.assert_array_equal(volume.array, STORED * 2.0)
    (volume,) = dicoxide.read_series(folder)
    assert (volume.units, volume.is_rescaled) == (None, False)


@pytest.mark.parametrize("threads", [1, 2])
def test_volume_whose_slices_have_different_units_is_an_error(tmp_path: Path, threads: int) -> None:
    write_series(tmp_path, ("um2/s", "um2/s", "mm2/s"))
    with pytest.raises(ValueError, match="different units: 'um2/s' and 'mm2/s'"):
        dicoxide.read_series(tmp_path, threads=threads, **OPTIONS)


def test_volume_without_maps_is_an_error(tmp_path: Path) -> None:
    write_series(tmp_path, has_map=False)
    with pytest.raises(ValueError, match="no Real World Value Mapping Sequence"):
        dicoxide.read_series(tmp_path, rescale="real_world")
    with pytest.raises(ValueError, match="quantity needs"):
        dicoxide.read_series(tmp_path, rescale=True, quantity="ADC")


def test_dask_arrays_have_values_and_units(series: tuple[Path, np.ndarray]) -> None:
    pytest.importorskip("dask")
    folder, expected = series
    (volume,) = dicoxide.dask.from_series(folder, slices_per_chunk=2, **OPTIONS)
    assert volume.units == "um2/s"
    np.testing.assert_array_equal(volume.array.compute(), expected)
    files = sorted(folder.iterdir())
    array = dicoxide.dask.from_files(files, files_per_chunk=1, **OPTIONS)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array.compute(), expected)


def test_dask_chunk_with_other_units_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("dask")
    write_series(tmp_path, ("um2/s", "um2/s", "mm2/s"))
    (volume,) = dicoxide.dask.from_series(tmp_path, slices_per_chunk=1, **OPTIONS)
    with pytest.raises(ValueError, match="different units"):
        volume.array.compute()
    with pytest.raises(ValueError, match="different units"):
        dicoxide.dask.from_files(sorted(tmp_path.iterdir()), files_per_chunk=1, **OPTIONS).compute()


@pytest.mark.parametrize("output_format", ["npy", "nifti", "zarr"])
@pytest.mark.parametrize("is_multi_frame", [False, True], ids=["files", "frames"])
def test_bulk_run_writes_values_and_units(tmp_path: Path, output_format: str, is_multi_frame: bool) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    if is_multi_frame:
        adc = value_map(2, 50, 0.5, 0.0)
        ds = image(STORED, shared=[adc, value_map(0, 65535, 2.0, 0.0, label="T2", units=("ms", ""))])
        (folder / "image.dcm").write_bytes(file_bytes(ds))
        expected = np.where((STORED >= 2) & (STORED <= 50), STORED * np.float32(0.5), np.nan)
    else:
        expected = write_series(folder)
    out = tmp_path / "out"
    run = dicoxide_command("decode", folder, "-o", out, "--format", output_format, "--real-world", "--quantity", "ADC")
    assert run.code == 0, run.err
    if output_format == "zarr":
        zarr = pytest.importorskip("zarr")
        ((_, array),) = zarr.open_group(out, mode="r").arrays()
        values, metadata = array[:], dict(array.attrs)
    else:
        (document,) = [path for path in out.glob("*.json") if path.name != "run.json"]
        metadata = json.loads(document.read_text())
        if output_format == "npy":
            values = np.load(document.with_suffix(".npy"))
        else:
            nifti = pytest.importorskip("nibabel").load(document.with_suffix(".nii.gz"))
            values = np.asarray(nifti.dataobj).T
    np.testing.assert_array_equal(values, expected)
    assert (metadata["values"], metadata["units"]) == ("real-world", "um2/s")


def test_bulk_run_of_different_units_fails(tmp_path: Path) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    write_series(folder, ("um2/s", "um2/s", "mm2/s"))
    run = dicoxide_command(
        "decode", folder, "-o", tmp_path / "out", "--format", "npy", "--real-world", "--quantity", "ADC"
    )
    assert run.code == 1
    assert "different units: 'um2/s', 'mm2/s'" in run.err
    assert not list((tmp_path / "out").glob("*.npy"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quantity", "ADC"], "--quantity needs --real-world"),
        (["--real-world", "--format", "png"], "--real-world does not fit --format png"),
        (["--real-world", "--rescale"], "not allowed with argument"),
    ],
)
def test_command_line_options_that_do_not_fit_are_usage_errors(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    run = dicoxide_command("decode", tmp_path, "-o", tmp_path / "out", *arguments)
    assert (run.code, message in run.err) == (2, True)


def test_info_lists_the_maps(series: tuple[Path, np.ndarray]) -> None:
    folder, _ = series
    run = dicoxide_command("info", folder / "0.dcm")
    assert "T2 in ms; ADC in um2/s" in run.out
    run = dicoxide_command("info", "--json", folder / "0.dcm")
    (file,) = json.loads(run.out)["files"]
    assert file["real_world_value_maps"][1] == {
        "label": "ADC",
        "units": "um2/s",
        "quantities": [],
        "first": 2.0,
        "last": 50.0,
        "slope": 0.5,
        "intercept": 0.0,
    }
