"""Outputs of ``dicoxide decode``, read by the libraries of their formats."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from support.command_line import decode_by_pydicom, dicoxide_command, truncate_frame, write_series
from support.real_images import ROOT
from support.synthetic_series import image, write

EMRI = ROOT / "tests" / "vectors" / "emri_small_RLE.dcm"


def decode(source: Path, out: Path, *more: object) -> dict[str, Any]:
    done = dicoxide_command("decode", source, "-o", out, "--json", *more)
    assert done.code == 0, done.err
    document: dict[str, Any] = done.document
    return document


class TestZarr:
    @pytest.fixture(autouse=True)
    def _zarr(self) -> None:
        self.zarr = pytest.importorskip("zarr", minversion="3.1")

    def test_zarr_output_is_one_group(self, tmp_path: Path) -> None:
        paths = write_series(tmp_path / "in", 5)
        other = write_series(tmp_path / "in", 3, series="1.2.3.5", rows=7)
        decode(tmp_path / "in", tmp_path / "out")
        group = self.zarr.open_group(tmp_path / "out", mode="r")
        assert group.metadata.zarr_format == 3
        assert sorted(group.array_keys()) == ["1.2.3.4", "1.2.3.5"]
        np.testing.assert_array_equal(group["1.2.3.4"][:], decode_by_pydicom(paths))
        np.testing.assert_array_equal(group["1.2.3.5"][:], decode_by_pydicom(other))
        array = group["1.2.3.4"]
        assert array.dtype == np.uint16
        assert array.metadata.dimension_names == ("slice", "row", "column")
        attributes = dict(array.attrs)
        assert attributes["affine_lps"] == [[0.75, 0, 0, -10], [0, 0.5, 0, -20], [0, 0, 2.5, 0], [0, 0, 0, 1]]
        assert attributes["RescaleSlope"] == [1.0] * 5
        assert attributes["transfer_syntax"] == "1.2.840.10008.1.2.1"
        assert attributes["sources"] == [str(path) for path in paths]
        assert attributes["sop_instance_uids"] == [f"1.2.3.4.{index + 1}" for index in range(5)]
        assert attributes["attributes"]["Modality"] == "CT"
        assert attributes["values"] == "stored"

    def test_zarr_of_many_chunks_uses_shards(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from dicoxide import cli
        from dicoxide.bulk.runs._formats import _base, _zarr

        # A slice is 240 bytes: a chunk has 2 slices, a block 4, a shard 12.
        monkeypatch.setattr(_base, "BLOCK_BYTES", 1000)
        monkeypatch.setattr(_zarr, "_SHARD_BYTES", 3000)
        monkeypatch.setattr(_zarr, "_CHUNK_BYTES", 500)
        monkeypatch.setattr(_zarr, "_MAX_UNSHARDED_CHUNKS", 10)
        paths = write_series(tmp_path / "in", 47)
        cut = write_series(tmp_path / "in", 47, series="1.2.3.5", is_jpeg=True)
        truncate_frame(cut[20])
        assert cli.main(["decode", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 1
        group = self.zarr.open_group(tmp_path / "out", mode="r")
        array = group["1.2.3.4"]
        assert (array.chunks, array.shards) == ((2, 12, 10), (12, 12, 10))
        np.testing.assert_array_equal(array[:], decode_by_pydicom(paths))
        assert sum(path.is_file() for path in (tmp_path / "out" / "1.2.3.4").rglob("*")) == 5
        np.testing.assert_array_equal(group["1.2.3.5"][:], decode_by_pydicom(cut[:20] + cut[21:]))

    @pytest.mark.parametrize("more", [[], ["--uncompressed"], ["--rescale"]])
    def test_zarr_chunks_smaller_than_a_block(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: Any) -> None:
        from dicoxide import cli
        from dicoxide.bulk.runs._formats import _base, _zarr

        # A slice is 240 bytes: 5 fit into a chunk, and 13 into a block, which is then two chunks.
        monkeypatch.setattr(_base, "BLOCK_BYTES", 13 * 240)
        monkeypatch.setattr(_zarr, "_CHUNK_BYTES", 5 * 240)
        paths = write_series(tmp_path / "in", 38)
        out = tmp_path / f"out{len(more)}{''.join(more)}"
        assert cli.main(["decode", str(tmp_path / "in"), "-o", str(out), *more]) == 0
        array = self.zarr.open_group(out, mode="r")["1.2.3.4"]
        assert (array.chunks[0], array.shards) == (2 if "--rescale" in more else 5, None)
        np.testing.assert_array_equal(array[:], decode_by_pydicom(paths) - (1024.0 if "--rescale" in more else 0))

    def test_zarr_of_large_frames_splits_rows(self, tmp_path: Path) -> None:
        paths = write_series(tmp_path / "in", 2, rows=2500, columns=2001)
        decode(tmp_path / "in", tmp_path / "out")
        array = self.zarr.open_group(tmp_path / "out", mode="r")["1.2.3.4"]
        assert array.chunks[0] == 1
        assert array.chunks[1] < 2500
        np.testing.assert_array_equal(array[:], decode_by_pydicom(paths))

    def test_zarr_of_failed_slices_has_no_gaps(self, tmp_path: Path) -> None:
        paths = write_series(tmp_path / "in", 5, is_jpeg=True)
        truncate_frame(paths[1])
        truncate_frame(paths[4])
        done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out")
        assert done.code == 1
        array = self.zarr.open_group(tmp_path / "out", mode="r")["1.2.3.4"]
        np.testing.assert_array_equal(array[:], decode_by_pydicom([paths[0], paths[2], paths[3]]))
        assert [missing["sop_instance_uid"] for missing in array.attrs["missing"]] == ["1.2.3.4.2", "1.2.3.4.5"]
        assert array.attrs["affine_lps"] is None
        assert [finding["message"] for finding in array.attrs["findings"]] == [
            "2 of 5 slices are missing",
            "1 slice missing at a slice spacing of 2.5 mm; expected positions in mm: (-10, -20, 2.5)",
        ]

    def test_zarr_uncompressed_has_no_compressor(self, tmp_path: Path) -> None:
        paths = write_series(tmp_path / "in", 4)
        decode(tmp_path / "in", tmp_path / "out", "--uncompressed")
        array = self.zarr.open_group(tmp_path / "out", mode="r")["1.2.3.4"]
        assert array.compressors == ()
        np.testing.assert_array_equal(array[:], decode_by_pydicom(paths))

    def test_zarr_of_colour_has_a_sample_axis(self, tmp_path: Path) -> None:
        source = Path(get_testdata_file("SC_rgb_small_odd.dcm"))
        decode(source, tmp_path / "out")
        ((_, array),) = self.zarr.open_group(tmp_path / "out", mode="r").arrays()
        assert array.metadata.dimension_names == ("slice", "row", "column", "sample")
        np.testing.assert_array_equal(array[0], pydicom.dcmread(source).pixel_array)

    def test_zarr_resume_adds_arrays_to_the_group(self, tmp_path: Path) -> None:
        write_series(tmp_path / "in", 2)
        decode(tmp_path / "in", tmp_path / "out")
        write_series(tmp_path / "in", 2, series="1.2.3.5")
        decode(tmp_path / "in", tmp_path / "out", "--resume")
        assert sorted(self.zarr.open_group(tmp_path / "out", mode="r").array_keys()) == ["1.2.3.4", "1.2.3.5"]


class TestNifti:
    @pytest.fixture(autouse=True)
    def _nibabel(self) -> None:
        self.nibabel = pytest.importorskip("nibabel")

    @pytest.mark.parametrize("more", [(), ("--uncompressed",)])
    def test_nifti_axes_and_affine_are_ras(self, tmp_path: Path, more: tuple[str, ...]) -> None:
        paths = write_series(tmp_path / "in", 5)
        decode(tmp_path / "in", tmp_path / "out", "--format", "nifti", *more)
        image = self.nibabel.load(tmp_path / "out" / ("1.2.3.4.nii" if more else "1.2.3.4.nii.gz"))
        assert image.shape == (10, 12, 5)
        np.testing.assert_array_equal(np.asarray(image.dataobj.get_unscaled()).T, decode_by_pydicom(paths))
        np.testing.assert_array_equal(image.get_fdata().T, decode_by_pydicom(paths) - 1024.0)
        expected = [[-0.75, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 2.5, 0], [0, 0, 0, 1]]
        np.testing.assert_array_equal(image.affine, expected)
        assert self.nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
        assert image.header.get_xyzt_units()[0] == "mm"
        assert json.loads((tmp_path / "out" / "1.2.3.4.json").read_text())["findings"] == []

    @pytest.mark.parametrize(
        "orientation", [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [0.8, 0.6, 0, 0, 0, -1], [0.6, 0, 0.8, 0, 1, 0]]
    )
    @pytest.mark.parametrize("more", [(), ("--rescale",)])
    def test_nifti_equals_simpleitk(self, tmp_path: Path, orientation: list[float], more: tuple[str, ...]) -> None:
        sitk = pytest.importorskip("SimpleITK")
        normal = np.cross(orientation[:3], orientation[3:])
        positions = tuple(
            [float(item) for item in np.array([5.0, -7.0, 11.0]) + 1.5 * index * normal] for index in range(6)
        )
        paths = write_series(tmp_path / "in", 6, ImageOrientationPatient=orientation, ImagePositionPatient=positions)
        decode(tmp_path / "in", tmp_path / "out", "--format", "nifti", *more)
        output = sitk.ReadImage(str(tmp_path / "out" / "1.2.3.4.nii.gz"))
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / "in"))
        assert sorted(names) == sorted(map(str, paths))
        reference = sitk.ReadImage(names)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(output), sitk.GetArrayFromImage(reference))
        np.testing.assert_allclose(output.GetOrigin(), reference.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(output.GetSpacing(), reference.GetSpacing(), rtol=1e-5)
        np.testing.assert_allclose(output.GetDirection(), reference.GetDirection(), atol=1e-5)

    def test_nifti_without_geometry_has_no_form_codes(self, tmp_path: Path) -> None:
        source = Path(get_testdata_file("SC_rgb_small_odd.dcm"))
        decode(source, tmp_path / "out", "--format", "nifti")
        (output,) = (tmp_path / "out").glob("*.nii.gz")
        image = self.nibabel.load(output)
        colours = np.asarray(image.dataobj)
        expected = pydicom.dcmread(source).pixel_array
        for index, name in enumerate("RGB"):
            np.testing.assert_array_equal(colours[name][..., 0].T, expected[..., index])
        assert image.header["sform_code"] == image.header["qform_code"] == 0
        assert json.loads(output.with_name(output.name[:-7] + ".json").read_text())["findings"]

    def test_nifti_of_failed_slices_has_no_gaps(self, tmp_path: Path) -> None:
        paths = write_series(tmp_path / "in", 4, is_jpeg=True)
        truncate_frame(paths[3])
        done = dicoxide_command("decode", tmp_path / "in", "-o", tmp_path / "out", "--format", "nifti")
        assert done.code == 1
        output = tmp_path / "out" / "1.2.3.4.nii.gz"
        image = self.nibabel.load(output)
        np.testing.assert_array_equal(np.asarray(image.dataobj.get_unscaled()).T, decode_by_pydicom(paths[:3]))
        assert len(gzip.decompress(output.read_bytes())) == 352 + 3 * 10 * 12 * 2


@pytest.mark.parametrize("form", ["zarr", "npy", "nifti", "png", "jpeg", "webp", "tiff"])
def test_every_format_writes_a_mixed_folder(tmp_path: Path, form: str) -> None:
    pytest.importorskip({"zarr": "zarr", "npy": "numpy", "nifti": "nibabel"}.get(form, "PIL"))
    for name in ("CT_small.dcm", "MR_small.dcm", "SC_rgb_small_odd.dcm", "liver_1frame.dcm"):
        if (source := get_testdata_file(name, download=False)) is not None:
            shutil.copy(source, tmp_path)
    shutil.copy(EMRI, tmp_path)
    decoded = decode(tmp_path, tmp_path / "out", "--format", form)
    assert {series["status"] for series in decoded["series"]} == {"written"}
    for series in decoded["series"]:
        for output in series["outputs"]:
            assert (tmp_path / "out" / output).exists()


def test_decode_of_enhanced_file_uses_positions_per_frame(tmp_path: Path) -> None:
    (path,) = write_series(tmp_path / "in", 1)
    ds = pydicom.dcmread(path)
    pixels = np.arange(4 * 12 * 10, dtype=np.uint16).reshape(4, 12, 10)
    ds.NumberOfFrames, ds.PixelData = 4, pixels.tobytes()
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(ds, keyword)
    shared, measures, turned = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.75], 3.0
    turned.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [turned]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = []
    for index in range(4):
        group, plane, values = Dataset(), Dataset(), Dataset()
        plane.ImagePositionPatient = [0, 0, 4.0 * index]
        values.RescaleSlope, values.RescaleIntercept = index + 1, -index
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [plane], [values]
        ds.PerFrameFunctionalGroupsSequence.append(group)
    ds.save_as(path)
    decode(path, tmp_path / "out", "--format", "npy", "--rescale")
    sidecar = json.loads((tmp_path / "out" / "1.2.3.4.json").read_text())
    assert sidecar["positions"] == [[0, 0, 4.0 * index] for index in range(4)]
    assert sidecar["RescaleSlope"] == [1, 2, 3, 4]
    assert sidecar["spacing"] == [4.0, 0.5, 0.75]
    assert sidecar["affine_lps"] == [[0.75, 0, 0, 0], [0, 0.5, 0, 0], [0, 0, 4.0, 0], [0, 0, 0, 1]]
    slopes = np.arange(1, 5)[:, None, None]
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "1.2.3.4.npy"), pixels * slopes - (slopes - 1.0))


@pytest.mark.parametrize("form", ["npy", "zarr", "nifti"])
def test_decode_of_slices_with_different_rescale_writes_modality_values(tmp_path: Path, form: str) -> None:
    rescales = [(0.1, 0.0), (1.7, -3.3), (2.0, 100.0)]
    slopes, intercepts = zip(*rescales, strict=True)
    paths = write_series(tmp_path / "in", 3, RescaleSlope=slopes, RescaleIntercept=intercepts)
    decode(tmp_path / "in", tmp_path / "out", "--format", form)
    stored = decode_by_pydicom(paths).astype(np.float64)
    expected = np.stack(
        [pixels * slope + intercept for pixels, (slope, intercept) in zip(stored, rescales, strict=True)]
    )
    array, metadata = read_output(tmp_path / "out", form)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, expected.astype(np.float32))
    assert metadata["values"] == "modality"
    assert metadata["RescaleSlope"] == list(slopes)


@pytest.mark.parametrize("form", ["npy", "zarr", "nifti"])
def test_decode_of_slices_with_and_without_rescale_of_one_writes_stored_values(tmp_path: Path, form: str) -> None:
    paths = write_series(tmp_path / "in", 3, RescaleSlope=(1, None, 1), RescaleIntercept=(0, None, 0))
    decode(tmp_path / "in", tmp_path / "out", "--format", form)
    array, metadata = read_output(tmp_path / "out", form)
    np.testing.assert_array_equal(array, decode_by_pydicom(paths))
    assert array.dtype.kind in "iu"
    assert metadata["values"] == "stored"


def read_output(out: Path, form: str) -> tuple[Any, dict[str, Any]]:
    """Return the only array of an output folder, in the order of its slices, and its metadata."""
    if form == "zarr":
        zarr = pytest.importorskip("zarr")
        array = zarr.open_group(out, mode="r")["1.2.3.4"]
        return array[:], dict(array.attrs)
    metadata = json.loads((out / "1.2.3.4.json").read_text())
    if form == "npy":
        return np.load(out / "1.2.3.4.npy"), metadata
    nibabel = pytest.importorskip("nibabel")
    return np.asarray(nibabel.load(out / "1.2.3.4.nii.gz").dataobj).T, metadata


def test_nifti_of_more_than_32767_frames_is_version_2(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    count = 33000
    samples = np.random.default_rng(0).integers(0, 256, (count, 2, 2)).astype(np.uint8)
    attributes = {"NumberOfFrames": count, "Rows": 2, "Columns": 2, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    dataset = image(**attributes, PixelRepresentation=0)
    dataset.PixelData = samples.tobytes()
    write(dataset, tmp_path / "in.dcm")
    decode(tmp_path / "in.dcm", tmp_path / "out", "--format", "nifti", "--uncompressed")
    output = nibabel.load(tmp_path / "out" / "1.2.3.4.nii")
    assert isinstance(output, nibabel.Nifti2Image)
    np.testing.assert_array_equal(np.asarray(output.dataobj).T, samples)
