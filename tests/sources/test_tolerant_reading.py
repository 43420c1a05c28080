"""Files with recoverable violations of PS3.5 decode with a deviation; other errors name the element."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, JPEGLossless, RLELossless

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning, UnsupportedError
from dicoxide._backend import backend
from support.encoders.dataset import ENCAPSULATED_UNCOMPRESSED, dataset, to_bytes
from support.encoders.encapsulate import encapsulate

RAMP = (np.arange(20).reshape(4, 5) * 3 + 7).astype("<u2")
RGB = np.random.default_rng(5).integers(0, 256, (4, 6, 3), np.uint8)
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HHL", 0xFFFE, tag, 0) for tag in (0xE000, 0xE00D, 0xE0DD))
OPEN_ITEM = ITEM[:4] + b"\xff" * 4
NUMBER = bytes.fromhex("18001260") + b"US\2\0\1\0"
files_by_core = pytest.mark.skipif(backend != "rust", reason="pydicom reads files for the NumPy backend")


def insert(data: bytes, element: bytes, before: int = 0x00280002) -> bytes:
    """Return the file with an element before the one of tag `before`."""
    start = data.index(struct.pack("<HH", before >> 16, before & 0xFFFF))
    return data[:start] + element + data[start:]


def decode_with_warnings(src: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoded = dicoxide.decode(src)
    return decoded, [str(warning.message) for warning in caught if warning.category is NonConformantWarning]


def assert_deviation(data: Any, expected: np.ndarray[Any, Any], message: str) -> None:
    decoded, found = decode_with_warnings(data)
    assert np.array_equal(decoded, expected)
    assert len(found) == 1
    assert message in found[0]
    with pytest.raises(CorruptFrameError, match=r"\(PS3"):
        dicoxide.decode(data, strict=True)


# PS3.5 6.2: a VR is two upper case letters of the table.
@files_by_core
@pytest.mark.parametrize("vr", [b"  ", b"??", b"\0\0", b"us", b"lo", b"\xff\xfe", b"1A"])
@pytest.mark.parametrize("value", [b"", b"abcd", b"x" * 300])
def test_element_of_invalid_vr_is_skipped_with_a_deviation(vr: bytes, value: bytes) -> None:
    for layout in ("short", "long"):
        length = struct.pack("<H", len(value)) if layout == "short" else struct.pack("<HL", 0, len(value))
        element = struct.pack("<HH", 0x27, 0x1001) + vr + length + value
        data = insert(to_bytes(dataset(RAMP)), element)
        decoded, found = decode_with_warnings(data)
        assert np.array_equal(decoded, RAMP)
        if value:
            assert len(found) == 1
            assert "element (0027,1001) has invalid VR" in found[0]


@files_by_core
def test_several_elements_of_invalid_vr_are_reported_once() -> None:
    elements = b"".join(struct.pack("<HH", 0x27, 0x1001 + index) + b"  \4\0abcd" for index in range(3))
    assert_deviation(insert(to_bytes(dataset(RAMP)), elements), RAMP, "element (0027,1001) has invalid VR '  '")


@files_by_core
@pytest.mark.parametrize("vr", [b"  ", b"??", b"lo"])
@pytest.mark.parametrize("padding", [0, 300_000])
def test_elements_of_the_same_invalid_vr_in_several_groups(vr: bytes, padding: int) -> None:
    # With the padding, the bytes of VR and length as a length of 32 bits end within the file.
    elements = b"".join(struct.pack("<HH", group, 0x1001) + vr + b"\4\0abcd" for group in (0x11, 0x13, 0x15, 0x17))
    data = (
        insert(to_bytes(dataset(RAMP)), elements)
        + b"\xfc\xff\xfc\xffOB\0\0"
        + struct.pack("<L", padding)
        + bytes(padding)
    )
    assert_deviation(data, RAMP, f"element (0011,1001) has invalid VR '{vr.decode()}'")


@files_by_core
@pytest.mark.parametrize("keyword", ["Rows", "BitsAllocated", "SamplesPerPixel"])
def test_image_attribute_of_lower_case_vr_has_that_of_the_dictionary(keyword: str) -> None:
    tag = pydicom.datadict.tag_for_keyword(keyword)
    assert tag is not None
    start = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    data = to_bytes(dataset(RAMP)).replace(start + b"US", start + b"us")
    assert_deviation(data, RAMP, "has invalid VR 'us'")


@files_by_core
def test_first_element_of_invalid_vr_is_explicit_vr() -> None:
    data = to_bytes(dataset(RAMP))
    start = data.index(b"\x08\0\x16\0UI")
    assert_deviation(data[: start + 4] + b"ui" + data[start + 6 :], RAMP, "element (0008,0016) has invalid VR 'ui'")


@files_by_core
def test_element_of_invalid_vr_without_plausible_length_is_named() -> None:
    data = insert(to_bytes(dataset(RAMP)), struct.pack("<HH", 0x27, 0x1001) + b"??\x07\x7f" + b"abcd")
    with pytest.raises(CorruptFrameError, match=r"element \(0027,1001\) .* invalid VR '\?\?' and no plausible length"):
        dicoxide.decode(data)


# PS3.5 7.5: items end with (FFFE,E00D), sequences with (FFFE,E0DD).
SWAPPED = {
    "sequence delimiter for the item's": OPEN_ITEM + NUMBER + SEQUENCE_END + SEQUENCE_END,
    "item delimiter for the sequence's": OPEN_ITEM + NUMBER + ITEM_END + ITEM_END,
    "both swapped": OPEN_ITEM + NUMBER + SEQUENCE_END + ITEM_END,
    "in the first of two items": OPEN_ITEM + NUMBER + SEQUENCE_END + OPEN_ITEM + NUMBER + ITEM_END + SEQUENCE_END,
    "item delimiter missing": OPEN_ITEM + NUMBER + SEQUENCE_END,
}


@files_by_core
@pytest.mark.parametrize("content", SWAPPED.values(), ids=SWAPPED)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_swapped_delimiters_are_deviations(content: bytes, depth: int) -> None:
    header = bytes.fromhex("18001160") + b"SQ\0\0" + b"\xff" * 4
    element = header + content
    for _ in range(depth):
        element = header + OPEN_ITEM + element + ITEM_END + SEQUENCE_END
    assert_deviation(insert(to_bytes(dataset(RAMP)), element), RAMP, "delimiter (FFFE,E0")


# PS3.5 A.4: the value ends with a Sequence Delimitation Item.
ENDS: dict[str, tuple[bytes, str]] = {
    "missing": (b"", "sequence delimiter (FFFE,E0DD) is missing"),
    "two zeros": (bytes(2), "sequence delimiter (FFFE,E0DD) is missing"),
    "8 zeros": (bytes(8), "zero bytes found"),
    "10 zeros": (bytes(10), "zero bytes found"),
    "64 zeros": (bytes(64), "zero bytes found"),
    "10000 zeros": (bytes(10000), "zero bytes found"),
    "item delimiter": (ITEM_END, "item delimiter (FFFE,E00D) found"),
    "trailing padding": (b"\xfc\xff\xfc\xffOB\0\0\4\0\0\0\0\0\0\0", "sequence delimiter (FFFE,E0DD) is missing"),
}


@files_by_core
@pytest.mark.parametrize(("end", "message"), ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("table", ["none", "basic", "extended"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLossless])
def test_other_end_of_the_fragments_is_a_deviation(end: bytes, message: str, table: str, syntax: str) -> None:
    frames = np.stack([RAMP, RAMP + 1])
    data = to_bytes(dataset(frames, syntax, table=table))
    assert data.endswith(SEQUENCE_END)
    assert_deviation(data[:-8] + end, frames, message)


@files_by_core
def test_zeros_before_other_bytes_do_not_end_the_fragments() -> None:
    data = to_bytes(dataset(RAMP, RLELossless))
    with pytest.raises(CorruptFrameError, match=r"tag \(0000,0000\) found, item"):
        dicoxide.decode(data[:-8] + bytes(16) + b"\1" + SEQUENCE_END)


def test_zeros_at_the_end_of_a_value_are_a_deviation() -> None:
    for table in ("none", "basic", "extended"):
        ds = dataset(RAMP, RLELossless, table=table)
        ds.PixelData += bytes(24)
        assert_deviation(ds, RAMP, "zero bytes found")


def with_defined_length(data: bytes) -> bytes:
    start = data.index(b"\xe0\x7f\x10\0")
    value = data[start + 12 :]
    return data[: start + 8] + struct.pack("<L", len(value)) + value


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLossless])
def test_encapsulated_value_of_defined_length_is_a_deviation(syntax: str) -> None:
    if backend != "rust" and syntax == JPEGLossless:
        pytest.skip("not decoded")
    data = with_defined_length(to_bytes(dataset(RAMP, syntax)))
    assert_deviation(data, RAMP, "encapsulated pixel data of defined length found")


def sources(ds: Dataset, syntax: str) -> list[Any]:
    """Return the file with another transfer syntax UID, and its Dataset."""
    data = to_bytes(ds)
    old = str(ds.file_meta.TransferSyntaxUID).encode()
    new = syntax.encode()
    old, new = (uid + b"\0" * (len(uid) % 2) for uid in (old, new))
    start = data.index(old) - 2
    changed = data[:start] + struct.pack("<H", len(new)) + new + data[start + 2 + len(old) :]
    changed = (
        changed[:140] + struct.pack("<L", struct.unpack_from("<L", data, 140)[0] + len(new) - len(old)) + changed[144:]
    )
    return [changed, pydicom.dcmread(__import__("io").BytesIO(changed))]


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLossless, "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"])
@pytest.mark.parametrize(
    "samples", [RAMP, RAMP.astype("u1"), np.stack([RAMP, RAMP]), RGB], ids=["16", "8", "two", "rgb"]
)
def test_native_samples_under_encapsulated_syntax_decode_with_a_deviation(syntax: str, samples: Any) -> None:
    ds = dataset(samples, samples_per_pixel=3 if samples is RGB else 1)
    for src in sources(ds, syntax):
        assert_deviation(src, samples, "native samples found, encapsulated pixel data expected of transfer syntax")


def test_native_samples_under_encapsulated_syntax_of_other_length_raise() -> None:
    ds = dataset(RAMP)
    ds.PixelData += bytes(16)
    for src in sources(ds, RLELossless):
        with pytest.raises(CorruptFrameError, match="56 bytes without items found: not encapsulated") as caught:
            dicoxide.decode(src)
        assert caught.value.kind == "Mismatch"


# PS3.3 C.7.6.3.1.3
def test_colour_without_planar_configuration_decodes() -> None:
    for syntax in (RLELossless, JPEGLossless):
        if backend != "rust" and syntax == JPEGLossless:
            continue
        ds = dataset(RGB, syntax, samples_per_pixel=3)
        del ds.PlanarConfiguration
        for src in (ds, to_bytes(ds)):
            decoded, found = decode_with_warnings(src)
            assert np.array_equal(decoded, RGB)
            assert found == []
    for syntax in (ImplicitVRLittleEndian, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.98"):
        ds = dataset(RGB, syntax, samples_per_pixel=3)
        del ds.PlanarConfiguration
        for src in (ds, to_bytes(ds)):
            assert_deviation(src, RGB, "planar configuration is missing, taken as 0")


def without(*keywords: str) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        for keyword in keywords:
            delattr(ds, keyword)

    return change


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (("Rows",), "Rows is missing (PS3.3 C.7.6.3)"),
        (("Rows", "BitsStored"), "Rows is missing, BitsStored is missing (PS3.3"),
        (
            ("PhotometricInterpretation", "Columns", "PixelRepresentation"),
            "PhotometricInterpretation is missing, Columns is missing, PixelRepresentation is missing (PS3.3",
        ),
    ],
)
def test_missing_attributes_are_named_in_one_message(keywords: tuple[str, ...], message: str) -> None:
    ds = dataset(RAMP)
    data_set_without = without(*keywords)
    data_set_without(ds)
    for src in (ds, to_bytes(ds)):
        with pytest.raises(CorruptFrameError) as caught:
            dicoxide.decode(src)
        assert str(caught.value).startswith(message)
        assert caught.value.kind == "Mismatch"


def test_missing_and_wrong_attributes_are_named_in_one_message() -> None:
    ds = dataset(RAMP)
    del ds.Rows
    ds["Columns"].VR = "LO"
    ds.Columns = "wide"
    for src in (ds, to_bytes(ds)):
        with pytest.raises(CorruptFrameError, match="Rows is missing, Columns is 'wide', a number expected"):
            dicoxide.decode(src)


# PS3.3 C.7.6.3.1.2: YBR_PARTIAL_422 has 2 samples per pixel, YBR_PARTIAL_420 has 1.5.
@pytest.mark.parametrize(("term", "value_bytes"), [("YBR_PARTIAL_422", 48), ("YBR_PARTIAL_420", 36)])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("is_encapsulated", [False, True], ids=["native", "encapsulated"])
def test_subsampled_native_ybr_partial_is_unsupported(
    term: str, value_bytes: int, frames: int, is_encapsulated: bool
) -> None:
    ds = dataset(RGB, samples_per_pixel=3, photometric_interpretation=term)
    ds.NumberOfFrames = frames
    ds.PixelData = bytes(value_bytes * frames)
    if is_encapsulated:
        ds.file_meta.TransferSyntaxUID = ENCAPSULATED_UNCOMPRESSED
        ds.PixelData = encapsulate([bytes(value_bytes)] * frames).value
        ds["PixelData"].is_undefined_length = True
    for src in (ds, to_bytes(ds)):
        with pytest.raises(UnsupportedError, match="YBR_PARTIAL"):
            dicoxide.decode(src)


# PS3.3 C.7.6.16.2.9: the item of a sequence of defined length is read when the rescale is requested.
@files_by_core
def test_invalid_vr_in_functional_groups_is_reported_with_the_rescale() -> None:
    transformation, group = Dataset(), Dataset()
    transformation.RescaleIntercept, transformation.RescaleSlope = 3, 2
    group.PixelValueTransformationSequence = [transformation]
    ds = dataset(RAMP)
    ds.SharedFunctionalGroupsSequence = [group]
    data = to_bytes(ds).replace(b"\x28\0\x52\x10DS", b"\x28\0\x52\x10ds")
    assert decode_with_warnings(data)[1] == []
    with pytest.warns(NonConformantWarning, match=r"element \(0028,1052\) has invalid VR 'ds'"):
        decoded = dicoxide.decode(data, rescale=True)
    assert np.array_equal(decoded, RAMP * np.float32(2) + 3)
    with pytest.raises(CorruptFrameError, match="invalid VR"):
        dicoxide.decode(data, rescale=True, strict=True)
    with pytest.warns(NonConformantWarning, match="invalid VR 'ds'"):
        [(_, array)] = dicoxide.decode_many([data], rescale=True)
    assert np.array_equal(array, decoded)


# PS3.3 C.7.6.3: one message names all attributes that are out of range.
def test_all_attributes_out_of_range_are_named() -> None:
    ds = dataset(RAMP)
    ds.Rows, ds.PixelRepresentation, ds.BitsStored = 0, 2, 17
    message = (
        f"pixel representation 2 found, 0 or 1 expected; rows 0 and columns {ds.Columns} found, 1 to 65535 expected; "
        "bits stored 17 found, 1 to bits allocated 16 expected"
    )
    for src in (ds, to_bytes(ds)):
        with pytest.raises(CorruptFrameError) as error:
            dicoxide.decode(src)
        assert message in str(error.value)
