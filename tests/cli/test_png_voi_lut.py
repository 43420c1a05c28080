"""VOI LUT Sequence in PNG output (PS3.3 C.11.2.1.1): descriptors, encodings of the data, clamping, precedence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import dicoxide
from dicoxide.bulk.runs._formats._voi_lut import read_voi_lut
from support.command_line import dicoxide_command

UNSIGNED = (np.arange(20).reshape(4, 5) * 100).astype("<u2")
SIGNED = (np.arange(20).reshape(4, 5) * 100 - 1000).astype("<i2")
RAMP = np.arange(4096)[::-1].astype("<u2")


def lut_item(descriptor: list[int], data: Any, *, vr: str = "US", data_vr: str = "OW") -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, vr, descriptor)
    item.add_new(0x00283006, data_vr, data)
    return item


def write(path: Path, pixels: Any, item: Dataset | None, *, uid: str = ExplicitVRLittleEndian, **more: Any) -> Path:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    ds.SeriesInstanceUID = "1.2.3"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, int(pixels.dtype.kind == "i")
    is_big_endian = uid == ExplicitVRBigEndian
    ds.PixelData = pixels.astype(pixels.dtype.newbyteorder(">" if is_big_endian else "<")).tobytes()
    ds["PixelData"].VR = "OW"
    if item is not None:
        ds.VOILUTSequence = Sequence([item])
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    is_implicit = uid == ImplicitVRLittleEndian
    ds.save_as(path, implicit_vr=is_implicit, little_endian=not is_big_endian, enforce_file_format=True)
    return path


def png(source: Path, folder: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the only image that the command line writes, and its metadata."""
    pillow = pytest.importorskip("PIL.Image")
    done = dicoxide_command("decode", source, "-o", folder, "--format", "png")
    assert done.code == 0, done
    [image] = folder.glob("*/*.png")
    return np.asarray(pillow.open(image)), json.loads((image.parent / "series.json").read_text())


def levels(table: Any, values: Any, first: int, bits: int) -> np.ndarray:
    indices = np.clip(values.astype(int) - first, 0, len(table) - 1)
    return np.rint(np.asarray(table)[indices] / (2**bits - 1) * 255).astype(np.uint8)


