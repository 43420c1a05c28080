"""Test encoders against bytes derived by hand from the standard, and against pydicom."""

from __future__ import annotations

import io
import random
import struct

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from support.encoders import dataset, encapsulate, image_cases, native, rle
from support.examples import examples


def one_row(*values: int, dtype: str = "u2") -> np.ndarray:
    """Return one frame with one row and one sample per pixel."""
    return np.array(values, dtype).reshape(1, 1, -1, 1)


class TestNative:
    """PS3.5 8.1.1 and 7.3, byte by byte."""

    def test_native_encode_follows_the_byte_order(self) -> None:
        assert native.encode(one_row(0x1234, 0x0005), 16) == bytes.fromhex("3412 0500")
        assert native.encode(one_row(0x1234, 0x0005), 16, big_endian=True) == bytes.fromhex("1234 0005")
        assert native.encode(one_row(-2, dtype="i4"), 32, big_endian=True) == bytes.fromhex("fffffffe")
        assert native.encode(one_row(1, dtype="f4"), 32) == bytes.fromhex("0000803f")

    def test_native_encode_aligns_values_at_high_bit(self) -> None:
        # 12 bits stored, High Bit 13: the value is shifted by two bits; the other bits hold garbage.
        assert native.encode(one_row(0xABC), 16, bits_stored=12, high_bit=13) == struct.pack("<H", 0xABC << 2)
        noise = np.full((1, 1, 1, 1), 0xFFFF)
        noisy = native.encode(one_row(0, 0)[:, :, :1], 16, bits_stored=12, high_bit=13, garbage=noise)
        assert noisy == struct.pack("<H", 0b1100_0000_0000_0011)
        assert native.encode(one_row(-1, dtype="i2"), 16, bits_stored=12) == bytes.fromhex("ff0f")

    def test_native_encode_separates_planes(self) -> None:
        rgb = np.array([[[[1, 2, 3], [4, 5, 6]]]], np.uint8)
        assert native.encode(rgb, 8) == bytes([1, 2, 3, 4, 5, 6])
        assert native.encode(rgb, 8, planar_configuration=1) == bytes([1, 4, 2, 5, 3, 6])

    def test_native_encode_subsamples_ybr_full_422(self) -> None:
        ybr = np.array([[[[1, 2, 3], [4, 9, 9]]]], np.uint8)
        assert native.encode(ybr, 8, ybr_422=True) == bytes([1, 4, 2, 3])
        assert native.share_colour(ybr).tolist() == [[[[1, 2, 3], [4, 2, 3]]]]

    def test_native_encode_packs_the_least_significant_bit_first(self) -> None:
        frames = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1]], np.uint8).reshape(3, 1, 3, 1)
        assert native.encode(frames, 1) == bytes([0b0001_1101, 0b1])

    def test_native_encode_swaps_big_endian_words(self) -> None:
        assert native.encode(one_row(1, 2, 3, dtype="u1"), 8, big_endian=True, ow=True) == bytes([2, 1, 0, 3])
        assert native.encode(one_row(1, 2, 3, dtype="u1"), 8, big_endian=True) == bytes([1, 2, 3, 0])


class TestRle:
    """PS3.5 Annex G, byte by byte."""

    def test_rle_runs_have_their_headers(self) -> None:
        assert rle.literal(b"\x07") == bytes([0, 7])
        assert rle.replicate(7, 2) == bytes([0xFF, 7])
        assert rle.replicate(7, 128) == bytes([0x81, 7])

    @pytest.mark.parametrize(
        ("style", "expected"),
        [
            ("greedy", "00 05 fd 09 01 01 02 00"),
            ("literals", None),
            ("replicate_two", "00 05 ff 09 ff 09 01 01 02 00"),
            ("ragged", None),
        ],
    )
    def test_rle_styles_differ_in_runs(self, style: str, expected: str | None) -> None:
        plane = bytes([5, 9, 9, 9, 9, 1, 2])
        coded = rle.encode_segment(plane, style)
        assert len(coded) % 2 == 0
        assert expected is None or coded == bytes.fromhex(expected)
        assert len(rle.encode_segment(plane, "greedy", pad=False)) == 7

    def test_rle_options_change_segments(self) -> None:
        assert rle.encode_segment(b"\x05\x09\x09", oversize=3) == bytes([0, 5, 0xFC, 9])
        assert b"\x80" in rle.encode_segment(bytes(range(50)), "ragged", no_ops=True)

    def test_rle_planes_have_the_most_significant_byte_first(self) -> None:
        frame = np.array([[[0x1234], [0x5678]]], np.uint16)
        assert rle.planes(frame, 16) == [b"\x12\x56", b"\x34\x78"]
        assert rle.planes(frame, 16, little=True) == [b"\x34\x78", b"\x12\x56"]
        rgb = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
        assert rle.planes(rgb, 8) == [b"\x01\x04", b"\x02\x05", b"\x03\x06"]
        assert rle.planes(np.array([[[1], [0], [1]]], np.uint8), 1) == [b"\x01\x00\x01"]
        assert rle.planes(np.array([[[1], [0], [1]]], np.uint8), 1, packed=True) == [b"\x05"]

    def test_rle_frame_has_header_and_segments(self) -> None:
        frame = np.array([[[0x0102], [0x0102]]], np.uint16)
        expected = struct.pack("<16L", 2, 64, 66, *[0] * 13) + bytes([0xFF, 1, 0xFF, 2])
        assert rle.encode(frame, 16, "replicate_two") == expected


