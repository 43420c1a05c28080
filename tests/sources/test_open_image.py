"""`open`: lazy images from every source type."""

from __future__ import annotations

import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import dicoxide
from support.real_images import pydicom_files

FILES = {path.name: path for path in pydicom_files()}
VECTORS = Path(__file__).parents[1] / "vectors"
ONE, MANY, COLOUR = FILES["CT_small.dcm"], VECTORS / "emri_small_RLE.dcm", VECTORS / "SC_rgb_expb_2frame.dcm"


def sources(path: Path) -> list[Any]:
    return [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), io.BytesIO(path.read_bytes())]


@pytest.mark.parametrize("path", [ONE, MANY, COLOUR], ids=lambda path: path.name)
def test_open_image_equals_decode_of_the_data_set(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    every = dicoxide.decode(dataset)
    stack = every if int(dataset.get("NumberOfFrames") or 1) > 1 else every[None]
    for src in [*sources(path), dataset]:
        with dicoxide.open(src) as image:
            assert isinstance(image, dicoxide.Image)
            assert (image.shape, image.dtype, image.number_of_frames) == (every.shape, every.dtype, len(stack))
            assert len(image) == len(stack)
            assert image.transfer_syntax == dataset.file_meta.TransferSyntaxUID
            assert np.array_equal(image[0], stack[0])
            assert np.array_equal(image[-1], stack[-1])
            assert np.array_equal(image[0:1], stack[0:1])
            assert np.array_equal(image[::-1], stack[::-1])
            assert np.array_equal(image[[0, -1, 0]], stack[[0, -1, 0]])
            assert image[5:2].shape == (0, *stack.shape[1:])
            assert np.array_equal(np.asarray(image), every)
            assert np.asarray(image, np.float64).dtype == np.float64
            assert all(np.array_equal(a, b) for a, b in zip(image, stack, strict=True))
            if path != COLOUR:
                assert np.array_equal(image.decode(rescale=True), dicoxide.decode(dataset, rescale=True))
            with pytest.raises(IndexError, match="out of range for"):
                image[len(stack)]
            with pytest.raises(ValueError, match="copy=False is not possible"):
                np.asarray(image, copy=False)
            assert "dicoxide.Image" in repr(image)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_open_image_of_colour_rejects_rescale() -> None:
    with dicoxide.open(COLOUR) as image, pytest.raises(ValueError, match="more than one sample"):
        image.decode(rescale=True)


@pytest.mark.parametrize("path", [ONE, MANY], ids=lambda path: path.name)
def test_open_image_attributes_equal_the_data_set(path: Path) -> None:
    dataset = pydicom.dcmread(path)
    for src in (path, dataset):
        attributes = dicoxide.open(src).attributes
        assert attributes["SOPInstanceUID"] == dataset.SOPInstanceUID
        assert attributes["Rows"] == dataset.Rows
        assert type(attributes["SOPInstanceUID"]) is str
        assert "Rows" in attributes
        assert "AcquisitionDuration" not in attributes
        assert attributes.get("NumberOfTemporalPositions", 7) in (7, dataset.get("NumberOfTemporalPositions"))
        with pytest.raises(KeyError, match="NoSuchKeyword"):
            attributes["NoSuchKeyword"]
        assert list(attributes) == [keyword for keyword in attributes if keyword in dataset]
        assert len(attributes) == len(list(attributes))
        some = attributes.get_many(["Rows", "PixelSpacing", "TriggerTime"])
        assert some == {key: attributes[key] for key in ("Rows", "PixelSpacing", "TriggerTime") if key in attributes}


def test_open_image_attributes_include_functional_groups() -> None:
    path = VECTORS / "seg_image_ct_binary.dcm"
    expected = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    groups = dicoxide.open(path).attributes["PerFrameFunctionalGroupsSequence"]
    assert len(groups) == len(expected)
    for decoded, reference in zip(groups, expected, strict=True):
        offset = decoded["PlanePositionSequence"][0]["ImagePositionPatient"]
        assert offset == list(reference.PlanePositionSequence[0].ImagePositionPatient)


def test_to_pydicom_equals_dcmread() -> None:
    for src in sources(ONE)[:4]:
        assert dicoxide.open(src).to_pydicom() == pydicom.dcmread(ONE)
    dataset = pydicom.dcmread(ONE)
    assert dicoxide.open(dataset).to_pydicom() is dataset


@pytest.mark.skipif(dicoxide.backend != "rust", reason="without the extension, pydicom reads files")
def test_closed_image_raises_value_error() -> None:
    with dicoxide.open(ONE) as image:
        first = image[0]
    image.close()
    assert first.shape == (128, 128)
    with pytest.raises(ValueError, match="the image is closed"):
        image[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_files_are_closed_with_the_image(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(ONE.read_bytes())

    def open_files() -> int:
        return sum(os.path.realpath(f"/proc/self/fd/{fd}") == str(path) for fd in os.listdir("/proc/self/fd"))

    image = dicoxide.open(path)
    assert open_files() <= 1
    image.close()
    assert open_files() == 0
    dicoxide.decode(path)
    list(dicoxide.iter_frames(path))
    list(dicoxide.decode_many([path] * 9))
    assert open_files() == 0


def test_open_image_is_usable_by_several_threads() -> None:
    expected = dicoxide.decode(MANY)
    with dicoxide.open(MANY) as image, ThreadPoolExecutor(4) as pool:
        result = list(pool.map(image.__getitem__, [index % len(image) for index in range(60)]))
    assert all(np.array_equal(frame, expected[index % len(expected)]) for index, frame in enumerate(result))


@pytest.mark.parametrize("call", [dicoxide.open, dicoxide.decode, dicoxide.iter_frames], ids=lambda call: call.__name__)
class TestInvalidSources:
    def test_missing_path_raises_file_not_found(self, call: Any, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            call(tmp_path / "none.dcm")
        assert caught.value.filename == str(tmp_path / "none.dcm")

    def test_folder_raises_is_a_directory(self, call: Any, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError):
            call(tmp_path)

    def test_unknown_source_type_raises_type_error(self, call: Any) -> None:
        with pytest.raises(TypeError, match="src must be a path"):
            call(7)
        with pytest.raises(TypeError, match="bytes expected"):
            call(io.StringIO("text"))

    def test_source_without_image_raises_no_image(self, call: Any) -> None:
        with pytest.raises(dicoxide.CorruptFrameError, match="^none found, one of Pixel Data") as caught:
            call(FILES["rtplan.dcm"])
        assert caught.value.kind == "NoImage"

    @pytest.mark.parametrize("src", [b"", b"x", bytes(200)])
    def test_source_other_than_a_dicom_file_raises_not_dicom(self, call: Any, src: Any) -> None:
        with pytest.raises(dicoxide.CorruptFrameError, match="^not a DICOM file") as caught:
            call(src)
        assert caught.value.kind == "NotDicom"


@pytest.mark.skipif(dicoxide.backend != "rust", reason="without the extension, pydicom reads files")
def test_file_source_reads_the_data_set_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from dicoxide._sources import pydicom_reader
    from dicoxide._sources.file import FileSource

    reads = []
    read = pydicom_reader.read
    monkeypatch.setattr(pydicom_reader, "read", lambda src: (reads.append(src), read(src))[1])
    source = FileSource(str(MANY))
    assert source.dataset is source.dataset
    assert reads == [str(MANY)]
