"""`read_series` and series plans: broken sources, limits, and decoding of parts of a plan."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import dicoxide
from dicoxide.bulk import decode_slices, decode_volume, plan_series
from support.synthetic_series import (
    SHARED,
    enhanced_frames,
    enhanced_object,
    image,
    only_volume,
    repeated_slices,
    slice_indices,
    slices,
    write,
    write_all,
)


def test_read_series_with_errors_raises_the_first_in_slice_order(tmp_path: Path) -> None:
    paths = write_all(slices(40), tmp_path)
    for index in (30, 12, 25):
        paths[index].write_bytes(paths[index].read_bytes()[:-10])
    with pytest.raises(dicoxide.TruncatedFrameError) as caught:
        dicoxide.read_series(tmp_path, threads=4)
    assert str(paths[12]) in caught.value.__notes__[0]


def test_read_series_on_error_return_reports_errors_by_slice(tmp_path: Path) -> None:
    paths = write_all(slices(6), tmp_path)
    paths[4].write_bytes(paths[4].read_bytes()[:-10])
    volumes = dicoxide.read_series(tmp_path, on_error="return", rescale=True)
    volume = only_volume(volumes)
    assert list(volume.errors) == [4]
    assert isinstance(volume.errors[4], dicoxide.TruncatedFrameError)
    assert np.isnan(volume.array[4]).all()
    assert np.isfinite(np.delete(volume.array, 4, axis=0)).all()
    (finding,) = volume.findings
    assert (finding.kind, finding.slices) == ("failed", (4,))
    assert str(paths[4]) in finding.message
    assert not only_volume(dicoxide.read_series(tmp_path, on_error="return")).array[4].any()
    skipped = dicoxide.read_series(tmp_path, on_error="skip")
    assert skipped == []
    assert [path for path, _ in skipped.errors] == [str(paths[4])]


def test_read_series_with_corrupt_frame_fails_only_that_frame(tmp_path: Path) -> None:
    path = write(enhanced_object(enhanced_frames(4), SHARED), tmp_path / "a", compress=True)
    dataset = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=4))
    frames[2] = b"\xff" * len(frames[2])
    dataset.PixelData = pydicom.encaps.encapsulate(frames)
    dataset.save_as(path)
    volume = only_volume(dicoxide.read_series(tmp_path, on_error="return"))
    failed = [frame for _, frame in volume.sources].index(2)
    assert list(volume.errors) == [failed]
    assert volume.array.any(axis=(1, 2)).tolist() == [index != failed for index in range(4)]


def test_read_series_with_corrupt_header_raises_with_the_path(tmp_path: Path) -> None:
    paths = write_all(slices(4), tmp_path)
    dataset = pydicom.dcmread(paths[1])
    del dataset.BitsAllocated
    dataset.save_as(paths[1])
    with pytest.raises(dicoxide.CorruptFrameError, match="BitsAllocated") as caught:
        dicoxide.read_series(tmp_path)
    assert str(paths[1]) in caught.value.__notes__[0]
    volumes = dicoxide.read_series(tmp_path, on_error="return")
    assert slice_indices(only_volume(volumes)) == [0, 2, 3]
    assert [path for path, _ in volumes.errors] == [str(paths[1])]
    with pytest.raises(FileNotFoundError):
        dicoxide.read_series(tmp_path / "nowhere")
    with pytest.raises(OSError, match="neither a regular file nor a folder"):
        dicoxide.read_series(os.devnull)


def test_read_series_with_huge_frame_count_raises_corrupt_frame(tmp_path: Path) -> None:
    path = write(image(0), tmp_path / "a", compress=True)
    dataset = pydicom.dcmread(path)
    dataset.NumberOfFrames = 2**31 - 1
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    dataset.save_as(path)
    with pytest.raises(dicoxide.CorruptFrameError):
        dicoxide.read_series(tmp_path)


def test_decode_volume_of_changed_file_raises(tmp_path: Path) -> None:
    paths = write_all(slices(3), tmp_path)
    (plan,) = plan_series(tmp_path)
    write(image(1, Rows=4), paths[1])
    with pytest.raises(dicoxide.CorruptFrameError, match="the file has changed"):
        decode_volume(plan)
    paths[1].unlink()
    with pytest.raises(FileNotFoundError):
        decode_volume(plan)
    volume = decode_volume(plan, on_error="return")
    assert isinstance(volume.errors[1], FileNotFoundError)
    assert volume.attributes["Modality"] == "CT"
    paths[0].unlink()
    volume = decode_volume(plan, on_error="return")
    assert (list(volume.errors), volume.attributes) == ([0, 1], {})


def test_read_series_omits_invalid_attributes(tmp_path: Path) -> None:
    paths = write_all(slices(3), tmp_path)
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"IS\x02\x002 ", b"IS\x02\x00x "))
    volume = only_volume(dicoxide.read_series(tmp_path))
    assert "SeriesNumber" not in volume.attributes
    assert volume.plan.series_number is None
    assert volume.attributes["SeriesDescription"] == "made"


def test_read_series_max_bytes_counts_all_arrays(tmp_path: Path) -> None:
    write_all(slices(3), tmp_path / "a")
    write_all(slices(2, SeriesInstanceUID="1.2.8"), tmp_path / "b")
    needed = 5 * 5 * 7 * 2
    assert len(dicoxide.read_series(tmp_path, max_bytes=needed)) == 2
    with pytest.raises(dicoxide.LimitError, match=f"{needed} bytes"):
        dicoxide.read_series(tmp_path, max_bytes=needed - 1)
    with pytest.raises(dicoxide.LimitError):
        dicoxide.read_series(tmp_path, max_bytes=needed, rescale=True)


def test_decode_slices_of_pickled_plan_equals_the_volume(tmp_path: Path) -> None:
    write_all(repeated_slices(4, [{"EchoTime": 1}, {"EchoTime": 2}]), tmp_path)
    with pytest.raises(ValueError, match="int16 or a wider integer type, not uint8"):
        dicoxide.read_series(tmp_path, dtype="uint8")
    (plan,) = pickle.loads(pickle.dumps(plan_series(tmp_path)))
    whole = decode_volume(plan)
    pieces = [decode_slices(plan, slice(start, start + 3))[0] for start in range(0, 8, 3)]
    np.testing.assert_array_equal(np.concatenate(pieces).reshape(plan.shape), whole.array)
    out = np.empty(plan.shape, np.int32)
    assert decode_volume(plan, out).array is out
    np.testing.assert_array_equal(out, whole.array)
    with pytest.raises(ValueError, match="shape"):
        decode_volume(plan, out[:1])
    with pytest.raises(ValueError, match="step"):
        decode_slices(plan, slice(None, None, 2))
    with pytest.raises(dicoxide.LimitError):
        decode_slices(plan, slice(0, 2), max_bytes=100)


@pytest.mark.parametrize("function", [dicoxide.read_series, plan_series])
def test_series_functions_with_unknown_on_error_raise_value_error(tmp_path: Path, function: Any) -> None:
    with pytest.raises(ValueError, match="on_error"):
        function(tmp_path, on_error="ignore")


def test_kinds_of_findings_are_documented() -> None:
    package = Path(dicoxide.__file__).parent / "bulk" / "series"
    kinds = {kind for path in package.glob("*.py") for kind in re.findall(r'Finding\(\s*"(\w+)"', path.read_text())}
    assert len(kinds) > 15
    assert not [kind for kind in sorted(kinds) if f"``{kind}``" not in (dicoxide.read_series.__doc__ or "")]
