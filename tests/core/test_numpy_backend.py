"""The plain NumPy backend: what the encoders make, vectors made by hand, and every way to be wrong."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels import convert_color_space, pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from dicoxide import _numpy_backend
from dicoxide.errors import (
    CorruptFrameError,
    DecodeError,
    LimitError,
    TruncatedFrameError,
    UnsupportedError,
)
from support.encoders import dataset, encapsulate, image_cases, native, rle

MANY = settings(max_examples=300, deadline=None)
QUICK = settings(max_examples=60, deadline=None)

MONO_8: dict[str, Any] = {
    "rows": 2,
    "columns": 2,
    "samples_per_pixel": 1,
    "bits_allocated": 8,
    "bits_stored": 8,
    "high_bit": 7,
    "pixel_representation": 0,
    "planar_configuration": 0,
    "photometric_interpretation": "MONOCHROME2",
}
WIDE = {"bits_allocated": 16, "bits_stored": 16, "high_bit": 15}
MONO_16 = MONO_8 | WIDE
RGB_8 = MONO_8 | {"samples_per_pixel": 3, "photometric_interpretation": "RGB"}


def frames(syntax: str, value: bytes, attributes: dict[str, Any] = MONO_8, **more: Any) -> _numpy_backend.Frames:
    return _numpy_backend.Frames(syntax, value, **(attributes | more))


def decode(
    opened: _numpy_backend.Frames, dtype: str, samples: int, indices: list[int] | None = None, **options: Any
) -> tuple[np.ndarray, list[_numpy_backend.Note]]:
    """All frames, or those of ``indices``, each a row of ``samples``."""
    wanted = list(range(len(opened))) if indices is None else indices
    out = np.full((len(wanted), samples), 77, dtype)
    path, notes = opened.decode_into(out, wanted, **options)
    assert path == _numpy_backend.CPU_PATH == "numpy"
    return out, notes


def one(syntax: str, value: bytes, dtype: str, attributes: dict[str, Any] = MONO_8, **more: Any) -> list[Any]:
    """The samples of a value that is the bytes of one frame."""
    opened = frames(syntax, value, attributes, whole=True, **more)
    samples = opened._info.samples
    return decode(opened, dtype, samples)[0][0].tolist()


def open_case(case: image_cases.Case) -> _numpy_backend.Frames:
    arguments = dataset.frames_of(case.dataset)
    return _numpy_backend.Frames(arguments.pop("transfer_syntax"), arguments.pop("value"), **arguments)


def facts(error: pytest.ExceptionInfo[DecodeError]) -> tuple[str, int | None]:
    return error.value.kind, error.value.offset


def assert_well_told(error: CorruptFrameError, syntax: str, length: int) -> None:
    assert error.kind in ("Truncated", "Malformed", "Mismatch")
    assert isinstance(error, TruncatedFrameError) == (error.kind == "Truncated")
    assert error.transfer_syntax == syntax
    assert error.offset is None or 0 <= error.offset <= length
    assert str(error).endswith(f"({error.clause})")
    assert "\n" not in str(error)


class TestWhatEncodersMake:
    """Encoders and the decoder have nothing in common but the standard."""

    @MANY
    @given(image_cases.images(), st.randoms())
    def test_every_image_comes_back(self, case: image_cases.Case, rng: random.Random) -> None:
        opened = open_case(case)
        count, samples = len(case.values), case.values[0].size
        assert len(opened) == count
        opened.check(range(count))
        found, notes = decode(opened, case.values.dtype.str, samples)
        np.testing.assert_array_equal(found, case.values.reshape(count, -1))
        assert len(notes) == (case.options.get("table") == "wrong")
        some = [rng.randrange(count) for _ in range(rng.randint(1, 5))]
        found, _ = decode(opened, case.values.dtype.str, samples, some)
        np.testing.assert_array_equal(found, case.values.reshape(count, -1)[some])

    @QUICK
    @given(image_cases.images(pydicom=True, kinds="uif"))
    def test_pydicom_agrees(self, case: image_cases.Case) -> None:
        if case.options["transfer_syntax"] == dataset.ENCAPSULATED_UNCOMPRESSED:
            return
        case.options["table"] = case.options.get("table", "none").replace("wrong", "none")
        expected = pixel_array(case.dataset, raw=True)
        found, _ = decode(open_case(case), case.values.dtype.str, case.values[0].size)
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)

    @MANY
    @given(image_cases.images(kinds="uib"), st.data())
    def test_what_is_cut_or_changed_is_an_error_of_ours_or_decodes(
        self, case: image_cases.Case, data: st.DataObject
    ) -> None:
        arguments = dataset.frames_of(case.dataset)
        value = bytearray(arguments.pop("value"))
        del value[data.draw(st.integers(0, len(value))) :]
        for _ in range(data.draw(st.integers(0, 3)) if value else 0):
            value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
        syntax = arguments.pop("transfer_syntax")
        try:
            opened = _numpy_backend.Frames(syntax, bytes(value), **arguments)
            if len(opened) <= len(case.values):
                decode(opened, case.values.dtype.str, case.values[0].size)
        except CorruptFrameError as error:
            assert_well_told(error, syntax, len(value))

    @QUICK
    @given(image_cases.images(kinds="uib"))
    def test_every_prefix_of_a_value_is_short(self, case: image_cases.Case) -> None:
        arguments = dataset.frames_of(case.dataset)
        value, syntax = arguments.pop("value"), arguments.pop("transfer_syntax")
        for end in range(0, len(value), max(1, len(value) // 50)):
            try:
                opened = _numpy_backend.Frames(syntax, value[:end], **arguments)
                assert len(opened) == len(case.values)
                found, _ = decode(opened, case.values.dtype.str, case.values[0].size)
            except CorruptFrameError:
                continue
            np.testing.assert_array_equal(found, case.values.reshape(found.shape))


class TestNative:
    """PS3.5 8.1.1, 8.2 and 7.3, byte by byte."""

    def test_byte_order(self) -> None:
        value = bytes.fromhex("0100 0201 ff7f 0080")
        assert one(ExplicitVRLittleEndian, value, "u2", MONO_16) == [0x0001, 0x0102, 0x7FFF, 0x8000]
        assert one(ExplicitVRBigEndian, value, "u2", MONO_16) == [0x0100, 0x0201, 0xFF7F, 0x0080]
        assert one(ImplicitVRLittleEndian, value, "i2", MONO_16, pixel_representation=1)[2:] == [32767, -32768]

    def test_stored_bits(self) -> None:
        # 0b1010_0110 with Bits Stored 4: bits 3..0, 5..2 and 7..4 of it.
        value = bytes([0b1010_0110] * 4)
        for high_bit, unsigned, signed in [(3, 0b0110, 6), (5, 0b1001, -7), (7, 0b1010, -6)]:
            attributes = MONO_8 | {"bits_stored": 4, "high_bit": high_bit}
            assert one(ExplicitVRLittleEndian, value, "u1", attributes) == [unsigned] * 4
            assert one(ExplicitVRLittleEndian, value, "i1", attributes, pixel_representation=1) == [signed] * 4

    def test_planes(self) -> None:
        value = bytes(range(12))
        assert one(ExplicitVRLittleEndian, value, "u1", RGB_8) == list(range(12))
        planar = one(ExplicitVRLittleEndian, value, "u1", RGB_8, planar_configuration=1)
        assert planar == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]

    def test_half_resolution_colour(self) -> None:
        attributes = RGB_8 | {"photometric_interpretation": "YBR_FULL_422 "}
        found = one(ExplicitVRLittleEndian, bytes([10, 11, 1, 2, 12, 13, 3, 4]), "u1", attributes)
        assert found == [10, 1, 2, 11, 1, 2, 12, 3, 4, 13, 3, 4]
        with pytest.raises(CorruptFrameError, match="not at half resolution") as error:
            frames(ExplicitVRLittleEndian, bytes(12), attributes)
        assert error.value.kind == "Mismatch"
        with pytest.raises(UnsupportedError, match="odd number of pixels"):
            one(ExplicitVRLittleEndian, bytes(2), "u1", attributes, rows=1, columns=1)

    def test_packed_bits(self) -> None:
        attributes = MONO_8 | {"bits_allocated": 1, "bits_stored": 1, "high_bit": 0, "rows": 1, "columns": 3}
        opened = frames(ExplicitVRLittleEndian, bytes([0b1101_0001, 0b0000_0001]), attributes, number_of_frames=3)
        assert decode(opened, "u1", 3)[0].tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 1]]
        assert opened.frame_bytes(2) == (bytes([0b1101_0001, 1]), 6)
        assert opened.notes() == []

    def test_words_in_big_endian(self) -> None:
        attributes = MONO_8 | {"rows": 1, "columns": 3}
        value = bytes([2, 1, 4, 3, 6, 5])
        opened = frames(ExplicitVRBigEndian, value, attributes, number_of_frames=2, word_swapped=True)
        assert decode(opened, "u1", 3)[0].tolist() == [[1, 2, 3], [4, 5, 6]]

    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
    @pytest.mark.parametrize(("dtype", "bits"), [("f4", 32), ("f8", 64)])
    def test_floats_keep_every_bit(self, syntax: str, dtype: str, bits: int) -> None:
        values = np.array([0.1, -0.0, np.inf, np.nan], dtype)
        attributes = MONO_8 | {"bits_allocated": bits, "is_float": True}
        value = native.encode(values.reshape(1, 2, 2, 1), bits, big_endian=syntax == ExplicitVRBigEndian)
        out, _ = decode(frames(syntax, value, attributes), dtype, 4)
        assert out.tobytes() == values.tobytes()

    @pytest.mark.parametrize(
        ("length", "declared", "count", "note"),
        [
            (8, 2, 2, None),
            (8, None, 2, "number of frames is 1, 2 are there"),
            (8, 0, 2, "number of frames 0 found, taken as 1"),
            (7, 1, 1, "3 bytes after the last frame"),
            (4, 1, 1, None),
        ],
    )
    def test_number_of_frames(self, length: int, declared: int | None, count: int, note: str | None) -> None:
        opened = frames(ExplicitVRLittleEndian, bytes(length), number_of_frames=declared)
        assert len(opened) == count
        assert ([what for _, what, _, _ in opened.notes()] or [None])[0] == note

    def test_odd_length_is_noted_and_too_short_is_truncated(self) -> None:
        opened = frames(ExplicitVRLittleEndian, bytes(3), rows=1, columns=3)
        what = "the value has odd length: its trailing pad byte is missing"
        assert opened.notes() == [(None, what, "PS3.5 7.1.1", None)]
        with pytest.raises(TruncatedFrameError) as error:
            frames(ExplicitVRLittleEndian, bytes(7), number_of_frames=2)
        assert str(error.value) == "7 bytes found, 8 expected for 2 frames at byte 7 (PS3.5 8.1.1)"
        assert (error.value.frame_index, error.value.transfer_syntax) == (None, ExplicitVRLittleEndian)


def rle_frame(*segments: bytes, header: list[int] | None = None) -> bytes:
    """Sixteen numbers, then the segments; ``header`` says other numbers than the right ones."""
    if header is None:
        return rle.assemble(list(segments))
    return struct.pack("<16L", *header, *[0] * (16 - len(header))) + b"".join(segments)


class TestRle:
    """PS3.5 Annex G, byte by byte."""

    def test_runs(self) -> None:
        assert one(RLELossless, rle_frame(bytes([3, 1, 2, 3, 4])), "u1") == [1, 2, 3, 4]
        assert one(RLELossless, rle_frame(bytes([0xFD, 9])), "u1") == [9] * 4
        assert one(RLELossless, rle_frame(bytes([0x80, 0, 7, 0x80, 0xFE, 9])), "u1") == [7, 9, 9, 9]

    def test_the_longest_runs(self) -> None:
        attributes = MONO_8 | {"rows": 1, "columns": 256}
        segment = bytes([127, *range(128), 0x81, 5, 0])
        assert one(RLELossless, rle_frame(segment), "u1", attributes) == [*range(128), *[5] * 128]

    def test_the_most_significant_byte_comes_first(self) -> None:
        high, low = bytes([0xFD, 0x12]), bytes([3, 1, 2, 3, 4, 0])
        assert one(RLELossless, rle_frame(high, low), "u2", MONO_16) == [0x1201, 0x1202, 0x1203, 0x1204]
        opened = frames(RLELossless, rle_frame(low, high), MONO_16, whole=True)
        out, _ = decode(opened, "u2", 4, segment_byte_order="little")
        assert out.tolist() == [[0x1201, 0x1202, 0x1203, 0x1204]]

    def test_samples_come_one_after_the_other(self) -> None:
        planes = [bytes([0xFD, colour]) for colour in (1, 2, 3)]
        assert one(RLELossless, rle_frame(*planes), "u1", RGB_8) == [1, 2, 3] * 4
        planes = [bytes([0xFD, byte]) for byte in range(1, 7)]
        attributes = RGB_8 | {"bits_allocated": 16, "bits_stored": 16, "high_bit": 15}
        assert one(RLELossless, rle_frame(*planes), "u2", attributes) == [0x0102, 0x0304, 0x0506] * 4

    @pytest.mark.parametrize("bits", [32, 64])
    def test_wide_samples(self, bits: int) -> None:
        attributes = MONO_8 | {"bits_allocated": bits, "bits_stored": bits, "high_bit": bits - 1}
        planes = [bytes([0xFD, byte]) for byte in range(1, bits // 8 + 1)]
        expected = int.from_bytes(range(1, bits // 8 + 1), "big")
        assert one(RLELossless, rle_frame(*planes), f"u{bits // 8}", attributes) == [expected] * 4

    def test_packed_bits_are_one_segment(self) -> None:
        attributes = MONO_8 | {"bits_allocated": 1, "bits_stored": 1, "high_bit": 0, "rows": 3, "columns": 3}
        frame = rle_frame(bytes([1, 0b1000_0101, 0b1, 0]))
        assert one(RLELossless, frame, "u1", attributes) == [1, 0, 1, 0, 0, 0, 0, 1, 1]

    @QUICK
    @given(st.sampled_from(sorted(rle.STYLES)), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 2**32))
    def test_every_manner_of_encoding(self, style: str, no_ops: bool, pad: bool, little: bool, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shape = (int(rng.integers(1, 20)), int(rng.integers(1, 20)), 3)
        values = dataset.random_values(rng, shape, 32, "i4")
        coded = rle.encode(values, 32, style, little=little, no_ops=no_ops, pad=pad, rng=random.Random(seed))
        attributes = RGB_8 | {"rows": shape[0], "columns": shape[1], "bits_allocated": 32, "bits_stored": 32}
        opened = frames(RLELossless, coded, attributes, high_bit=31, pixel_representation=1, whole=True)
        out, notes = decode(opened, "i4", values.size, segment_byte_order="little" if little else "big")
        np.testing.assert_array_equal(out[0], values.reshape(-1))
        assert notes == []

    @pytest.mark.parametrize(
        ("frame", "kind", "offset", "text"),
        [
            (b"", "Truncated", 0, "RLE header of 0 bytes found, 64 expected at byte 0 (PS3.5 Annex G.5)"),
            (bytes([1] * 63), "Truncated", 63, "RLE header of 63 bytes found"),
            (rle_frame(header=[0]), "Malformed", 0, "number of segments 0 found, 1 to 15 expected"),
            (rle_frame(header=[16]), "Malformed", 0, "number of segments 16 found, 1 to 15 expected"),
            (rle_frame(b"\0\0\0\0", header=[2, 64, 66]), "Mismatch", 0, "number of segments 2 found, 1 expected"),
            (rle_frame(b"\xfd\0", header=[1, 63]), "Malformed", 4, "offset 63 of segment 1 found, 64 to 65"),
            (rle_frame(b"\xfd\0", header=[1, 66]), "Malformed", 4, "offset 66 of segment 1 found, 64 to 65"),
            (rle_frame(b"\x80"), "Truncated", 65, "segment 1 ends after 0 of 4 decoded bytes at byte 65"),
            (rle_frame(b"\xfe\1"), "Truncated", 66, "segment 1 ends after 3 of 4"),
            (rle_frame(b"\xff\1\xff"), "Truncated", 67, "replicate run passes the end of segment 1"),
            (rle_frame(b"\3\1\2"), "Truncated", 67, "literal run of 4 bytes passes the end of segment 1 after 2"),
        ],
    )
    def test_what_is_refused(self, frame: bytes, kind: str, offset: int, text: str) -> None:
        with pytest.raises(CorruptFrameError) as error:
            one(RLELossless, frame, "u1")
        assert facts(error) == (kind, offset)
        assert str(error.value).startswith(text)
        assert error.value.frame_index == 0

    @pytest.mark.parametrize("second", [64, 63, 0, 68, 2**32 - 1])
    def test_the_second_offset_is_refused(self, second: int) -> None:
        with pytest.raises(CorruptFrameError) as error:
            one(RLELossless, rle_frame(b"\xfd\0\xfd\0", header=[2, 64, second]), "u2", MONO_16)
        assert facts(error) == ("Malformed", 8)

    def test_the_first_cut_segment_is_named(self) -> None:
        with pytest.raises(TruncatedFrameError) as error:
            one(RLELossless, rle_frame(b"\xff\1", b"\xff\1"), "u2", MONO_16)
        assert facts(error) == ("Truncated", 66)

    @pytest.mark.parametrize(
        ("frame", "what", "offset"),
        [
            (rle_frame(b"\xfc\5"), "run of segment 1 passes the end of its plane by 1", 64),
            (rle_frame(b"\xfe\5\1\6\7"), "run of segment 1 passes the end of its plane by 1", 66),
            (rle_frame(b"\xfd\5\0"), "1 bytes follow the last run of segment 1", 66),
            (rle_frame(b"\xfd\5\0\0"), "2 bytes follow the last run of segment 1", 66),
            (rle_frame(b"\xfd\5\x80"), "1 bytes follow the last run of segment 1", 66),
            (rle_frame(b"\0\0\xfd\5", header=[1, 66]), "segment 1 starts at byte 66, not right after the header", 4),
            (rle_frame(b"\xfd\5", header=[1, 64, 0, 9]), "unused segment offset is not zero", 12),
        ],
    )
    def test_what_is_tolerated(self, frame: bytes, what: str, offset: int) -> None:
        opened = frames(RLELossless, frame, whole=True)
        out, notes = decode(opened, "u1", 4)
        assert out[0].tolist() in ([5, 5, 5, 5], [5, 5, 5, 6])
        assert [(index, text, where) for index, text, _, where in notes] == [(0, what, offset)]
        with pytest.raises(CorruptFrameError, match=what) as error:
            decode(opened, "u1", 4, strict=True)
        assert facts(error) == ("Malformed", offset)

    def test_one_pad_byte_that_makes_the_segment_even_is_not_noted(self) -> None:
        assert decode(frames(RLELossless, rle_frame(b"\3\1\2\3\4\0"), whole=True), "u1", 4)[1] == []

    def test_an_oversize_last_run(self) -> None:
        values = np.full((2, 2, 1), 5, np.uint8)
        opened = frames(RLELossless, rle.encode(values, 8, oversize=3), whole=True)
        out, notes = decode(opened, "u1", 4)
        assert out.tolist() == [[5] * 4]
        assert notes == [(0, "run of segment 1 passes the end of its plane by 3", "PS3.5 Annex G.3", 64)]

    def test_a_bomb_is_refused_before_memory_is_taken(self) -> None:
        attributes = MONO_8 | {"rows": 65535, "columns": 65535}
        opened = frames(RLELossless, rle_frame(b"\x81\0"), attributes, whole=True)
        window = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (65535 * 65535,), (0,))
        with pytest.raises(ValueError, match="C-contiguous"):
            opened.decode_into(window, [0])
        with pytest.raises(TruncatedFrameError, match="at least 67106817 expected") as error:
            _numpy_backend._rle.decode(rle_frame(b"\x81\0"), opened._info, "big", _numpy_backend.Budget(0))
        assert facts(error) == ("Truncated", 66)

    def test_every_prefix(self) -> None:
        values = np.arange(40, dtype=np.uint16).reshape(5, 8, 1) * 300
        coded = rle.encode(values, 16, pad=False)
        attributes = MONO_16 | {"rows": 5, "columns": 8}
        for end in range(len(coded)):
            with pytest.raises(CorruptFrameError) as error:
                one(RLELossless, coded[:end], "u2", attributes)
            # A second segment that is not there at all is a wrong offset.
            assert facts(error) in (("Truncated", end), ("Malformed", 4), ("Malformed", 8))

    @MANY
    @given(st.binary(max_size=40), st.integers(1, 3), st.sampled_from([1, 8, 16]))
    def test_random_segments(self, body: bytes, count: int, bits: int) -> None:
        offsets = [64 + at for at in range(count)]
        attributes = MONO_8 | {"bits_allocated": bits, "bits_stored": bits, "high_bit": bits - 1, "rows": 7}
        try:
            one(RLELossless, rle_frame(body, header=[count, *offsets]), "u2" if bits == 16 else "u1", attributes)
        except CorruptFrameError as error:
            assert_well_told(error, RLELossless, 64 + len(body))


class TestEncapsulated:
    """PS3.5 A.4: tables that are right, wrong or absent."""

    # No-ops make them long enough to be cut in pieces whose first has the whole header.
    FRAMES = tuple(rle_frame(b"\x80" * 600 + bytes([0xFD, byte])) for byte in (1, 2, 3))

    def open(self, coded: encapsulate.Encapsulated, declared: int | None = 3) -> _numpy_backend.Frames:
        return frames(RLELossless, coded.value, number_of_frames=declared, extended_offsets=coded.extended)

    @pytest.mark.parametrize("fragments", [1, 2, 5])
    @pytest.mark.parametrize("table", ["none", "basic", "wrong"])
    @pytest.mark.parametrize("delimiter", [False, True])
    def test_tables(self, table: str, fragments: int, delimiter: bool) -> None:
        coded = encapsulate.encapsulate(list(self.FRAMES), table=table, fragments=fragments, delimiter=delimiter)
        opened = self.open(coded)
        out, notes = decode(opened, "u1", 4, [2, 0, 1])
        assert out.tolist() == [[3] * 4, [1] * 4, [2] * 4]
        assert [opened.frame_bytes(index) for index in range(3)] == [(frame, 0) for frame in self.FRAMES]
        what = "the basic offset table does not lead to the frames, not used"
        assert notes == ([(None, what, "PS3.5 A.4", 8)] if table == "wrong" else [])
        assert opened.notes() == []

    def test_the_extended_table_comes_first(self) -> None:
        odd = [*self.FRAMES[:2], self.FRAMES[2] + b"\x80"]
        coded = encapsulate.encapsulate(odd, table="extended")
        opened = self.open(coded)
        assert opened.frame_bytes(2) == (odd[2], 0)
        assert opened.notes() == []
        assert coded.extended is not None
        opened = self.open(encapsulate.Encapsulated(coded.value, (coded.extended[0], coded.extended[1][:8])))
        assert opened.frame_bytes(2) == (odd[2] + b"\0", 0)
        what = "the extended offset table does not lead to the frames, not used"
        assert opened.notes() == [(None, what, "PS3.3 C.7.6.3.1.8", None)]

    def test_a_frame_that_is_cut_does_not_spoil_the_others(self) -> None:
        coded = encapsulate.encapsulate(list(self.FRAMES), table="basic")
        opened = frames(RLELossless, coded.value[:-3], number_of_frames=3)
        assert decode(opened, "u1", 4, [0, 1])[0].tolist() == [[1] * 4, [2] * 4]
        with pytest.raises(TruncatedFrameError, match="an item of 666 bytes found, 663 are left") as error:
            decode(opened, "u1", 4)
        assert (error.value.frame_index, error.value.offset) == (2, len(coded.value) - 3)

    def test_a_table_that_turns_out_wrong_late_is_noted_then(self) -> None:
        value = bytearray(encapsulate.encapsulate(list(self.FRAMES), table="basic").value)
        value[12:16] = struct.pack("<L", 2)
        opened = frames(RLELossless, bytes(value), number_of_frames=3)
        assert opened.notes() == []
        note = (None, "the basic offset table does not lead to the frames, not used", "PS3.5 A.4", 8)
        assert decode(opened, "u1", 4, [1])[1] == [note]
        assert opened.notes() == []
        with pytest.raises(CorruptFrameError, match="does not lead to the frames") as error:
            decode(opened, "u1", 4, [1], strict=True)
        assert (facts(error), error.value.frame_index) == (("Malformed", 8), 1)

    def test_more_frames_than_declared(self) -> None:
        opened = self.open(encapsulate.encapsulate(list(self.FRAMES)), declared=1)
        assert len(opened) == 3
        assert opened.notes() == [(None, "number of frames is 1, 3 are there", "PS3.3 C.7.6.6", None)]

    def test_empty_fragments_make_no_frame(self) -> None:
        for empty in (1, 2):
            value = encapsulate.item(b"") * (1 + empty) + encapsulate.item(self.FRAMES[0])
            opened = frames(RLELossless, value, MONO_8)
            assert len(opened) == 1
            assert opened.frame_bytes(0)[0] == self.FRAMES[0]

    def test_frames_that_cannot_be_told_apart(self) -> None:
        pieces = [encapsulate.item(b"ab")] * 3
        with pytest.raises(CorruptFrameError, match="only 1 can be told apart"):
            frames(RLELossless, encapsulate.item(b"") + b"".join(pieces), number_of_frames=2)
        with pytest.raises(TruncatedFrameError, match="3 fragments found, 4 frames expected"):
            frames(RLELossless, encapsulate.item(b"") + b"".join(pieces), number_of_frames=4)

    @pytest.mark.parametrize(
        ("value", "kind", "offset", "text"),
        [
            (b"", "Truncated", 0, "the basic offset table item is missing"),
            (b"\xfe\xff\0", "Truncated", 0, "3 bytes found, an item header of 8 expected"),
            (bytes(8), "Malformed", 0, "tag (0000,0000) found, an item (FFFE,E000) expected"),
            (encapsulate.item(b"") + b"\x28\0\x10\0abcd", "Malformed", 8, "tag (0028,0010) found"),
            (b"\xfe\xff\0\xe0\xff\xff\xff\xff", "Malformed", 4, "an item of undefined length"),
            (encapsulate.item(b"") + encapsulate.item(b"abcd")[:-1], "Truncated", 19, "an item of 4 bytes found, 3"),
            (encapsulate.item(b""), "Truncated", 8, "0 fragments found, 1 frames expected"),
        ],
    )
    def test_broken_items(self, value: bytes, kind: str, offset: int, text: str) -> None:
        with pytest.raises(CorruptFrameError) as error:
            frames(RLELossless, value)
        assert facts(error) == (kind, offset)
        assert str(error.value).startswith(text)

    def test_zeros_after_the_last_item_are_padding(self) -> None:
        value = encapsulate.encapsulate([self.FRAMES[0]]).value
        assert len(frames(RLELossless, value + b"\0")) == 1


class TestOutput:
    """What the caller asks for, and what it may be written to."""

    VALUE = bytes([1, 2, 3, 254])

    def test_wider_integers_take_the_values(self) -> None:
        opened = frames(ExplicitVRLittleEndian, self.VALUE)
        for dtype in ("u1", "i2", "u2", "i4", "u4", "i8", "u8"):
            assert decode(opened, dtype, 4)[0].tolist() == [[1, 2, 3, 254]]
        signed = frames(ExplicitVRLittleEndian, self.VALUE, pixel_representation=1)
        for dtype in ("i1", "i2", "i8"):
            assert decode(signed, dtype, 4)[0].tolist() == [[1, 2, 3, -2]]

    @pytest.mark.parametrize("dtype", ["i1", "f4", "f8", "f2", "?", ">u2", "c8", "O"])
    def test_other_types_are_refused(self, dtype: str) -> None:
        opened = frames(ExplicitVRLittleEndian, self.VALUE)
        with pytest.raises(ValueError) as error:
            opened.decode_into(np.zeros(4, dtype), [0])
        assert not isinstance(error.value, DecodeError)

    def test_a_sign_is_not_dropped(self) -> None:
        with pytest.raises(ValueError, match="cannot hold"):
            decode(frames(ExplicitVRLittleEndian, self.VALUE, pixel_representation=1), "u2", 4)

    def test_memory(self) -> None:
        opened = frames(ExplicitVRLittleEndian, self.VALUE)
        with pytest.raises(ValueError, match="3 samples"):
            opened.decode_into(np.zeros(3, np.uint8), [0])
        with pytest.raises(ValueError, match="C-contiguous"):
            opened.decode_into(np.zeros(8, np.uint8)[::2], [0])
        frozen = np.zeros(4, np.uint8)
        frozen.flags.writeable = False
        with pytest.raises(ValueError, match="written"):
            opened.decode_into(frozen, [0])
        with pytest.raises(IndexError, match="frame 1 asked for, there are 1"):
            opened.decode_into(np.zeros(4, np.uint8), [1])
        with pytest.raises(IndexError):
            opened.check([1])
        with pytest.raises(ValueError, match="frame 1 asked for"):
            opened.frame_bytes(1)

    def test_rescale(self) -> None:
        opened = frames(ExplicitVRLittleEndian, self.VALUE * 2, number_of_frames=2)
        out, _ = decode(opened, "f4", 4, rescales=[(0.1, -3.0)])
        expected = (np.array([1, 2, 3, 254], np.float64) * 0.1 - 3.0).astype(np.float32)
        np.testing.assert_array_equal(out, [expected] * 2)
        out, _ = decode(opened, "i2", 4, [1, 0], rescales=[(2.0, -1024.0), (0.0, 7.0)])
        assert out.tolist() == [[-1022, -1020, -1018, -516], [7] * 4]
        with pytest.raises(ValueError, match="the value of sample 0 is not exact in int16"):
            decode(opened, "i2", 4, rescales=[(0.5, 0.0)])
        with pytest.raises(ValueError, match="the value of sample 3 is not exact in uint8"):
            decode(opened, "u1", 4, rescales=[(1.0, 2.0)])
        with pytest.raises(ValueError, match="more than one sample"):
            decode(frames(ExplicitVRLittleEndian, bytes(12), RGB_8), "f4", 12, rescales=[(1.0, 0.0)])

    def test_colour(self) -> None:
        rng = np.random.default_rng(0)
        attributes = RGB_8 | {"rows": 100, "columns": 100, "photometric_interpretation": "YBR_FULL"}
        pixels = rng.integers(0, 256, (100, 100, 3), np.uint8)
        out, _ = decode(frames(ExplicitVRLittleEndian, pixels.tobytes(), attributes), "u1", 30000, to_rgb=True)
        expected = convert_color_space(pixels, "YBR_FULL", "RGB").astype(int)
        tie = (abs(pixels[..., 1].astype(int) - 128) == 50) & (abs(pixels[..., 2].astype(int) - 128) == 50)
        different = out.reshape(pixels.shape) != expected
        # pydicom's matrix product may or may not fuse multiply and add, which shows at one pair of differences.
        assert not different[~tie].any()
        with pytest.raises(ValueError, match="three unsigned samples of 8 bits"):
            decode(frames(ExplicitVRLittleEndian, bytes(60000), attributes | WIDE), "u2", 30000, to_rgb=True)
        opened = frames(ExplicitVRLittleEndian, self.VALUE)
        assert np.array_equal(decode(opened, "u1", 4, to_rgb=True)[0], decode(opened, "u1", 4)[0])

    def test_colour_by_hand(self) -> None:
        attributes = RGB_8 | {"rows": 1, "columns": 6, "photometric_interpretation": "YBR_FULL"}
        pixels = bytes([0, 128, 128, 255, 128, 128, 100, 128, 228, 100, 228, 128, 250, 250, 250, 19, 78, 178])
        out, _ = decode(frames(ExplicitVRLittleEndian, pixels, attributes), "u1", 18, to_rgb=True)
        rows = out.reshape(6, 3).tolist()
        assert rows[:2] == [[0] * 3, [255] * 3]
        assert rows[2:5] == [[240, 29, 100], [100, 66, 255], [255, 121, 255]]
        # The tie that float32 with fused multiply and add rounds down: 19 + 17.2068 - 35.7068 = 0.5.
        assert rows[5] == [89, 0, 0]

    def test_limit(self) -> None:
        coded = encapsulate.encapsulate([bytes(200)], fragments=2)
        opened = frames(dataset.ENCAPSULATED_UNCOMPRESSED, coded.value, rows=10, columns=20)
        decode(opened, "u1", 200, max_bytes=400)
        with pytest.raises(LimitError, match="400 bytes of output and scratch needed, max_bytes is 399") as error:
            decode(opened, "u1", 200, max_bytes=399)
        assert facts(error) == ("LimitExceeded", None)

    def test_the_notes_are_those_of_the_first_frame_that_has_any(self) -> None:
        good, long = rle_frame(b"\xfd\1"), rle_frame(b"\xfc\1")
        opened = frames(RLELossless, encapsulate.encapsulate([good, long, long]).value, number_of_frames=3)
        assert decode(opened, "u1", 4, [0, 2, 1])[1] == [
            (2, "run of segment 1 passes the end of its plane by 1", "PS3.5 Annex G.3", 64)
        ]

    def test_short_frames_are_refused_before_their_samples_are_allocated(self) -> None:
        with pytest.raises(TruncatedFrameError, match="3 bytes found, a frame of this size has at least 4"):
            frames(ExplicitVRLittleEndian, bytes(3), whole=True).check([0])
        attributes = MONO_16 | {"rows": 65, "columns": 2}
        header = np.array([2, 64, 66, *[0] * 13], "<u4").tobytes()
        with pytest.raises(TruncatedFrameError, match="68 bytes found, a frame of this size has at least 70"):
            frames(RLELossless, header + bytes(4), attributes, whole=True).check([0])
        with pytest.raises(CorruptFrameError, match="number of segments 0 found"):
            frames(RLELossless, bytes(68), attributes, whole=True).check([0])
        frames(RLELossless, bytes(66), MONO_16, whole=True).check([0])


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
        ],
    )
    def test_no_image_has_them(self, changed: dict[str, int], text: str) -> None:
        with pytest.raises(CorruptFrameError) as error:
            frames(ExplicitVRLittleEndian, bytes(64), **changed)
        assert str(error.value).startswith(text)
        assert facts(error) == ("Malformed", None)

    @pytest.mark.parametrize(
        "changed",
        [
            {"bits_allocated": 24},
            {"bits_allocated": 16, "is_float": True},
            {"bits_allocated": 1, "bits_stored": 1, "high_bit": 0, "samples_per_pixel": 3},
        ],
    )
    def test_no_array_holds_them(self, changed: dict[str, int]) -> None:
        with pytest.raises(UnsupportedError):
            frames(ExplicitVRLittleEndian, bytes(64), **changed)

    def test_transfer_syntaxes(self) -> None:
        table = _numpy_backend.transfer_syntaxes()
        assert len({uid for uid, _, _ in table}) == len(table) > 50
        for uid, keyword, codec in table:
            known = UID(uid)
            if known.keyword:
                assert known.keyword == keyword
                assert known.is_encapsulated == (uid in _numpy_backend._syntaxes.ENCAPSULATED)
            if codec is None:
                with pytest.raises(UnsupportedError, match=f"no codec for transfer syntax {keyword} ") as error:
                    frames(uid, b"")
                assert error.value.transfer_syntax == uid
        assert {codec for _, _, codec in table} == {"native", "rle", None}
        with pytest.raises(UnsupportedError, match=r"1\.2\.3"):
            frames("1.2.3", b"")
        assert len(frames("1.2.840.10008.1.2\0", bytes(4))) == 1


class TestFunctions:
    """Packed bits and rescale on arrays."""

    def test_bits(self) -> None:
        out = np.zeros((2, 3), np.uint8)
        _numpy_backend.unpack_bits_into(bytes([0b1001_0110, 0b1]), 3, out)
        assert out.tolist() == [[0, 1, 0], [0, 1, 1]]
        packed = np.zeros(2, np.uint8)
        _numpy_backend.pack_bits_into(np.array([0, 5, 1, 0, 1, 0, 0, 255, 1], np.uint8), packed)
        assert packed.tolist() == [0b1001_0110, 0b1]

    @QUICK
    @given(st.lists(st.integers(0, 1)), st.integers(0, 20))
    def test_bits_there_and_back(self, bits: list[int], offset_bits: int) -> None:
        src = native.pack([1] * offset_bits + bits)
        out = np.empty(len(bits), np.uint8)
        _numpy_backend.unpack_bits_into(src, offset_bits, out)
        assert out.tolist() == bits
        packed = np.empty(-(-len(bits) // 8), np.uint8)
        _numpy_backend.pack_bits_into(out, packed)
        assert packed.tobytes() == native.pack(bits)

    def test_lengths(self) -> None:
        with pytest.raises(TruncatedFrameError, match="8 bits found from bit 8 on, 9 expected"):
            _numpy_backend.unpack_bits_into(bytes(2), 8, np.zeros(9, np.uint8))
        with pytest.raises(ValueError, match="bit offset -1"):
            _numpy_backend.unpack_bits_into(bytes(2), -1, np.zeros(9, np.uint8))
        with pytest.raises(ValueError, match="uint8 expected"):
            _numpy_backend.unpack_bits_into(bytes(2), 0, np.zeros(9, np.int8))
        with pytest.raises(ValueError, match="3 bytes, the packed samples have 2"):
            _numpy_backend.pack_bits_into(np.zeros(9, np.uint8), np.zeros(3, np.uint8))
        with pytest.raises(ValueError, match="4 expected"):
            _numpy_backend.rescale_into(np.zeros(4), 1.0, 0.0, np.zeros(3))

    def test_rescale_overflows_floats_quietly(self) -> None:
        out = np.empty(2, np.float32)
        _numpy_backend.rescale_into(np.array([1, 2], np.uint8), 1e300, 0.0, out)
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
    def test_integers_are_exact_or_refused(
        self, value: int, slope: float, intercept: float, dtype: str, expected: int | None
    ) -> None:
        src, out = np.array([0, value], np.uint64)[1:], np.empty(1, dtype)
        if expected is None:
            with pytest.raises(ValueError, match="the value of sample 0 is not exact in "):
                _numpy_backend.rescale_into(src, slope, intercept, out)
        else:
            _numpy_backend.rescale_into(src, slope, intercept, out)
            assert out.tolist() == [expected]
