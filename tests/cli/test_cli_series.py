"""``dicoxide decode`` writes the volumes of ``read_series``: values, geometry, findings, fourth axes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

import dicoxide
from dicoxide import cli
from support.command_line import dicoxide_command, read_json_lines
from support.real_images import PYDICOM_FILES
from support.synthetic_series import (
    enhanced_object,
    image,
    item,
    position_along_normal,
    repeated_slices,
    slices,
    write,
    write_all,
)

REAL = PYDICOM_FILES / "test_files" / "dicomdirtests"


def decode(source: Path, out: Path, *more: object, code: int = 0) -> None:
    assert cli.main(["decode", str(source), "-o", str(out), *map(str, more)]) == code


def repeated(count: int, times: list[dict[str, Any]], **attributes: Any) -> list[Dataset]:
    """Return slices of several repetitions, each with its own attributes."""
    return [
        image(
            10 * position + index,
            ImagePositionPatient=position_along_normal([1, 0, 0, 0, 1, 0], 2.5 * index),
            InstanceNumber=position * count + index,
            **(attributes | more),
        )
        for position, more in enumerate(times)
        for index in range(count)
    ]


def enhanced_in_time() -> list[Dataset]:
    groups = [
        {
            "PlanePositionSequence": item(ImagePositionPatient=[0, 0, 3.0 * z]),
            "FrameContentSequence": item(TemporalPositionIndex=t + 1),
        }
        for z in range(4)
        for t in range(2)
    ]
    shared = {
        "PlaneOrientationSequence": item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        "PixelMeasuresSequence": item(PixelSpacing=[0.5, 0.75], SliceThickness=3.0),
    }
    return [enhanced_object(groups, shared)]


SERIES: dict[str, Callable[[], list[Dataset]]] = {
    "plain": lambda: slices(5),
    "upside down": lambda: slices(5)[::-1],
    "a gap": lambda: slices(6)[:3] + slices(6)[4:],
    "twice": lambda: slices(4) + slices(4)[:1],
    "sizes": lambda: slices(3) + slices(2, Rows=4),
    "signs": lambda: [*slices(2), image(9, PixelRepresentation=0, ImagePositionPatient=[-10.5, 20.25, 30.0])],
    "no place": lambda: [image(value, ImagePositionPatient=None) for value in (2, 0, 1)],
    "echoes": lambda: repeated(3, [{"EchoTime": 4.6}, {"EchoTime": 2.3}]),
    "times": lambda: repeated(4, [{"TemporalPositionIdentifier": time, "EchoTime": 30} for time in (3, 1, 2)]),
    "b-values": lambda: repeated(2, [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0}]),
    "clock": lambda: repeated(3, [{"AcquisitionTime": "101500"}, {"AcquisitionTime": "101502.5"}]),
    "enhanced": enhanced_in_time,
}


def check(source: Path, out: Path) -> list[dicoxide.Volume]:
    """Check that the outputs in `out` equal `read_series`; return the volumes."""
    volumes = dicoxide.read_series(source)
    result = {
        tuple(sidecar["sources"]): (sidecar, path)
        for path in out.glob("*.json")
        for sidecar in [json.loads(path.read_text())]
    }
    assert len(result) == len(volumes)
    for volume in volumes:
        reported, path = result[tuple(path for path, _ in volume.sources)]
        array = np.load(path.with_suffix(".npy"))
        assert (array.shape, array.dtype) == (volume.shape, volume.dtype)
        np.testing.assert_array_equal(array, volume.array)
        assert reported["affine_lps"] == (None if volume.affine is None else volume.affine.tolist())
        assert volume.spacing is None or reported["spacing"] == list(volume.spacing[::-1])
        assert reported["findings"] == [
            {
                "kind": finding.kind,
                "message": finding.message,
                "slices": list(finding.slices),
                "left_out": [list(frame) for frame in finding.left_out],
            }
            for finding in volume.findings
        ]
        assert (reported["axis"], reported["axis_values"]) == (volume.axis, list(volume.axis_values))
        assert (reported["axis_unit"], reported["part"]) == (volume.axis_unit, [list(pair) for pair in volume.part])
        assert reported["sop_instance_uids"] == volume.sop_instance_uids
        assert reported["axes"] == (["repetition"] if volume.axis else []) + ["slice", "row", "column"]
    return volumes


@pytest.mark.parametrize("name", SERIES)
def test_decode_of_synthetic_series_equals_read_series(tmp_path: Path, name: str) -> None:
    write_all(SERIES[name](), tmp_path / "in")
    decode(tmp_path / "in", tmp_path / "out", "--format", "npy")
    volumes = check(tmp_path / "in", tmp_path / "out")
    if name in ("echoes", "times", "b-values", "clock", "enhanced"):
        assert [volume.array.ndim for volume in volumes] == [4]


@pytest.mark.parametrize("name", ["77654033/CT2", "98892001/CT5N"])
def test_decode_of_real_series_equals_read_series(tmp_path: Path, name: str) -> None:
    decode(REAL / name, tmp_path / "out", "--format", "npy")
    assert check(REAL / name, tmp_path / "out")


@pytest.fixture
def four(tmp_path: Path) -> tuple[Path, list[Path], Any]:
    """Return a folder of three repetitions of four slices, its files, and the volume."""
    datasets = repeated(4, [{"TriggerTime": 20.0 * index} for index in range(3)])
    paths = write_all(datasets, tmp_path / "in")
    (volume,) = dicoxide.read_series(tmp_path / "in")
    assert volume.shape[:2] == (3, 4)
    return tmp_path / "in", paths, volume


@pytest.mark.parametrize(
    ("name", "chunks", "shards"),
    [("whole", (1, 4, 5, 7), None), ("pieces", (1, 1, 5, 7), None), ("shards", (1, 1, 5, 7), (1, 3, 5, 7))],
)
def test_zarr_of_four_axes_has_chunks_and_attributes(
    tmp_path: Path,
    four: tuple[Path, list[Path], Any],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    chunks: Any,
    shards: Any,
) -> None:
    zarr = pytest.importorskip("zarr", minversion="3.1")
    from dicoxide.bulk.runs._formats import _base, _zarr

    folder, _, volume = four
    decode(folder, tmp_path / "whole")
    monkeypatch.setattr(_base, "BLOCK_BYTES", 3 * 70)
    monkeypatch.setattr(_zarr, "_CHUNK_BYTES", 70)
    decode(folder, tmp_path / "pieces", "--uncompressed")
    monkeypatch.setattr(_zarr, "_SHARD_BYTES", 3 * 70)
    monkeypatch.setattr(_zarr, "_MAX_UNSHARDED_CHUNKS", 2)
    decode(folder, tmp_path / "shards")
    array = zarr.open_group(tmp_path / name, mode="r")["1.2.3.4"]
    assert (array.chunks, array.shards) == (chunks, shards)
    np.testing.assert_array_equal(array[:], volume.array)
    assert array.metadata.dimension_names == ("repetition", "slice", "row", "column")
    attributes = (array.attrs["axis"], array.attrs["axis_values"], array.attrs["axis_unit"])
    assert attributes == ("TriggerTime", [0.0, 20.0, 40.0], "ms")


def test_nifti_of_four_axes_has_zooms_and_units(tmp_path: Path, four: tuple[Path, list[Path], Any]) -> None:
    nibabel = pytest.importorskip("nibabel")
    folder, _, volume = four
    decode(folder, tmp_path / "out", "--format", "nifti")
    output = nibabel.load(tmp_path / "out" / "1.2.3.4.nii.gz")
    assert output.shape == (7, 5, 4, 3)
    np.testing.assert_array_equal(np.asarray(output.dataobj).T, volume.array)
    np.testing.assert_allclose(output.affine, np.diag([-1.0, -1, 1, 1]) @ volume.affine)
    assert output.header.get_zooms() == (0.75, 0.5, 2.5, np.float32(0.02))
    assert output.header.get_xyzt_units() == ("mm", "sec")


def test_png_of_four_axes_writes_every_slice(tmp_path: Path, four: tuple[Path, list[Path], Any]) -> None:
    pytest.importorskip("PIL")
    decode(four[0], tmp_path / "out", "--format", "png")
    assert len(list((tmp_path / "out" / "1.2.3.4").glob("*.png"))) == 12


@pytest.mark.parametrize("form", ["npy", "zarr", "nifti", "png"])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_decode_with_failed_slice_omits_its_repetition(
    tmp_path: Path, four: tuple[Path, list[Path], Any], form: str, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip({"zarr": "zarr", "npy": "numpy", "nifti": "nibabel", "png": "PIL"}[form])
    from dicoxide.bulk.runs._formats import _base, _zarr

    # Part of the repetition has been written when its last slice fails.
    monkeypatch.setattr(_base, "BLOCK_BYTES", 2 * 70)
    monkeypatch.setattr(_zarr, "_CHUNK_BYTES", 70)
    folder, paths, volume = four
    broken = paths[4 * failing + 3]
    broken.write_bytes(broken.read_bytes()[:-10])
    decode(folder, tmp_path / "out", "--format", form, code=1)
    (failure,) = read_json_lines(tmp_path / "out" / "errors.jsonl")
    assert (failure["path"], failure["kind"]) == (str(broken), "Truncated")
    expected = np.delete(volume.array, failing, 0)
    if form == "npy":
        array = np.load(tmp_path / "out" / "1.2.3.4.npy")
    elif form == "zarr":
        import zarr

        array = zarr.open_group(tmp_path / "out", mode="r")["1.2.3.4"][:]
    elif form == "nifti":
        import nibabel

        array = np.asarray(nibabel.load(tmp_path / "out" / "1.2.3.4.nii.gz").dataobj).T
    else:
        assert len(list((tmp_path / "out" / "1.2.3.4").glob("*.png"))) == 8
        return
    np.testing.assert_array_equal(array, expected)
    if form == "npy":
        sidecar = json.loads((tmp_path / "out" / "1.2.3.4.json").read_text())
        assert sidecar["axis_values"] == [20.0 * index for index in range(3) if index != failing]
        left_out = f"1 of 3 repetitions have missing slices and are left out: TriggerTime {20 * failing}"
        (finding,) = sidecar["findings"]
        assert (finding["kind"], finding["message"]) == ("missing", left_out)
        # The slices of that repetition, of which only one failed.
        assert len(finding["left_out"]) == 4
        assert [str(broken), 0] in finding["left_out"]
        assert len(sidecar["sources"]) == 8
        assert [missing["path"] for missing in sidecar["missing"]] == [str(broken)]


def test_decode_without_complete_repetition_fails(tmp_path: Path, four: tuple[Path, list[Path], Any]) -> None:
    folder, paths, _ = four
    for broken in paths[1::4]:
        broken.write_bytes(broken.read_bytes()[:-10])
    decode(folder, tmp_path / "out", "--format", "npy", code=1)
    assert len(read_json_lines(tmp_path / "out" / "errors.jsonl")) == 3
    assert not list((tmp_path / "out").glob("1.*"))


def test_read_series_expands_glob_patterns(tmp_path: Path) -> None:
    write_all(slices(3), tmp_path / "in" / "a")
    write_all(slices(2, SeriesInstanceUID="1.2.8"), tmp_path / "in" / "b")
    assert len(dicoxide.read_series(tmp_path / "i*" / "*" / "*.dcm")) == 2
    (volume,) = dicoxide.read_series(f"{tmp_path}/in/[a]")
    assert volume.shape[0] == 3
    with pytest.raises(FileNotFoundError, match="no file matches this pattern"):
        dicoxide.read_series(tmp_path / "*.nothing")


def test_read_series_skips_dicomdir_by_content(tmp_path: Path) -> None:
    shutil.copy(REAL / "DICOMDIR", tmp_path / "index")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    write(image(1), tmp_path / "DICOMDIR")
    volumes = dicoxide.read_series(tmp_path)
    assert [volume.sources[0][0] for volume in volumes] == [str(tmp_path / "DICOMDIR")]
    assert volumes.skipped == {"DICOMDIR": [str(tmp_path / "index")], "dangling link": [str(tmp_path / "nowhere")]}
    assert pydicom.dcmread(tmp_path / "index").file_meta.MediaStorageSOPClassUID.name.startswith("Media Storage")


def test_decode_with_split_by_and_merge_divides_arrays(tmp_path: Path) -> None:
    tags = [{"EchoTime": echo, "ImageType": ["ORIGINAL", kind]} for echo in (3, 5) for kind in "MP"]
    write_all(repeated_slices(3, tags), tmp_path / "in")

    def shapes(*options: object) -> list[list[int]]:
        result = dicoxide_command("decode", tmp_path / "in", "--dry-run", "--json", *options)
        assert result.code == 0, result.err
        return [series["shape"] for series in result.document["series"]]

    assert shapes() == [[2, 3, 5, 7]] * 2
    assert shapes("--split-by", "EchoTime") == [[3, 5, 7]] * 4
    assert shapes("--split-by", "EchoTime", "--merge", "ImageType") == [[2, 3, 5, 7]] * 2
    assert shapes("--merge", "ImageType,EchoTime") == [[4, 3, 5, 7]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split-by", "EchoTmie"], "'EchoTmie' is not the keyword"),
        (["--merge", "EchoTime,Rows"], "differ in Rows"),
        (["--merge", "EchoTime", "--split-by", "EchoTime"], "in both"),
    ],
)
def test_decode_with_invalid_keyword_is_a_usage_error(tmp_path: Path, options: list[str], message: str) -> None:
    result = dicoxide_command("decode", tmp_path, "--dry-run", *options)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
