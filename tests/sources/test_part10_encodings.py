"""Encodings that few writers use, made by hand: read as the standard says, and as pydicom reads them."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom.datadict import tag_for_keyword

import dicoxide
from dicoxide._sources import open_source
from dicoxide._sources.dataset import dataset_source
from dicoxide._sources.pydicom_reader import read

pytestmark = pytest.mark.skipif(
    dicoxide.backend != "rust", reason="pydicom reads files where the extension is not there"
)

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
LONG = {"OB", "OF", "OW", "SQ", "UN", "UT"}
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class Writer:
    """Elements of one encoding."""

    def __init__(self, is_implicit: bool = False, order: str = "<") -> None:
        self.is_implicit, self.order = is_implicit, order

    def tag(self, tag: int) -> bytes:
        return struct.pack(f"{self.order}HH", tag >> 16, tag & 0xFFFF)

    def element(self, tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
        length = len(value) if length is None else length
        if self.is_implicit:
            return self.tag(tag) + struct.pack(f"{self.order}L", length) + value
        if vr in LONG:
            return self.tag(tag) + vr.encode() + b"\0\0" + struct.pack(f"{self.order}L", length) + value
        return self.tag(tag) + vr.encode() + struct.pack(f"{self.order}H", length) + value

    def bare(self, tag: int, length: int, value: bytes = b"") -> bytes:
        """An item, or a delimiter."""
        return self.tag(tag) + struct.pack(f"{self.order}L", length) + value

    def item(self, value: bytes, *, undefined: bool = False) -> bytes:
        if undefined:
            return self.bare(ITEM, UNDEFINED, value) + self.bare(ITEM_END, 0)
        return self.bare(ITEM, len(value), value)

    def end(self) -> bytes:
        return self.bare(SEQUENCE_END, 0)

    def us(self, tag: int, value: int) -> bytes:
        return self.element(tag, "US", struct.pack(f"{self.order}H", value))

    def pixels(self) -> bytes:
        """Image Pixel attributes and pixel data of 2 × 3 samples."""
        head = self.us(0x00280002, 1) + self.element(0x00280004, "CS", b"MONOCHROME2 ")
        head += self.us(0x00280010, 2) + self.us(0x00280011, 3)
        head += self.us(0x00280100, 16) + self.us(0x00280101, 16) + self.us(0x00280102, 15) + self.us(0x00280103, 0)
        return head + self.element(0x7FE00010, "OW", struct.pack(f"{self.order}6H", *range(1, 7)))


def part10(uid: str, body: bytes) -> bytes:
    padded = uid.encode() + b"\0" * (len(uid) % 2)
    return bytes(128) + b"DICM" + Writer().element(0x00020010, "UI", padded) + body


EX, IM, BE = Writer(), Writer(is_implicit=True), Writer(order=">")

CASES: dict[str, Callable[[], bytes]] = {
    "implicit": lambda: part10(IMPLICIT, IM.pixels()),
    "big endian": lambda: part10(BIG, BE.pixels()),
    "no preamble, explicit": EX.pixels,
    "no preamble, implicit": lambda: IM.element(0x00080060, "CS", b"CT") + IM.pixels(),
    "no preamble, big endian": lambda: BE.element(0x00080060, "CS", b"CT") + BE.pixels(),
    "a command set before": lambda: part10(EXPLICIT, IM.element(0x00000100, "US", b"\1\0") + EX.pixels()),
    "implicit VR declared as explicit": lambda: part10(EXPLICIT, IM.element(0x00080060, "CS", b"CT") + IM.pixels()),
    "explicit VR declared as implicit": lambda: part10(IMPLICIT, EX.element(0x00080060, "CS", b"CT") + EX.pixels()),
    "no transfer syntax": lambda: bytes(128) + b"DICM" + EX.element(0x00020002, "UI", b"1.2\0") + EX.pixels(),
    "an unknown transfer syntax": lambda: part10("1.2.3.4.5", EX.pixels()),
    "a sequence of undefined length, items of both kinds": lambda: part10(
        EXPLICIT,
        EX.element(
            0x00081140,
            "SQ",
            EX.item(EX.element(0x00081150, "UI", b"1.2\0"), undefined=True)
            + EX.item(EX.element(0x00081150, "UI", b"1.3\0"))
            + EX.item(b"")
            + EX.end(),
            UNDEFINED,
        )
        + EX.pixels(),
    ),
    "UN of undefined length is a sequence in implicit VR (PS3.5 6.2.2)": lambda: part10(
        EXPLICIT,
        EX.element(
            0x00091001, "UN", IM.item(IM.element(0x00081150, "UI", b"1.2\0"), undefined=True) + IM.end(), UNDEFINED
        )
        + EX.pixels(),
    ),
    "a known sequence as UN": lambda: part10(
        EXPLICIT,
        EX.element(
            0x00283000,
            "UN",
            IM.item(IM.element(0x00283002, "US", b"\2\0\0\0\x10\0") + IM.element(0x00283006, "US", b"\1\0\2\0")),
        )
        + EX.pixels(),
    ),
    "fragments that are no pixel data": lambda: part10(
        EXPLICIT, EX.element(0x00091010, "OB", EX.item(b"") + EX.item(b"ab") + EX.end(), UNDEFINED) + EX.pixels()
    ),
    "bytes of undefined length": lambda: part10(
        EXPLICIT, EX.element(0x00091010, "OB", b"no item" + EX.end(), UNDEFINED) + EX.pixels()
    ),
    "an icon with encapsulated pixels": lambda: part10(
        EXPLICIT,
        EX.element(
            0x00880200,
            "SQ",
            EX.item(
                EX.us(0x00280010, 99)
                + EX.element(0x7FE00010, "OB", EX.item(b"") + EX.item(b"\xff\xd8") + EX.end(), UNDEFINED),
                undefined=True,
            )
            + EX.end(),
            UNDEFINED,
        )
        + EX.pixels(),
    ),
    "an element twice": lambda: part10(EXPLICIT, EX.us(0x00280010, 77) + EX.pixels()),
    "two letters that are no VR": lambda: part10(EXPLICIT, EX.element(0x00091010, "ZX", b"abcd") + EX.pixels()),
    "zeros for a VR": lambda: part10(
        EXPLICIT,
        EX.element(0x00080060, "CS", b"CT") + EX.tag(0x00091010) + struct.pack("<L", 4) + b"abcd" + EX.pixels(),
    ),
    "attributes after the pixel data": lambda: part10(
        EXPLICIT, EX.pixels() + EX.element(0x00400244, "DA", b"20200101")
    ),
    "numbers as text": lambda: part10(
        EXPLICIT, EX.pixels().replace(EX.us(0x00280010, 2), EX.element(0x00280010, "IS", b"2 "))
    ),
    "numbers of 32 bits": lambda: part10(
        EXPLICIT, EX.pixels().replace(EX.us(0x00280010, 2), EX.element(0x00280010, "UL", b"\2\0\0\0"))
    ),
    "numbers as UN": lambda: part10(
        EXPLICIT, EX.pixels().replace(EX.us(0x00280010, 2), EX.element(0x00280010, "UN", b"\2\0"))
    ),
}


def outcome(function: Callable[[], Any]) -> Any:
    """Return the result of `work`, or the class of its error."""
    try:
        return function()
    except dicoxide.DecodeError as error:
        return type(error)


@pytest.mark.parametrize("case", CASES)
def test_encoding_variant_is_read_as_by_pydicom(case: str) -> None:
    data = CASES[case]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = dataset_source(read(data))
    found = open_source(data)
    assert (found.spec, found.number_of_frames) == (expected.spec, expected.number_of_frames)
    attributes, expected_attributes = dict(found.attributes), dict(expected.attributes)
    for sequence in ("ModalityLUTSequence",):
        for values in (attributes, expected_attributes):
            if sequence in values:
                values[sequence] = [dict(item) for item in values[sequence]]
    assert attributes == expected_attributes
    if case != "an unknown transfer syntax":
        assert np.array_equal(dicoxide.decode(data), np.arange(1, 7, dtype=np.uint16).reshape(2, 3))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (EX.element(0x00081140, "SQ", EX.element(0x00081150, "UI", b"1.2\0"), UNDEFINED), "item .* expected"),
        (EX.element(0x00081140, "SQ", EX.item(b""), UNDEFINED), "ends within a sequence"),
        (EX.element(0x00081140, "SQ", EX.bare(ITEM, UNDEFINED), UNDEFINED), "ends within an item"),
        (EX.element(0x00091010, "OB", b"no end", UNDEFINED), "of undefined length"),
        (EX.element(0x00091010, "OB", EX.bare(ITEM, UNDEFINED), UNDEFINED), "fragment of undefined length"),
    ],
)
def test_invalid_element_structure_raises_corrupt_frame(body: bytes, message: str) -> None:
    with pytest.raises(dicoxide.CorruptFrameError, match=message):
        dicoxide.decode(part10(EXPLICIT, body))


def test_two_or_no_pixel_elements_raise_corrupt_frame() -> None:
    data = part10(EXPLICIT, EX.pixels() + EX.element(0x7FE00008, "OF", bytes(24)))
    with pytest.raises(dicoxide.CorruptFrameError, match="^PixelData and FloatPixelData found, one of") as caught:
        dicoxide.decode(data)
    assert caught.value.kind == "Mismatch"
    with pytest.raises(dicoxide.CorruptFrameError, match="^none found, one of Pixel Data") as caught:
        dicoxide.decode(part10(EXPLICIT, EX.us(0x00280010, 2)))
    assert caught.value.kind == "NoImage"


# Values of PS3.5 6.2 with valid and invalid padding.
ODD = (
    b"1.2\0",
    b" 1.2",
    b"1.2 \\ 3",
    b"1.2\0\0\x0c",
    b"1.2\0\0\x0c\0",
    b"1\x0b\\2",
    b"\t1",
    b"\x1c1\x1f",
    b"1\0 ",
    b"\\",
    b" ",
    b"\0",
)


@pytest.mark.parametrize(
    ("keyword", "vr"),
    [
        ("ImageType", "CS"),
        ("InstanceCreationDate", "DA"),
        ("SOPInstanceUID", "UI"),
        ("AccessionNumber", "SH"),
        ("PatientID", "LO"),
        ("PatientAge", "AS"),
    ],
)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_padded_text_value_equals_pydicom(keyword: str, vr: str, value: bytes) -> None:
    data = part10(EXPLICIT, EX.element(tag_for_keyword(keyword) or 0, vr, value) + EX.pixels())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = outcome(lambda: dataset_source(read(data)).attributes[keyword])
    attributes = open_source(data).attributes
    found = outcome(lambda: attributes[keyword])
    assert found == expected
    assert attributes.get_many([keyword]) == ({} if found is dicoxide.CorruptFrameError else {keyword: found})
