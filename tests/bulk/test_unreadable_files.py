"""Files of a series that cannot be read: an error, or a finding of the volumes that they may belong to."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RTDoseStorage,
    UID_dictionary,
)

import dicoxide
from dicoxide.bulk import plan_series
from support.synthetic_series import (
    enhanced_frames,
    enhanced_object,
    finding_kinds,
    image,
    only_volume,
    slices,
    write,
    write_all,
)

COUNT = 4


def series_with(folder: Path, data: bytes, name: str = "003.dcm") -> Path:
    """Write a series whose last slice has the bytes `data`; return the path of that slice."""
    write_all(slices(COUNT)[:-1], folder)
    path = folder / name
    path.write_bytes(data)
    return path


def file_bytes(dataset: pydicom.Dataset, syntax: UID | None = None) -> bytes:
    file = io.BytesIO()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax or pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def last_slice() -> pydicom.Dataset:
    return slices(COUNT)[-1]


def assert_reported(folder: Path, path: Path) -> None:
    """Assert that the unreadable file is an error, and a finding if errors are returned."""
    with pytest.raises((dicoxide.DecodeError, OSError)) as caught:
        dicoxide.read_series(folder)
    assert str(path) in caught.value.__notes__[0]
    for on_error in ("return", "skip"):
        volumes = dicoxide.read_series(folder, on_error=on_error)
        assert [name for name, _ in volumes.errors] == [str(path)]
        volume = only_volume(volumes)
        assert volume.shape[0] == COUNT - 1
        (finding,) = volume.findings
        assert finding.kind == "unreadable_file"
        assert str(path) in finding.message
        assert str(volumes.errors[0][1]) in finding.message


def every_cut() -> list[int]:
    data = file_bytes(last_slice())
    end = data.index(b"\xe0\x7f\x10\x00OW") + 12
    # Each byte near the start and the end of the header, and some between.
    return sorted({*range(0, 160), *range(160, end, 7), *range(end - 24, end)})


def test_read_series_of_a_file_cut_anywhere_in_its_header_reports_it(tmp_path: Path) -> None:
    data = file_bytes(last_slice())
    path = series_with(tmp_path, data)
    for cut in every_cut():
        path.write_bytes(data[:cut])
        plans = plan_series(tmp_path, on_error="return")
        assert [name for name, _ in plans.errors] == [str(path)], cut
        assert [finding.kind for finding in plans[0].findings] == ["unreadable_file"], cut
        with pytest.raises(dicoxide.CorruptFrameError):
            plan_series(tmp_path)


@pytest.mark.parametrize("cut", [4, 100, 200])
def test_read_series_of_a_file_cut_in_its_pixel_data_reports_it(tmp_path: Path, cut: int) -> None:
    # 70 bytes of pixel data: nothing of them, or a part.
    data = file_bytes(last_slice())
    end = data.index(b"\xe0\x7f\x10\x00OW") + 12
    path = series_with(tmp_path, data[: end + cut % 70])
    with pytest.raises(dicoxide.TruncatedFrameError):
        dicoxide.read_series(tmp_path)
    (volume,) = dicoxide.read_series(tmp_path, on_error="return")
    assert finding_kinds(volume) == ["failed"]
    assert str(path) in volume.findings[0].message
    skipped = dicoxide.read_series(tmp_path, on_error="skip")
    assert (skipped, [name for name, _ in skipped.errors]) == ([], [str(path)])


def without(*keywords: str) -> Callable[[], bytes]:
    def make() -> bytes:
        dataset = last_slice()
        for keyword in keywords:
            delattr(dataset, keyword)
        return file_bytes(dataset)

    return make


def implicit_cut() -> bytes:
    data = file_bytes(last_slice(), ImplicitVRLittleEndian)
    return data[: data.index(b"\x28\x00\x10\x00")]


def without_preamble() -> bytes:
    data = file_bytes(last_slice())[132:]
    return data[: data.index(b"\x28\x00\x10\x00US") + 9]


def deflated_cut() -> bytes:
    data = file_bytes(last_slice(), DeflatedExplicitVRLittleEndian)
    return data[: len(data) * 2 // 3]


def long_element() -> bytes:
    """Series Description declares more bytes than the file has, and so contains everything after it."""
    return file_bytes(last_slice()).replace(b"LO\x04\x00made", b"LO\xff\x7fmade")


def sequence_cut() -> bytes:
    dataset = last_slice()
    dataset.ReferencedImageSequence = [pydicom.Dataset()]
    dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5.6.7.8.9"
    dataset["ReferencedImageSequence"].is_undefined_length = True
    data = file_bytes(dataset)
    return data[: data.index(b"1.2.3.4.5.6.7.8.9") + 6]


def fragments_without_item() -> bytes:
    data = file_bytes(last_slice())
    header = data[: data.index(b"\xe0\x7f\x10\x00OW")]
    return header.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.90"[:20]) + b"\xe0\x7f\x10"


DAMAGES = {
    "no pixel data": without("PixelData"),
    "no rows": without("Rows", "PixelData"),
    "no image attributes": without("Rows", "Columns", "BitsAllocated", "PixelData"),
    "no bits allocated": without("BitsAllocated"),
    "implicit VR, cut between elements": implicit_cut,
    "no preamble, cut": without_preamble,
    "deflated, cut": deflated_cut,
    "element longer than the file": long_element,
    "cut in a sequence": sequence_cut,
    "fragments cut": fragments_without_item,
    "empty": lambda: b"",
    "zeros": lambda: bytes(700),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_read_series_with_a_damaged_file_reports_it(tmp_path: Path, damage: str) -> None:
    assert_reported(tmp_path, series_with(tmp_path, DAMAGES[damage]()))


def test_read_series_with_a_damaged_file_that_has_no_series_uid_reports_it_for_the_folder(tmp_path: Path) -> None:
    data = file_bytes(last_slice())
    series_with(tmp_path / "a", data[: data.index(b"\x20\x00\x0d\x00")])
    write_all(slices(3, SeriesInstanceUID="1.2.8"), tmp_path / "b")
    volumes = dicoxide.read_series(tmp_path, on_error="return")
    assert {volume.series_instance_uid: finding_kinds(volume) for volume in volumes} == {
        "1.2.3.4": ["unreadable_file"],
        "1.2.8": [],
    }


def test_read_series_reports_a_damaged_file_in_another_folder_for_its_series(tmp_path: Path) -> None:
    data = file_bytes(last_slice())
    write_all(slices(COUNT)[:-1], tmp_path / "a")
    write_all(slices(3, SeriesInstanceUID="1.2.8"), tmp_path / "b")
    (tmp_path / "b" / "cut").write_bytes(data[: data.index(b"\x28\x00\x10\x00")])
    volumes = dicoxide.read_series(tmp_path, on_error="return")
    assert {volume.series_instance_uid: finding_kinds(volume) for volume in volumes} == {
        "1.2.3.4": ["unreadable_file"],
        "1.2.8": [],
    }


def test_read_series_lists_a_limited_number_of_damaged_files(tmp_path: Path) -> None:
    write_all(slices(3), tmp_path)
    for index in range(20):
        (tmp_path / f"x{index:02}").write_bytes(DAMAGES["no pixel data"]())
    volumes = dicoxide.read_series(tmp_path, on_error="return")
    (finding,) = only_volume(volumes).findings
    assert finding.message.startswith("20 files")
    assert finding.message.endswith("and 12 more")
    assert len(volumes.errors) == 20


STORAGE_CLASSES = {
    name[0]: uid for uid, name in UID_dictionary.items() if name[1] == "SOP Class" and name[0].endswith("Storage")
}


@pytest.mark.parametrize(
    "name", [name for name, uid in STORAGE_CLASSES.items() if "Image Storage" in name and "Presentation" not in name]
)
def test_image_class_without_pixel_data_is_damaged(tmp_path: Path, name: str) -> None:
    dataset = last_slice()
    dataset.SOPClassUID = STORAGE_CLASSES[name]
    del dataset.PixelData, dataset.Rows
    write(dataset, tmp_path / "a")
    assert len(plan_series(tmp_path, on_error="return").errors) == 1


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in STORAGE_CLASSES
        if any(
            word in name for word in ("SR", "Waveform", "Presentation", "Encapsulated", "Plan", "RT Structure", "Raw")
        )
        and "Image Storage" not in name
    ],
)
def test_object_without_pixel_data_by_design_is_no_image(tmp_path: Path, name: str) -> None:
    dataset = last_slice()
    dataset.SOPClassUID = STORAGE_CLASSES[name]
    del dataset.PixelData
    write_all(slices(2), tmp_path)
    path = write(dataset, tmp_path / "a")
    volumes = dicoxide.read_series(tmp_path)
    assert volumes.skipped == {"no image": [str(path)]}
    assert finding_kinds(only_volume(volumes)) == []
    # Cut within an element, it is damaged.
    path.write_bytes(path.read_bytes()[:-1])
    assert [name for name, _ in plan_series(tmp_path, on_error="return").errors] == [str(path)]


def test_dose_without_a_grid_is_no_image(tmp_path: Path) -> None:
    dataset = last_slice()
    dataset.SOPClassUID = RTDoseStorage
    del dataset.PixelData, dataset.Rows, dataset.Columns
    path = write(dataset, tmp_path / "dose")
    assert dicoxide.read_series(tmp_path).skipped == {"no image": [str(path)]}


def test_multi_frame_file_cut_in_its_functional_groups_is_damaged(tmp_path: Path) -> None:
    path = write(enhanced_object(enhanced_frames(4), None, SOPClassUID=MRImageStorage), tmp_path / "a")
    data = path.read_bytes()
    for cut in range(data.index(b"\x00\x52\x30\x92"), data.index(b"\xe0\x7f\x10\x00OW") + 12, 3):
        path.write_bytes(data[:cut])
        assert len(plan_series(tmp_path, on_error="return").errors) == 1, cut


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 7])
def test_report_with_padding_is_no_image(tmp_path: Path, padding: bytes) -> None:
    dataset = image(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    del dataset.PixelData
    path = write(dataset, tmp_path / "report")
    path.write_bytes(path.read_bytes() + padding)
    assert dicoxide.read_series(tmp_path).skipped == {"no image": [str(path)]}


def test_from_series_with_a_damaged_file_reports_it(tmp_path: Path) -> None:
    from dicoxide.dask import from_series

    series_with(tmp_path, DAMAGES["no pixel data"]())
    with pytest.raises(dicoxide.CorruptFrameError):
        from_series(tmp_path)
    volume = only_volume(from_series(tmp_path, on_error="return"))
    assert finding_kinds(volume) == ["unreadable_file"]
    np.testing.assert_array_equal(volume.array.compute()[:, 0, 0] // 100, range(COUNT - 1))
