"""Series with absurd positions, orientations, counts and private elements: findings or errors, and no frame is lost."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import RTDoseStorage

import dicoxide
from support.mosaics import csa_header, siemens_mosaic, stack, uih_grid
from support.series_completeness import incomplete
from support.synthetic_series import enhanced_frames, enhanced_object, image, only_volume, write, write_all

NUMBERS = ("0", "-1", "3", "5", "4096", "4097", "65535", "1e308", "-1e308", "nan", "inf", "")

pytestmark = pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pydicom write values that violate their VR."""
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)


def read(folder: Path) -> list[dicoxide.Volume]:
    """Read a series; check that no frame is lost, and that each affine is finite."""
    assert list(incomplete(folder)) == []
    volumes = dicoxide.read_series(folder, on_error="return")
    for volume in volumes:
        assert volume.affine is None or (np.isfinite(volume.affine).all() and np.linalg.det(volume.affine) != 0)
    return volumes


def positions(*values: Any, **attributes: Any) -> list[Dataset]:
    return [image(index, ImagePositionPatient=[0, 0, value], **attributes) for index, value in enumerate(values)]


SERIES: dict[str, Callable[[], list[Dataset]]] = {
    "positions of 1e308": lambda: positions(0, "1e308", "-1e308"),
    "positions of 1e15": lambda: positions(0, "1e15", "2e15"),
    "positions that are not numbers": lambda: positions(0, "nan", "inf", ""),
    "positions apart by 1e6 spacings": lambda: positions(0, "0.1", "99999"),
    "one position": lambda: [image(3, ImagePositionPatient=[0]), *positions(0, 1)],
    "pixel spacing of 1e-300": lambda: positions(0, 1, 2, PixelSpacing=["1e-300", "1e-300"]),
    "pixel spacing of 1e300": lambda: positions(0, 1, 2, PixelSpacing=["1e300", "1e300"]),
    "pixel spacing below zero": lambda: positions(0, 1, PixelSpacing=["-1", "0"]),
    "slice thickness of 1e308": lambda: positions(0, SliceThickness="1e308"),
    "orientation that is not a number": lambda: positions(0, 1, ImageOrientationPatient=["nan"] * 6),
    "orientation of zeros": lambda: positions(0, 1, ImageOrientationPatient=[0] * 6),
    "orientation of 1e308": lambda: positions(0, 1, ImageOrientationPatient=["1e308"] * 6),
    "parallel orientation": lambda: positions(0, 1, ImageOrientationPatient=[1, 0, 0, 1, 0, 0]),
    "rescale of 1e308": lambda: positions(0, 1, RescaleSlope="1e308", RescaleIntercept="-1e308"),
    "instance number of 1e308": lambda: [
        image(0, InstanceNumber="9" * 12, ImagePositionPatient=None) for _ in range(2)
    ],
}
for keyword in ("EchoTime", "TriggerTime", "AcquisitionTime", "AcquisitionDate"):
    for values in (("1e308", "-1e308"), ("nan", "inf"), ("99999999999999", "1"), ("", "1")):
        SERIES[f"{keyword} {values}"] = lambda keyword=keyword, values=values: [
            image(index, ImagePositionPatient=[0, 0, z], **{keyword: value})
            for index, value in enumerate(values)
            for z in range(2)
        ]


@pytest.mark.parametrize("name", SERIES)
def test_absurd_values_of_slices_lose_no_frame(tmp_path: Path, name: str) -> None:
    datasets = SERIES[name]()
    write_all(datasets, tmp_path)
    volumes = read(tmp_path)
    assert sum(len(volume.sources) for volume in volumes) == len(datasets)


@pytest.mark.parametrize(
    "offsets",
    [
        [0, "1e308", "-1e308"],
        ["nan", 0, 1],
        [0, 0, 0],
        [0, 1],
        [],
        [0, "1e-320", "2e-320"],
        [0, "0.001", "1e5"],
        [2, 1, 0],
    ],
    ids=str,
)
def test_absurd_grid_frame_offsets_lose_no_frame(tmp_path: Path, offsets: list[Any]) -> None:
    dataset = image(0, NumberOfFrames=3, SOPClassUID=RTDoseStorage, Modality="RTDOSE")
    dataset.GridFrameOffsetVector = [str(offset) for offset in offsets]
    write(dataset, tmp_path / "dose")
    assert read(tmp_path)


def with_csa(header: bytes) -> Dataset:
    """Return a mosaic of 4 slices whose layout is only in the CSA header."""
    dataset = siemens_mosaic(stack(4), header=False)
    dataset.private_block(0x29, "SIEMENS CSA HEADER")[0x10].value = header
    return dataset


NORMAL = siemens_mosaic(stack(4)).private_block(0x29, "SIEMENS CSA HEADER")[0x10].value