def test_png_without_window_applies_the_voi_lut(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", UNSIGNED, lut_item([4096, 0, 12], RAMP.tobytes()))
    image, metadata = png(path, tmp_path / "out")
    np.testing.assert_array_equal(image, levels(RAMP, UNSIGNED, 0, 12))
    assert "voi_lut" not in [finding["kind"] for finding in metadata["findings"]]


@pytest.mark.parametrize(
    ("more", "is_lut"),
    [
        ({"WindowCenter": 1000, "WindowWidth": 500}, False),
        ({"WindowCenter": 1000, "WindowWidth": 0}, True),
        ({"WindowCenter": 1000, "WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"}, False),
    ],
    ids=["window", "invalid-window", "exact-window"],
)
def test_png_with_window_and_voi_lut_uses_the_window_if_it_is_valid(
    tmp_path: Path, more: dict[str, Any], is_lut: bool
) -> None:
    path = write(tmp_path / "a.dcm", UNSIGNED, lut_item([4096, 0, 12], RAMP.tobytes()), **more)
    image, _ = png(path, tmp_path / "out")
    assert np.array_equal(image, levels(RAMP, UNSIGNED, 0, 12)) == is_lut


def test_png_of_monochrome1_inverts_after_the_voi_lut_of_modality_values(tmp_path: Path) -> None:
    more = {"PhotometricInterpretation": "MONOCHROME1", "RescaleSlope": 2, "RescaleIntercept": -1000}
    path = write(tmp_path / "a.dcm", UNSIGNED, lut_item([4096, -1000, 12], RAMP.tobytes(), vr="SS"), **more)
    image, _ = png(path, tmp_path / "out")
    np.testing.assert_array_equal(image, 255 - levels(RAMP, UNSIGNED.astype(int) * 2 - 1000, -1000, 12))


def test_png_with_malformed_voi_lut_reports_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", UNSIGNED, lut_item([4096, 0, 12], RAMP[:100].tobytes()))
    image, metadata = png(path, tmp_path / "out")
    assert (image.min(), image.max()) == (0, 255)
    [message] = [finding["message"] for finding in metadata["findings"] if finding["kind"] == "voi_lut"]
    assert message.startswith("VOI LUT: LUT Data has 200 bytes, at least 8192 expected (PS3.3 C.11.2.1.1): not applied")


UIDS = pytest.mark.parametrize(
    "uid", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda uid: uid.keyword
)


@UIDS
@pytest.mark.parametrize("pixels", [UNSIGNED, SIGNED], ids=["unsigned", "signed"])
def test_read_voi_lut_with_0_entries_has_65536_and_a_first_value_of_the_pixels_sign(
    tmp_path: Path, pixels: Any, uid: str
) -> None:
    table = np.arange(65536).astype("<u2")
    is_signed = pixels.dtype.kind == "i"
    stored = table.astype(">u2") if uid == ExplicitVRBigEndian else table
    item = lut_item([0, -32768 if is_signed else 32768, 16], stored.tobytes(), vr="SS" if is_signed else "US")
    lut = read_voi_lut(str(write(tmp_path / "a.dcm", pixels, item, uid=uid)))
    assert lut is not None
    assert (len(lut.table), lut.first, lut.maximum) == (65536, -32768 if is_signed else 32768, 65535)
    np.testing.assert_array_equal(lut.table, table)


def test_read_voi_lut_first_value_with_the_wrong_vr_has_the_sign_of_the_modality_values(tmp_path: Path) -> None:
    item = lut_item([4096, 65536 - 1000, 12], RAMP.tobytes())
    for index, (pixels, more, first) in enumerate(
        (
            (SIGNED, {}, -1000),
            (UNSIGNED, {"RescaleSlope": 1, "RescaleIntercept": -1024}, -1000),
            (UNSIGNED, {"RescaleSlope": 1, "RescaleIntercept": 0}, 64536),
            (UNSIGNED, {}, 64536),
        )
    ):
        lut = read_voi_lut(str(write(tmp_path / f"{index}.dcm", pixels, item, **more)))
        assert lut is not None
        assert lut.first == first


@UIDS
@pytest.mark.parametrize("encoding", ["packed", "word", "US"])
def test_read_voi_lut_with_8_bit_entries_reads_bytes_words_and_numbers(tmp_path: Path, encoding: str, uid: str) -> None:
    table = np.arange(256)[::-1].astype("u1")
    order = ">" if uid == ExplicitVRBigEndian else "<"
    data: Any = table.astype(f"{order}u2").tobytes()
    if encoding == "packed":
        # Two entries in each word, the first one in the least significant byte.
        data = table.view("<u2").astype(f"{order}u2").tobytes()
    elif encoding == "US":
        data = table.tolist()
    item = lut_item([256, 10, 8], data, data_vr="US" if encoding == "US" else "OW")
    lut = read_voi_lut(str(write(tmp_path / "a.dcm", UNSIGNED, item, uid=uid)))
    assert lut is not None
    np.testing.assert_array_equal(lut.table, table)
    values = np.array([[0.0, 9, 10, 11, 264.6, 265, 5000, -7]])
    np.testing.assert_array_equal(lut.fractions(values) * 255, table[[0, 0, 0, 1, 255, 255, 255, 0]][None])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (lut_item([4096, 0], RAMP.tobytes()), "three numbers expected"),
        (lut_item([4096, 0, 17], RAMP.tobytes()), "17 bits"),
        (lut_item([4096, 0, 0], RAMP.tobytes()), "0 bits"),
        (lut_item([4096, 0, 16], bytes(4096)), "at least 8192 expected"),
        (lut_item([0, 0, 8], bytes(65534)), "at least 65536 expected"),
        (lut_item([2, 0, 8], ["a", "b"], data_vr="LO"), "missing or not a table"),
        (lut_item([2, 0, 8], [0.5, 1.5], data_vr="FD"), "missing or not a table"),
        (lut_item([2, 0, 8], [], data_vr="US"), "missing or not a table"),
    ],
)
def test_read_voi_lut_malformed_raises(tmp_path: Path, item: Dataset, message: str) -> None:
    with pytest.raises(dicoxide.CorruptFrameError, match=message):
        read_voi_lut(str(write(tmp_path / "a.dcm", UNSIGNED, item)))


def test_read_voi_lut_without_or_with_an_empty_sequence_is_none(tmp_path: Path) -> None:
    assert read_voi_lut(str(write(tmp_path / "a.dcm", UNSIGNED, None))) is None
    assert read_voi_lut(str(write(tmp_path / "b.dcm", UNSIGNED, None, VOILUTSequence=Sequence([])))) is None
