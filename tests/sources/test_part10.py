"""Files read by the core: attributes and frames are those of pydicom's reading."""

from __future__ import annotations

import io
import os
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import dicoxide
from dicoxide._sources import not_dicom_error, open_source
from dicoxide._sources.attributes import KEYWORDS
from dicoxide._sources.dataset import dataset_source
from dicoxide._sources.pydicom_reader import read
from support.encoders.dataset import dataset, to_bytes
from support.processes import run_script
from support.real_images import pydicom_files, shared_files

FILES = [*pydicom_files(), *shared_files(), *sorted((Path(__file__).parents[1] / "vectors").glob("*.dcm"))]
pytestmark = pytest.mark.skipif(dicoxide.backend != "rust", reason="without the extension, pydicom reads files")


def outcome(work: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return work()
        except (dicoxide.DecodeError, OSError) as error:
            return error


def plain(value: Any) -> Any:
    """Return attributes as values that compare by `==`; errors as their class."""
    if isinstance(value, dicoxide.Attributes):
        return {keyword: plain(outcome(lambda keyword=keyword: value[keyword])) for keyword in value}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return type(value) if isinstance(value, Exception) else value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_open_source_equals_the_data_set_of_pydicom(path: Path) -> None:
    expected = outcome(lambda: dataset_source(read(path)))
    result = outcome(lambda: open_source(path))
    # With `force`, pydicom and dicoxide open every file here; both reject files without an image.
    if isinstance(expected, Exception):
        # A data set does not have the first bytes by which files of other formats are recognised.
        expected = not_dicom_error(expected, path) or expected
        assert type(result) is type(expected), (result, expected)
        assert str(result) == str(expected)
        return
    assert not isinstance(result, Exception), result
    assert (result.spec, result.number_of_frames) == (expected.spec, expected.number_of_frames)
    decoded, reference = plain(result.attributes), plain(expected.attributes)
    assert decoded == reference
    some = result.attributes.get_many(KEYWORDS)
    broken = {keyword for keyword, value in decoded.items() if isinstance(value, type)}
    assert {keyword: plain(value) for keyword, value in some.items()} == {
        keyword: value for keyword, value in decoded.items() if keyword not in broken
    }
    assert set(decoded) <= set(KEYWORDS)
    count = result.number_of_frames or 1
    indices = list(range(count))
    assert outcome(lambda: result.rescales(indices)) == outcome(lambda: expected.rescales(indices))
    assert result.has_modality_lut == expected.has_modality_lut


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_decode_of_file_equals_decode_of_data_set(path: Path) -> None:
    dataset = outcome(lambda: pydicom.dcmread(path, force=True))
    expected = outcome(lambda: dicoxide.decode(dataset, fallback=False))
    for src in (path, path.read_bytes()):
        decoded = outcome(lambda src=src: dicoxide.decode(src, fallback=False))
        if isinstance(expected, Exception):
            assert type(decoded) is type(expected), (decoded, expected)
        else:
            assert decoded.dtype == expected.dtype
            assert np.array_equal(decoded, expected)


def test_decode_of_file_does_not_import_pydicom() -> None:
    path = next(path for path in FILES if path.name == "CT_small.dcm")
    assert run_script("open_without_pydicom", path).stdout.strip() == "False"


CT = next(path for path in FILES if path.name == "CT_small.dcm")
ENHANCED = Path(__file__).parents[1] / "vectors" / "emri_small_RLE.dcm"


def opened(src: Any) -> Any:
    return outcome(lambda: (source := open_source(src), plain(source.attributes), source.rescales([0]))[0])


class TestCorruptFiles:
    @pytest.mark.parametrize("path", [CT, ENHANCED], ids=lambda path: path.name)
    def test_every_prefix_raises_documented_errors(self, path: Path) -> None:
        data = path.read_bytes()
        header = min(len(data), 7000)
        for end in [*range(0, header, 7), *range(header, len(data), 997)]:
            source = opened(data[:end])
            if not isinstance(source, Exception):
                decoded = outcome(lambda source=source: dicoxide._image.Image(source).decode())
                assert isinstance(decoded, dicoxide.TruncatedFrameError), end

    @pytest.mark.parametrize("depth", [10, 1000, 200_000])
    def test_deeply_nested_sequences_need_no_stack(self, depth: int) -> None:
        """A recursive reader would overflow the stack at some depth."""
        data = CT.read_bytes()
        open_ = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
        close = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
        offset = data.index(b"\x10\x00\x10\x00PN")
        nested = data[:offset] + open_ * depth + close * depth + data[offset:]
        assert np.array_equal(dicoxide.decode(nested), dicoxide.decode(CT))
        assert isinstance(opened(data[:offset] + open_ * depth), dicoxide.TruncatedFrameError)
        attributes = dicoxide.open(nested).attributes
        assert attributes["PatientID"] == dicoxide.open(CT).attributes["PatientID"]

    @pytest.mark.parametrize("length", [b"\xf0\xff\xff\xff", b"\xfe\xff\xff\xff", b"\x00\x00\x00\x80"])
    def test_lengths_beyond_the_file_allocate_nothing(self, length: bytes) -> None:
        data = CT.read_bytes()
        offset = data.index(b"\xe0\x7f\x10\x00OW")
        result = opened(data[: offset + 8] + length + data[offset + 12 :])
        error = outcome(lambda: dicoxide._image.Image(result).decode())
        # The value consists of the bytes that are present, as in pydicom.
        assert isinstance(error, np.ndarray)
        before = opened(data[:offset] + b"\x09\x00\x01\x10OB\0\0" + length + data[offset:])
        assert isinstance(before, dicoxide.CorruptFrameError)

    def test_deflated_bomb_raises_limit_error(self) -> None:
        path = next(path for path in FILES if path.name == "image_dfl.dcm")
        data = path.read_bytes()
        offset = data.index(b"1.2.840.10008.1.2.1.99") + 22
        bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
        many = data[:offset] + bomb.compress(bytes(200 << 20)) + bomb.flush()
        assert len(many) < 1 << 20
        with pytest.raises(dicoxide.LimitError):
            dicoxide.decode(many, max_bytes=1 << 20)
        assert dicoxide.decode(data, max_bytes=4 << 20).shape == dicoxide.decode(data).shape

    def test_file_truncated_while_open_raises_truncated(self, tmp_path: Path) -> None:
        path = tmp_path / "shrinks.dcm"
        path.write_bytes(CT.read_bytes())
        with dicoxide.open(path) as image:
            assert image.number_of_frames == 1
            os.truncate(path, 30_000)
            with pytest.raises(dicoxide.TruncatedFrameError, match="bytes found"):
                image.decode()

    @pytest.mark.parametrize("seed", range(4))
    def test_mutated_headers_equal_pydicom_or_raise(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        base = [path.read_bytes() for path in FILES if path.name in MUTATED]
        agreed = 0
        for _ in range(250):
            data = bytearray(base[random.integers(len(base))][:40_000])
            for _ in range(random.integers(1, 4)):
                data[random.integers(min(len(data), 5000))] = random.integers(256)
            result = opened(bytes(data))
            expected = outcome(lambda data=data: dataset_source(read(bytes(data))))
            if isinstance(result, Exception) or isinstance(expected, Exception):
                continue
            # Undecodable text is represented differently.
            decoded, reference = result.spec, expected.spec
            same = {"transfer_syntax": "", "photometric_interpretation": ""}
            assert decoded._replace(**same) == reference._replace(**same)
            agreed += 1
        assert agreed > 50


MUTATED = {"CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "emri_small_RLE.dcm", "rtdose.dcm"}


@pytest.fixture(scope="module", params=["native", "encapsulated"])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sparse file of 2 GB."""
    path = tmp_path_factory.mktemp("large") / f"{request.param}.dcm"
    side, count = 512, 4096
    ds = pydicom.dcmread(CT)
    ds.pop("DataSetTrailingPadding", None)
    ds.Rows = ds.Columns = side
    ds.NumberOfFrames = count
    frame = np.arange(side * side, dtype=np.uint16).reshape(side, side)
    value = frame.tobytes()
    if request.param == "native":
        ds["PixelData"].VR = "OW"
        ds.PixelData = b""
        size = len(value) * count
        starts = [index * len(value) for index in range(count)]
    else:
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.98"
        ds.PixelData = pydicom.encaps.encapsulate([b"\0\0"])
        ds["PixelData"].is_undefined_length = True
        size = 0
        starts = [8 + 4 * count + 8 + index * (8 + len(value)) for index in range(count)]
    head = path.with_suffix(".head")
    ds.save_as(head, enforce_file_format=True)
    header = head.read_bytes()
    offset = header.rindex(b"\xe0\x7f\x10\x00") + 12
    with path.open("wb") as file:
        if request.param == "native":
            file.write(header[: offset - 4] + size.to_bytes(4, "little"))
        else:
            offsets = np.arange(count, dtype="<u4") * (8 + len(value))
            file.write(header[:offset] + b"\xfe\xff\x00\xe0" + (4 * count).to_bytes(4, "little") + offsets.tobytes())
            for start in starts:
                file.seek(offset + start - 8)
                file.write(b"\xfe\xff\x00\xe0" + len(value).to_bytes(4, "little"))
        file.seek(offset + starts[2900])
        file.write(value)
        file.truncate(offset + starts[-1] + len(value))
    if os.stat(path).st_blocks * 512 > 1 << 30:
        pytest.skip("the file system has no sparse files")
    return path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_decode_of_one_frame_of_a_large_file_needs_little_memory(large: Path) -> None:
    *values, growth_mib = run_script("decode_one_frame_peak_memory", large, 2900).stdout.split()
    assert values == ["512", "512", str(3 * 512 + 5), "True"]
    assert float(growth_mib) < 20


def small_image() -> pydicom.Dataset:
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    return ds


def test_native_value_of_undefined_length_ends_at_its_delimiter(tmp_path: Path) -> None:
    ds = small_image()
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 2, 2
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = b"\1\2\3\4"
    ds["PixelData"].VR = "OW"
    path = tmp_path / "x.dcm"
    ds.save_as(path, enforce_file_format=True)
    head = path.read_bytes()[:-8]
    data = head + b"\xff\xff\xff\xff\1\2\3\4\xfe\xff\xdd\xe0\0\0\0\0\xfc\xff\xfc\xffOB\0\0\2\0\0\0\0\0"
    path.write_bytes(data)
    expected = dicoxide.decode(read(path))
    assert expected.tolist() == [[1, 2], [3, 4]]
    for src in (path, data):
        np.testing.assert_array_equal(dicoxide.decode(src), expected)
        np.testing.assert_array_equal(dicoxide.decode(src, copy=False), expected)
    with pytest.raises(dicoxide.TruncatedFrameError):
        dicoxide.decode(head + b"\xff\xff\xff\xff\1\2\3\4")


def test_leading_space_in_photometric_interpretation_is_kept(tmp_path: Path) -> None:
    ds = small_image()
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 3, " YBR_FULL", 2, 2
    ds.PlanarConfiguration = 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = bytes(range(100, 112))
    ds["PixelData"].VR = "OW"
    path = tmp_path / "x.dcm"
    ds.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(dicoxide.decode(path), dicoxide.decode(read(path)))


def test_rescale_of_many_frames_reads_functional_groups_once(tmp_path: Path) -> None:
    count = 3000
    ds = small_image()
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 1, 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.NumberOfFrames = count
    groups = []
    for index in range(count):
        transformation, group = pydicom.Dataset(), pydicom.Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = 1, index
        group.PixelValueTransformationSequence = [transformation]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    ds.PixelData = bytes(2 * count)
    ds["PixelData"].VR = "OW"
    path = tmp_path / "x.dcm"
    ds.save_as(path, enforce_file_format=True)
    source = open_source(path)
    # In quadratic time this would exceed the timeout.
    assert [source.rescales([index]) for index in range(count)] == [[(1.0, float(index))] for index in range(count)]


@pytest.mark.parametrize("value", [b"\x1b$B;3ED ", b" a \\b =", b"A^B=C= ", b"\x1b$B;3ED\x1b(B^x=\x1b$B!!"])
def test_person_name_padding_equals_pydicom(tmp_path: Path, value: bytes) -> None:
    ds = small_image()
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.add(pydicom.DataElement(0x00100010, "UN", value + b" " * (len(value) % 2)))
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 1, 2
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = b"\1\2"
    path = tmp_path / "x.dcm"
    ds.save_as(path, enforce_file_format=True)
    data = path.read_bytes()
    expected = dataset_source(read(data)).attributes["PatientName"]
    assert open_source(data).attributes["PatientName"] == expected


def test_pydicom_os_error_on_corrupt_bytes_raises_corrupt_frame(tmp_path: Path) -> None:
    # The first item of a sequence ends early: pydicom raises OSError.
    data = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0"
    with pytest.raises(OSError, match="No tag to read"):
        pydicom.dcmread(io.BytesIO(data), force=True)
    with pytest.raises(dicoxide.CorruptFrameError, match="No tag to read"):
        read(data)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.dcm")


def test_unknown_character_set_keeps_ascii_text() -> None:
    # Python has no codec with NUL in its name; ASCII text is equal in every character set.
    whole = to_bytes(dataset(np.zeros((2, 2), np.uint8)))
    offset = whole.index(b"\x28\x00\x02\x00US")
    text = b"\x08\x00\x05\x00CS\x06\x00AB\0CDE" + b"\x10\x00\x20\x00LO\x04\x00ID 1"
    attributes = open_source(whole[:offset] + text + whole[offset:]).attributes
    assert attributes["PatientID"] == dict(attributes)["PatientID"] == "ID 1"
