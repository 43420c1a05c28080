"""The NumPy backend: native frames, attributes and functions on arrays."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicoxide import _numpy_backend
from dicoxide._numpy_backend._frame_info import FrameInfo
from dicoxide.errors import (
    CorruptFrameError,
    TruncatedFrameError,
    UnsupportedError,
)
from support.backend_comparison import open_frames
from support.encoders import dataset, image_cases, native
from support.examples import examples
from support.numpy_frames import (
    MONO_8,
    MONO_16,
    RGB_8,
    assert_describes_error,
    decode_frames,
    decode_one_frame,
    kind_and_offset,
    open_numpy_frames,
)


def open_case(case: image_cases.Case) -> _numpy_backend.Frames:
    arguments = dataset.frames_of(case.dataset)
    return open_frames(_numpy_backend, **arguments)


class TestEncodedImages:
    """Images of the test encoders, which share no code with the decoder."""

    @examples(300)
    @given(image_cases.images(), st.randoms())
    def test_encoded_images_round_trip(self, case: image_cases.Case, rng: random.Random) -> None:
        opened = open_case(case)
        count, samples = len(case.values), case.values[0].size
        assert len(opened) == count
        opened.check(range(count))
        decoded, deviations = decode_frames(opened, case.values.dtype.str, samples)
        np.testing.assert_array_equal(decoded, case.values.reshape(count, -1))
        assert len(deviations) == (case.options.get("table") == "wrong")
        indices = [rng.randrange(count) for _ in range(rng.randint(1, 5))]
        decoded, _ = decode_frames(opened, case.values.dtype.str, samples, indices)
        np.testing.assert_array_equal(decoded, case.values.reshape(count, -1)[indices])

    # Compressed frames can have the size of uncompressed ones by chance.
    @pytest.mark.filterwarnings("ignore:The number of bytes of compressed pixel data")
    @examples(60)
    @given(image_cases.images(pydicom=True, kinds="uif"))
    def test_encoded_images_equal_pydicom(self, case: image_cases.Case) -> None:
        if case.options["transfer_syntax"] == dataset.ENCAPSULATED_UNCOMPRESSED:
            return
        case.options["table"] = case.options.get("table", "none").replace("wrong", "none")
        expected = pixel_array(case.dataset, raw=True)
        decoded, _ = decode_frames(open_case(case), case.values.dtype.str, case.values[0].size)
        np.testing.assert_array_equal(decoded.reshape(expected.shape), expected)

    @examples(300)
    @given(image_cases.images(kinds="uib"), st.data())
    def test_mutated_values_decode_or_raise_corrupt_frame(self, case: image_cases.Case, data: st.DataObject) -> None:
        arguments = dataset.frames_of(case.dataset)
        value = bytearray(arguments.pop("value"))
        del value[data.draw(st.integers(0, len(value))) :]
        for _ in range(data.draw(st.integers(0, 3)) if value else 0):
            value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
        syntax = arguments.pop("transfer_syntax")
        try:
            opened = open_frames(_numpy_backend, syntax, bytes(value), **arguments)
            if len(opened) <= len(case.values):
                decode_frames(opened, case.values.dtype.str, case.values[0].size)
        except CorruptFrameError as error:
            assert_describes_error(error, syntax, len(value))

    @examples(60)
    @given(image_cases.images(kinds="uib"))
    def test_every_prefix_raises_corrupt_frame_or_is_complete(self, case: image_cases.Case) -> None:
        arguments = dataset.frames_of(case.dataset)
        value, syntax = arguments.pop("value"), arguments.pop("transfer_syntax")
        for end in range(0, len(value), max(1, len(value) // 50)):
            try:
                opened = open_frames(_numpy_backend, syntax, value[:end], **arguments)
                assert len(opened) == len(case.values)
                decoded, _ = decode_frames(opened, case.values.dtype.str, case.values[0].size)
            except CorruptFrameError:
                continue
            np.testing.assert_array_equal(decoded, case.values.reshape(decoded.shape))


class TestNative:
    """PS3.5 8.1.1, 8.2 and 7.3, byte by byte."""

    def test_native_samples_follow_the_byte_order(self) -> None:
        value = bytes.fromhex("0100 0201 ff7f 0080")
        assert decode_one_frame(ExplicitVRLittleEndian, value, "u2", MONO_16) == [0x0001, 0x0102, 0x7FFF, 0x8000]
        assert decode_one_frame(ExplicitVRBigEndian, value, "u2", MONO_16) == [0x0100, 0x0201, 0xFF7F, 0x0080]
        assert decode_one_frame(ImplicitVRLittleEndian, value, "i2", MONO_16, pixel_representation=1)[2:] == [
            32767,
            -32768,
        ]

    @pytest.mark.parametrize(("high_bit", "unsigned", "signed"), [(3, 0b0110, 6), (5, 0b1001, -7), (7, 0b1010, -6)])
    def test_native_stored_bits_end_at_high_bit(self, high_bit: int, unsigned: int, signed: int) -> None:
        # 0b1010_0110 with Bits Stored 4: bits 3..0, 5..2 and 7..4 of it.
        value = bytes([0b1010_0110] * 4)
        attributes = MONO_8 | {"bits_stored": 4, "high_bit": high_bit}
        assert decode_one_frame(ExplicitVRLittleEndian, value, "u1", attributes) == [unsigned] * 4
        assert decode_one_frame(ExplicitVRLittleEndian, value, "i1", attributes, pixel_representation=1) == [signed] * 4

    def test_native_planes_are_interleaved(self) -> None:
        value = bytes(range(12))
        assert decode_one_frame(ExplicitVRLittleEndian, value, "u1", RGB_8) == list(range(12))
        planar = decode_one_frame(ExplicitVRLittleEndian, value, "u1", RGB_8, planar_configuration=1)
        assert planar == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]

    def test_native_ybr_full_422_expands(self) -> None:
        attributes = RGB_8 | {"photometric_interpretation": "YBR_FULL_422 "}
        result = decode_one_frame(ExplicitVRLittleEndian, bytes([10, 11, 1, 2, 12, 13, 3, 4]), "u1", attributes)
        assert result == [10, 1, 2, 11, 1, 2, 12, 3, 4, 13, 3, 4]
        with pytest.raises(CorruptFrameError, match="not at half resolution") as error:
            open_numpy_frames(ExplicitVRLittleEndian, bytes(12), attributes)
        assert error.value.kind == "Mismatch"
        with pytest.raises(UnsupportedError, match="odd number of pixels"):
            decode_one_frame(ExplicitVRLittleEndian, bytes(2), "u1", attributes, rows=1, columns=1)

    def test_native_packed_bits_continue_across_frames(self) -> None:
        attributes = MONO_8 | {"bits_allocated": 1, "bits_stored": 1, "high_bit": 0, "rows": 1, "columns": 3}
        opened = open_numpy_frames(
            ExplicitVRLittleEndian, bytes([0b1101_0001, 0b0000_0001]), attributes, number_of_frames=3
        )
        assert decode_frames(opened, "u1", 3)[0].tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 1]]
        assert opened.frame_bytes(2) == (bytes([0b1101_0001, 1]), 6)
        assert opened.deviations() == []

    def test_native_big_endian_words_are_swapped(self) -> None:
        attributes = MONO_8 | {"rows": 1, "columns": 3}
        value = bytes([2, 1, 4, 3, 6, 5])
        opened = open_numpy_frames(ExplicitVRBigEndian, value, attributes, number_of_frames=2, word_swapped=True)
        assert decode_frames(opened, "u1", 3)[0].tolist() == [[1, 2, 3], [4, 5, 6]]

    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
    @pytest.mark.parametrize(
        ("dtype", "bits", "keyword"), [("f4", 32, "FloatPixelData"), ("f8", 64, "DoubleFloatPixelData")]
    )
    def test_native_floats_keep_every_bit(self, syntax: str, dtype: str, bits: int, keyword: str) -> None:
        values = np.array([0.1, -0.0, np.inf, np.nan], dtype)
        attributes = MONO_8 | {"bits_allocated": bits, "pixel_keyword": keyword}
        value = native.encode(values.reshape(1, 2, 2, 1), bits, big_endian=syntax == ExplicitVRBigEndian)
        out, _ = decode_frames(open_numpy_frames(syntax, value, attributes), dtype, 4)
        assert out.tobytes() == values.tobytes()

    @pytest.mark.parametrize(
        ("length", "declared", "count", "note"),
        [
            (8, 2, 2, None),
            (8, None, 2, "number of frames is 1, 2 frames found"),
            (8, 0, 2, "number of frames 0 found, taken as 1"),
            (7, 1, 1, "3 bytes after the last frame"),
            (4, 1, 1, None),
        ],
    )
    def test_native_frame_count_follows_the_value_length(
        self, length: int, declared: int | None, count: int, note: str | None
    ) -> None:
        opened = open_numpy_frames(ExplicitVRLittleEndian, bytes(length), number_of_frames=declared)
        assert len(opened) == count
        assert ([what for _, what, _, _ in opened.deviations()] or [None])[0] == note

    def test_native_value_of_odd_or_short_length(self) -> None:
        opened = open_numpy_frames(ExplicitVRLittleEndian, bytes(3), rows=1, columns=3)
        what = "the value has odd length: its trailing pad byte is missing"
        assert opened.deviations() == [(None, what, "PS3.5 7.1.1", None)]
        with pytest.raises(TruncatedFrameError) as error:
            open_numpy_frames(ExplicitVRLittleEndian, bytes(7), number_of_frames=2)
        assert str(error.value) == "7 bytes found, 8 expected for 2 frames at byte 7 (PS3.5 8.1.1)"
        assert (error.value.frame_index, error.value.transfer_syntax) == (None, ExplicitVRLittleEndian)


class TestAttributes:
    """PS3.3 C.7.6.3 and PS3.5 8.1.1."""

    @pytest.mark.parametrize(
        ("changed", "text"),
        [
            ({"rows": 0}, "rows 0 and columns 2 found, 1 to 65535 expected"),
            ({"columns": 65536}, "rows 2 and columns 65536 found"),
            ({"samples_per_pixel": 5}, "samples per pixel 5 found, 1 to 4 expected"),
            ({"planar_configuration": 2}, "planar configuration 2 found, 0 or 1 expected"),
            ({"pixel_representation": 2}, "pixel representation 2 found, 0 or 1 expected"),
            ({"bits_allocated": 12}, "bits allocated 12 found, 1 or a multiple of 8 expected"),
            ({"bits_allocated": 0}, "bits allocated 0 found"),
            ({"bits_stored": 9}, "bits stored 9 found, 1 to bits allocated 8 expected"),
            ({"bits_stored": 0}, "bits stored 0 found"),
            ({"high_bit": 6}, "high bit 6 found, 7 to 7 expected with bits stored 8 of 8"),
            ({"high_bit": 8}, "high bit 8 found"),
            (
                {"rows": 0, "samples_per_pixel": 5, "pixel_representation": 2, "bits_stored": 9},
                "pixel representation 2 found, 0 or 1 expected; rows 0 and columns 2 found, 1 to 65535 expected; "
                "samples per pixel 5 found, 1 to 4 expected; bits stored 9 found, 1 to bits allocated 8 expected "
                "(PS3.3 C.7.6.3)",
            ),
            (
                {"bits_allocated": 24, "bits_stored": 25},
                "bits allocated 24 has no array type; bits stored 25 found, 1 to bits allocated 24 expected "
                "(PS3.5 8.1.1)",
            ),
        ],
    )
    def test_invalid_attributes_raise_malformed(self, changed: dict[str, int], text: str) -> None:
        with pytest.raises(CorruptFrameError) as error:
            open_numpy_frames(ExplicitVRLittleEndian, bytes(64), **changed)
        assert str(error.value).startswith(text)
        assert kind_and_offset(error) == ("Malformed", None)

    @pytest.mark.parametrize(
        "changed",
        [
            {"bits_allocated": 24},
            {"bits_allocated": 1, "bits_stored": 1, "high_bit": 0, "samples_per_pixel": 3},
        ],
    )
    def test_attributes_without_dtype_raise_unsupported(self, changed: dict[str, int]) -> None:
        with pytest.raises(UnsupportedError):
            open_numpy_frames(ExplicitVRLittleEndian, bytes(64), **changed)

    def test_frame_info_of_16_bit_floats_raises_unsupported(self) -> None:
        with pytest.raises(UnsupportedError):
            FrameInfo(**MONO_8 | {"bits_allocated": 16, "is_float": True})

    def test_transfer_syntax_table_agrees_with_pydicom(self) -> None:
        table = _numpy_backend.transfer_syntaxes()
        assert len({uid for uid, _, _ in table}) == len(table) > 50
        for uid, keyword, codec in table:
            known = UID(uid)
            if known.keyword:
                assert known.keyword == keyword
                assert known.is_encapsulated == (uid in _numpy_backend._syntaxes.ENCAPSULATED)
            if codec is None:
                with pytest.raises(UnsupportedError, match=f"no codec for transfer syntax {keyword} ") as error:
                    open_numpy_frames(uid, b"")
                assert error.value.transfer_syntax == uid
        assert {codec for _, _, codec in table} == {"native", "rle", None}
        with pytest.raises(UnsupportedError, match=r"1\.2\.3"):
            open_numpy_frames("1.2.3", b"")
        assert len(open_numpy_frames("1.2.840.10008.1.2\0", bytes(4))) == 1


class TestFunctions:
    """Packed bits and rescale on arrays."""

    def test_bit_functions_use_the_least_significant_bit_first(self) -> None:
        out = np.zeros((2, 3), np.uint8)
        _numpy_backend.unpack_bits_into(bytes([0b1001_0110, 0b1]), 3, out)
        assert out.tolist() == [[0, 1, 0], [0, 1, 1]]
        packed = np.zeros(2, np.uint8)
        _numpy_backend.pack_bits_into(np.array([0, 5, 1, 0, 1, 0, 0, 255, 1], np.uint8), packed)
        assert packed.tolist() == [0b1001_0110, 0b1]

    @examples(60)
    @given(st.lists(st.integers(0, 1)), st.integers(0, 20))
    def test_bit_functions_round_trip(self, bits: list[int], offset_bits: int) -> None:
        src = native.pack([1] * offset_bits + bits)
        out = np.empty(len(bits), np.uint8)
        _numpy_backend.unpack_bits_into(src, offset_bits, out)
        assert out.tolist() == bits
        packed = np.empty(-(-len(bits) // 8), np.uint8)
        _numpy_backend.pack_bits_into(out, packed)
        assert packed.tobytes() == native.pack(bits)

    def test_functions_with_wrong_lengths_raise(self) -> None:
        with pytest.raises(TruncatedFrameError, match="8 bits found from bit 8 on, 9 expected"):
            _numpy_backend.unpack_bits_into(bytes(2), 8, np.zeros(9, np.uint8))
        with pytest.raises(ValueError, match="bit offset -1"):
            _numpy_backend.unpack_bits_into(bytes(2), -1, np.zeros(9, np.uint8))
        with pytest.raises(ValueError, match="uint8 expected"):
            _numpy_backend.unpack_bits_into(bytes(2), 0, np.zeros(9, np.int8))
        with pytest.raises(ValueError, match="3 bytes, the packed samples have 2"):
            _numpy_backend.pack_bits_into(np.zeros(9, np.uint8), np.zeros(3, np.uint8))
        with pytest.raises(ValueError, match="4 expected"):
            _numpy_backend.rescale_into(np.zeros(4), (1.0, 0.0), np.zeros(3))

    def test_rescale_overflow_gives_infinity(self) -> None:
        out = np.empty(2, np.float32)
        _numpy_backend.rescale_into(np.array([1, 2], np.uint8), (1e300, 0.0), out)
        assert out.tolist() == [np.inf] * 2

    @pytest.mark.parametrize(
        ("value", "slope", "intercept", "dtype", "expected"),
        [
            (2**64 - 1, 1.0, 0.0, "u8", 2**64 - 1),
            (2**63, 1.0, -(2.0**62), "i8", 2**62),
            (2**63, 1.0, 0.0, "i8", None),
            (2**63, 2.0, 0.0, "u8", None),
            (2**53 + 1, 0.5, 0.0, "i8", None),
            (2**53, 0.5, 0.0, "i8", 2**52),
            (3, 0.5, 0.5, "i8", 2),
            (2**64 - 1, 0.0, 5.0, "u1", 5),
            (0, 1.0, -1.0, "u8", None),
            (0, 1.0, np.nan, "u8", None),
            (0, 1.0, np.inf, "u8", None),
        ],
    )
    def test_rescale_to_integers_is_exact_or_raises(
        self, value: int, slope: float, intercept: float, dtype: str, expected: int | None
    ) -> None:
        src, out = np.array([0, value], np.uint64)[1:], np.empty(1, dtype)
        if expected is None:
            with pytest.raises(ValueError, match="the value of sample 0 is not exact in "):
                _numpy_backend.rescale_into(src, (slope, intercept), out)
        else:
            _numpy_backend.rescale_into(src, (slope, intercept), out)
            assert out.tolist() == [expected]