class TestEncapsulate:
    """PS3.5 A.4, byte by byte."""

    def test_encapsulate_writes_items(self) -> None:
        empty_table = bytes.fromhex("feff00e0 00000000")
        frames = bytes.fromhex("feff00e0 02000000 4100 feff00e0 02000000 4243")
        assert encapsulate.encapsulate([b"A", b"BC"]).value == empty_table + frames
        coded = encapsulate.encapsulate([b"A", b"BC"], table="basic", delimiter=True)
        table = bytes.fromhex("feff00e0 08000000 00000000 0a000000")
        assert coded.value == table + frames + bytes.fromhex("feffdde0 00000000")

    def test_encapsulate_writes_the_extended_offset_table(self) -> None:
        coded = encapsulate.encapsulate([b"A", b"BC"], table="extended")
        assert coded.extended == (struct.pack("<2Q", 0, 10), struct.pack("<2Q", 1, 2))

    def test_encapsulate_splits_frames(self) -> None:
        assert encapsulate.split(b"abcdefg", 2) == [b"abcd", b"efg"]
        assert encapsulate.split(b"abc", 3) == [b"ab", b"c"]

    @examples(100)
    @given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5), st.integers(1, 4))
    def test_encapsulated_frames_are_found_by_pydicom(self, frames: list[bytes], fragments: int) -> None:
        value = encapsulate.encapsulate(frames, table="basic", fragments=fragments).value
        result = generate_frames(value, number_of_frames=len(frames))
        assert [frame[: len(expected)] for frame, expected in zip(result, frames, strict=True)] == frames


class TestPydicom:
    """Images that pydicom supports decode to the encoded values."""

    @examples(100)
    @given(
        image_cases.images((ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian), "uif", pydicom=True)
    )
    def test_encoded_native_images_equal_pydicom(self, case: image_cases.Case) -> None:
        assert_pydicom_agrees(case)

    @examples(100)
    @given(image_cases.images((RLELossless,), "ui", pydicom=True))
    def test_encoded_rle_images_equal_pydicom(self, case: image_cases.Case) -> None:
        # pydicom does not leave a wrong table.
        case.options["table"] = case.options["table"].replace("wrong", "none")
        assert_pydicom_agrees(case)

    def test_encoded_file_is_read_by_pydicom(self) -> None:
        values = np.arange(12, dtype=np.uint16).reshape(3, 4)
        data = dataset.to_bytes(dataset.dataset(values, RLELossless, table="extended"))
        np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(data)).pixel_array, values)


def assert_pydicom_agrees(case: image_cases.Case) -> None:
    ds = case.dataset
    frames = 1 if ds.get("NumberOfFrames", 1) == 1 else slice(None)
    values = case.values[0] if frames == 1 else case.values
    if ds.SamplesPerPixel == 1:
        values = values[..., 0]
    result = pixel_array(ds, raw=True)
    assert result.dtype.newbyteorder("=") == values.dtype
    np.testing.assert_array_equal(result, values)


@examples(100)
@given(st.binary(min_size=1, max_size=300), st.sampled_from(sorted(rle.STYLES)), st.booleans(), st.integers(0, 99))
def test_rle_runs_cover_the_plane(plane: bytes, style: str, no_ops: bool, seed: int) -> None:
    """Unpacked by the pseudo code of PS3.5 G.3.2."""
    segment = rle.encode_segment(plane, style, no_ops=no_ops, pad=False, rng=random.Random(seed))
    output, offset = [], 0
    while offset < len(segment):
        n = struct.unpack_from("b", segment, offset)[0]
        if 0 <= n <= 127:
            output += segment[offset + 1 : offset + 1 + n + 1]
            offset += 1 + n + 1
        elif -127 <= n <= -1:
            output += [segment[offset + 1]] * (-n + 1)
            offset += 2
        else:
            offset += 1
    assert bytes(output) == plane
