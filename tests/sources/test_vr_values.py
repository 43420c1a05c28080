"""Values of data elements: one table of cases for the binding, the Python package and pydicom's Datasets.

``rust/part10/src/parse.rs`` reads the same table in its own test.
"""

from __future__ import annotations

import io
import math
import struct
from ast import literal_eval
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

import dicoxide
from dicoxide._sources import open_source
from dicoxide._sources.dataset import dataset_source
from dicoxide._sources.pydicom_reader import read
from dicoxide._sources.values import value_of
from dicoxide.errors import CorruptFrameError
from support.encoders.dataset import dataset, to_bytes

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="only the extension reads files itself")

LONG_LENGTH_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SV", "UC", "UN", "UR", "UT", "UV"})
# Those that `Elements.read_common` converts; the rest it leaves to `value_of`.
COMMON_VRS = frozenset({"AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "SH", "SL", "SS", "TM", "UI", "UL", "US"})
TAG = 0x00091001
ERROR = "error"


class Case(NamedTuple):
    """A row of the table."""

    id: str
    vr: str
    byte_order: str
    value: bytes
    expected: Any

    @property
    def is_big_endian(self) -> bool:
        return self.byte_order == "big"

    def file(self) -> bytes:
        """Return a file with the element, Image Pixel attributes and pixel data of one pixel."""
        order = ">" if self.is_big_endian else "<"

        def element(tag: int, vr: str, value: bytes) -> bytes:
            length = struct.pack(f"{order}2xL" if vr in LONG_LENGTH_VRS else f"{order}H", len(value))
            return struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) + vr.encode() + length + value

        elements = element(TAG, self.vr, self.value) + element(0x00280004, "CS", b"MONOCHROME2 ")
        numbers = {2: 1, 0x10: 1, 0x11: 1, 0x100: 16, 0x101: 16, 0x102: 15, 0x103: 0}
        for number, value in numbers.items():
            elements += element(0x00280000 + number, "US", struct.pack(f"{order}H", value))
        uid = b"1.2.840.10008.1.2.2\0" if self.is_big_endian else b"1.2.840.10008.1.2.1\0"
        meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(uid)) + uid
        return bytes(128) + b"DICM" + meta + elements + element(0x7FE00010, "OW", bytes(2))


def _expected(text: str) -> Any:
    return (
        {"error": ERROR, "inf": math.inf, "nan": math.nan}[text]
        if text.isalpha() and text != "None"
        else literal_eval(text)
    )


def _cases() -> list[Case]:
    lines = Path(__file__).with_name("vr_values.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [Case(name, vr, order, bytes.fromhex(value), _expected(text)) for name, vr, order, value, text in rows]


CASES = _cases()
every_case = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])


def assert_equal(value: Any, expected: Any) -> None:
    """Assert equality of values and of their types; a NaN equals a NaN."""
    assert type(value) is type(expected)
    assert value == expected or (value != value and expected != expected)  # noqa: PLR0124


@every_case
def test_value_of_case_returns_expected(case: Case) -> None:
    if case.expected == ERROR:
        with pytest.raises(CorruptFrameError, match=rf"is not a value of VR {case.vr}: .* \(PS3.5 6.2\)$"):
            value_of(case.vr, case.value, case.is_big_endian, "")
    else:
        assert_equal(value_of(case.vr, case.value, case.is_big_endian, ""), case.expected)


@needs_core
@every_case
def test_element_of_a_file_returns_expected(case: Case) -> None:
    elements = open_source(case.file()).attributes._elements
    if case.expected == ERROR:
        with pytest.raises(CorruptFrameError):
            elements.value(TAG, case.vr)
    else:
        assert_equal(elements.value(TAG, case.vr), case.expected)


@needs_core
@every_case
def test_read_common_returns_expected_or_unread_keyword(case: Case) -> None:
    elements = open_source(case.file()).attributes._elements
    values, unread = elements.read_common([("Keyword", TAG, case.vr)])
    if unread:
        assert values == {}
        assert unread == ["Keyword"]
        # Only malformed or rare values are not read; single values of common VRs are always read.
        assert case.vr not in COMMON_VRS or "_single" not in case.id
    else:
        assert case.vr in COMMON_VRS
        assert list(values) == ["Keyword"]
        assert_equal(values["Keyword"], case.expected)


@pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning")
@every_case
def test_element_of_a_pydicom_dataset_returns_expected(case: Case) -> None:
    elements = dataset_source(read(case.file())).attributes._elements
    if case.expected == ERROR:
        # pydicom returns some malformed numbers as text.
        try:
            value = elements.value(TAG, case.vr)
        except CorruptFrameError:
            return
        assert isinstance(value, str)
    else:
        assert_equal(elements.value(TAG, case.vr), case.expected)


@pytest.mark.parametrize("vr", ["US", "SS", "UL", "FL"])
def test_photometric_interpretation_of_a_number_vr_is_no_term(vr: str) -> None:
    # The bytes of the term, declared as numbers: pydicom reads numbers.
    samples = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    ds = dataset(samples, ExplicitVRLittleEndian, samples_per_pixel=3, photometric_interpretation="YBR_FULL")
    data = to_bytes(ds).replace(b"\x28\0\4\0CS", b"\x28\0\4\0" + vr.encode())
    read = pydicom.dcmread(io.BytesIO(data))
    assert np.array_equal(dicoxide.decode(data), samples)
    assert np.array_equal(dicoxide.decode(read), samples)