@pytest.mark.parametrize("number", NUMBERS)
def test_absurd_number_of_images_in_mosaic_is_a_finding(tmp_path: Path, number: str) -> None:
    write(with_csa(csa_header({"NumberOfImagesInMosaic": [number], "SliceNormalVector": ["0"] * 3})), tmp_path / "a")
    volume = only_volume(read(tmp_path))
    assert volume.shape == (1, 8, 12)
    assert (volume.affine, [finding.kind for finding in volume.findings]) == (None, ["mosaic"])


@pytest.mark.parametrize(
    "vector", [["nan"] * 3, ["1e308"] * 3, ["0"] * 3, ["1"], ["x", "y", "z"], ["1e-300", "0", "0"], ["0", "0", "99"]]
)
def test_absurd_slice_normal_vector_is_a_finding(tmp_path: Path, vector: list[str]) -> None:
    write(with_csa(csa_header({"NumberOfImagesInMosaic": ["4"], "SliceNormalVector": vector})), tmp_path / "a")
    volume = only_volume(read(tmp_path))
    assert (volume.affine, [finding.kind for finding in volume.findings]) == (None, ["mosaic"])


HEADERS = {
    "empty": b"",
    "magic only": b"SV10",
    "all ones": b"SV10\4\3\2\1" + b"\xff" * 400,
    "first version of all ones": b"\xff" * 400,
    "many tags": b"SV10\4\3\2\1" + struct.pack("<II", 1024, 77) + bytes(200_000),
    "too many tags": b"SV10\4\3\2\1" + struct.pack("<II", 1 << 31, 77) + bytes(2000),
    "many items": b"SV10\4\3\2\1"
    + struct.pack("<II64si4siii", 1, 77, b"a", 1, b"LO\0\0", 0, 4096, 77)
    + bytes(4096 * 16),
    "too many items": b"SV10\4\3\2\1"
    + struct.pack("<II64si4siii", 1, 77, b"a", 1, b"LO\0\0", 0, 1 << 30, 77)
    + bytes(400),
    "long item": b"SV10\4\3\2\1"
    + struct.pack("<II64si4siii4i", 1, 77, b"a", 1, b"LO\0\0", 0, 1, 77, 1 << 30, 1 << 30, 77, 1 << 30),
}


@pytest.mark.parametrize("name", HEADERS)
def test_absurd_csa_header_is_a_finding(tmp_path: Path, name: str) -> None:
    write(with_csa(HEADERS[name]), tmp_path / "a")
    assert [finding.kind for finding in only_volume(read(tmp_path)).findings] == ["mosaic"]


def test_mutated_csa_headers_lose_no_frame(tmp_path: Path) -> None:
    source = random.Random(4)
    for _ in range(150):
        data = bytearray(NORMAL)
        for _ in range(source.randint(1, 4)):
            data[source.randrange(len(data))] = source.choice((0, 1, 0x7F, 0x80, 0xFF, source.randrange(256)))
        write(with_csa(bytes(data[: source.choice((len(data), source.randrange(len(data)))) // 2 * 2])), tmp_path / "a")
        read(tmp_path)


@pytest.mark.parametrize("number", NUMBERS)
def test_absurd_number_of_slices_in_a_uih_grid_loses_no_frame(tmp_path: Path, number: str) -> None:
    dataset = uih_grid(stack(4))
    dataset.private_block(0x65, "Image Private Header")[0x50].value = number
    write(dataset, tmp_path / "a")
    read(tmp_path)


def test_uih_grid_with_a_slice_without_position_is_one_volume(tmp_path: Path) -> None:
    dataset = uih_grid(stack(4))
    del dataset.private_block(0x65, "Image Private Header")[0x51].value[2].ImagePositionPatient
    write(dataset, tmp_path / "a")
    volume = only_volume(read(tmp_path))
    assert (volume.shape, volume.affine) == ((4, 4, 6), None)


@pytest.mark.parametrize("group_count", [0, 1, 3, 5, 2000])
def test_functional_groups_of_another_number_than_the_frames_lose_no_frame(tmp_path: Path, group_count: int) -> None:
    dataset = enhanced_object(enhanced_frames(4))
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    dataset.PerFrameFunctionalGroupsSequence = (groups * 500)[:group_count]
    write(dataset, tmp_path / "a")
    assert sum(len(volume.sources) for volume in read(tmp_path)) == 4


@pytest.mark.parametrize("number", ["0", "-1", "5", "2147483647", "99999999999", "x", ""])
def test_absurd_number_of_frames_is_an_error_or_loses_no_frame(tmp_path: Path, number: str) -> None:
    dataset = enhanced_object(enhanced_frames(4))
    path = write(dataset, tmp_path / "a")
    data = path.read_bytes()
    text = number.encode() + b" " * (len(number) % 2)
    element = b"\x28\x00\x08\x00IS"
    path.write_bytes(data.replace(element + b"\x02\x004 ", element + struct.pack("<H", len(text)) + text))
    volumes = read(tmp_path)
    assert volumes or [name for name, _ in dicoxide.read_series(tmp_path, on_error="return").errors] == [str(path)]
