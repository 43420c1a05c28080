"""The NumPy backend: RLE Lossless (PS3.5 Annex G)."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import RLELossless

from dicoxide import _numpy_backend
from dicoxide.errors import (
    CorruptFrameError,
    TruncatedFrameError,
)
from support.encoders import dataset, rle
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
    rle_frame,
)


class TestRle:
    """PS3.5 Annex G, byte by byte."""

    def test_runs_decode(self) -> None:
        assert decode_one_frame(RLELossless, rle_frame(bytes([3, 1, 2, 3, 4])), "u1") == [1, 2, 3, 4]
        assert decode_one_frame(RLELossless, rle_frame(bytes([0xFD, 9])), "u1") == [9] * 4
        assert decode_one_frame(RLELossless, rle_frame(bytes([0x80, 0, 7, 0x80, 0xFE, 9])), "u1") == [7, 9, 9, 9]

    def test_longest_runs_decode(self) -> None:
        attributes = MONO_8 | {"rows": 1, "columns": 256}
        segment = bytes([127, *range(128), 0x81, 5, 0])
        assert decode_one_frame(RLELossless, rle_frame(segment), "u1", attributes) == [*range(128), *[5] * 128]

    def test_segments_have_the_most_significant_byte_first(self) -> None:
        high, low = bytes([0xFD, 0x12]), bytes([3, 1, 2, 3, 4, 0])
        assert decode_one_frame(RLELossless, rle_frame(high, low), "u2", MONO_16) == [0x1201, 0x1202, 0x1203, 0x1204]
        opened = open_numpy_frames(RLELossless, rle_frame(low, high), MONO_16, whole=True)
        out, _ = decode_frames(opened, "u2", 4, segment_byte_order="little")
        assert out.tolist() == [[0x1201, 0x1202, 0x1203, 0x1204]]

    def test_segments_are_ordered_by_sample(self) -> None:
        planes = [bytes([0xFD, colour]) for colour in (1, 2, 3)]
        assert decode_one_frame(RLELossless, rle_frame(*planes), "u1", RGB_8) == [1, 2, 3] * 4
        planes = [bytes([0xFD, byte]) for byte in range(1, 7)]
        attributes = RGB_8 | {"bits_allocated": 16, "bits_stored": 16, "high_bit": 15}
        assert decode_one_frame(RLELossless, rle_frame(*planes), "u2", attributes) == [0x0102, 0x0304, 0x0506] * 4

    @pytest.mark.parametrize("bits", [32, 64])
    def test_wide_samples_decode(self, bits: int) -> None:
        attributes = MONO_8 | {"bits_allocated": bits, "bits_stored": bits, "high_bit": bits - 1}
        planes = [bytes([0xFD, byte]) for byte in range(1, bits // 8 + 1)]
        expected = int.from_bytes(range(1, bits // 8 + 1), "big")
        assert decode_one_frame(RLELossless, rle_frame(*planes), f"u{bits // 8}", attributes) == [expected] * 4

    def test_single_bits_have_one_byte_per_pixel(self) -> None:
        attributes = MONO_8 | {"bits_allocated": 1, "bits_stored": 1, "high_bit": 0, "rows": 3, "columns": 3}
        frame = rle_frame(bytes([0xFA, 1, 1, 0, 1]))
        assert decode_one_frame(RLELossless, frame, "u1", attributes) == [1] * 7 + [0, 1]

    def test_packed_bits_are_a_deviation(self) -> None:
        attributes = MONO_8 | {"bits_allocated": 1, "bits_stored": 1, "high_bit": 0, "rows": 3, "columns": 3}
        frame = rle_frame(bytes([1, 0b1000_0101, 0b1, 0]))
        opened = open_numpy_frames(RLELossless, frame, attributes, whole=True)
        out, deviations = decode_frames(opened, "u1", 9)
        assert out[0].tolist() == [1, 0, 1, 0, 0, 0, 0, 1, 1]
        assert ["packed bits" in str(deviation) for deviation in deviations] == [True]

    @examples(60)
    @given(st.sampled_from(sorted(rle.STYLES)), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 2**32))
    def test_any_encoding_style_decodes(self, style: str, no_ops: bool, pad: bool, little: bool, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shape = (int(rng.integers(1, 20)), int(rng.integers(1, 20)), 3)
        values = dataset.random_values(rng, shape, 32, "i4")
        coded = rle.encode(values, 32, style, little=little, no_ops=no_ops, pad=pad, rng=random.Random(seed))
        attributes = RGB_8 | {"rows": shape[0], "columns": shape[1], "bits_allocated": 32, "bits_stored": 32}
        opened = open_numpy_frames(RLELossless, coded, attributes, high_bit=31, pixel_representation=1, whole=True)
        out, notes = decode_frames(opened, "i4", values.size, segment_byte_order="little" if little else "big")
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
    def test_invalid_frame_raises_with_kind_and_offset(self, frame: bytes, kind: str, offset: int, text: str) -> None:
        with pytest.raises(CorruptFrameError) as error:
            decode_one_frame(RLELossless, frame, "u1")
        assert kind_and_offset(error) == (kind, offset)
        assert str(error.value).startswith(text)
        assert error.value.frame_index == 0

    @pytest.mark.parametrize("second", [64, 63, 0, 68, 2**32 - 1])
    def test_invalid_second_offset_raises_malformed(self, second: int) -> None:
        with pytest.raises(CorruptFrameError) as error:
            decode_one_frame(RLELossless, rle_frame(b"\xfd\0\xfd\0", header=[2, 64, second]), "u2", MONO_16)
        assert kind_and_offset(error) == ("Malformed", 8)

    def test_first_cut_segment_is_reported(self) -> None:
        with pytest.raises(TruncatedFrameError) as error:
            decode_one_frame(RLELossless, rle_frame(b"\xff\1", b"\xff\1"), "u2", MONO_16)
        assert kind_and_offset(error) == ("Truncated", 66)

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
    def test_deviation_is_reported_or_raised_with_strict(self, frame: bytes, what: str, offset: int) -> None:
        opened = open_numpy_frames(RLELossless, frame, whole=True)
        out, notes = decode_frames(opened, "u1", 4)
        assert out[0].tolist() in ([5, 5, 5, 5], [5, 5, 5, 6])
        assert [(index, text, where) for index, text, _, where in notes] == [(0, what, offset)]
        with pytest.raises(CorruptFrameError, match=what) as error:
            decode_frames(opened, "u1", 4, strict=True)
        assert kind_and_offset(error) == ("Malformed", offset)

    def test_pad_byte_is_not_a_deviation(self) -> None:
        assert decode_frames(open_numpy_frames(RLELossless, rle_frame(b"\3\1\2\3\4\0"), whole=True), "u1", 4)[1] == []

    def test_run_past_the_plane_is_a_deviation(self) -> None:
        values = np.full((2, 2, 1), 5, np.uint8)
        opened = open_numpy_frames(RLELossless, rle.encode(values, 8, oversize=3), whole=True)
        out, notes = decode_frames(opened, "u1", 4)
        assert out.tolist() == [[5] * 4]
        assert notes == [(0, "run of segment 1 passes the end of its plane by 3", "PS3.5 Annex G.3", 64)]

    def test_large_image_in_few_bytes_raises_before_allocation(self) -> None:
        attributes = MONO_8 | {"rows": 65535, "columns": 65535}
        opened = open_numpy_frames(RLELossless, rle_frame(b"\x81\0"), attributes, whole=True)
        window = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (65535 * 65535,), (0,))
        with pytest.raises(ValueError, match="C-contiguous"):
            opened.decode_into(window, [0])
        with pytest.raises(TruncatedFrameError, match="at least 67106817 expected") as error:
            _numpy_backend._rle.decode(rle_frame(b"\x81\0"), opened._info, "big", _numpy_backend.Limits(0))
        assert kind_and_offset(error) == ("Truncated", 66)

    def test_every_prefix_raises_corrupt_frame(self) -> None:
        values = np.arange(40, dtype=np.uint16).reshape(5, 8, 1) * 300
        coded = rle.encode(values, 16, pad=False)
        attributes = MONO_16 | {"rows": 5, "columns": 8}
        for end in range(len(coded)):
            with pytest.raises(CorruptFrameError) as error:
                decode_one_frame(RLELossless, coded[:end], "u2", attributes)
            # If the second segment is missing, its offset is invalid.
            assert kind_and_offset(error) in (("Truncated", end), ("Malformed", 4), ("Malformed", 8))

    @examples(300)
    @given(st.binary(max_size=40), st.integers(1, 3), st.sampled_from([1, 8, 16]))
    def test_arbitrary_segments_decode_or_raise_corrupt_frame(self, body: bytes, count: int, bits: int) -> None:
        offsets = [64 + index for index in range(count)]
        attributes = MONO_8 | {"bits_allocated": bits, "bits_stored": bits, "high_bit": bits - 1, "rows": 7}
        try:
            decode_one_frame(
                RLELossless, rle_frame(body, header=[count, *offsets]), "u2" if bits == 16 else "u1", attributes
            )
        except CorruptFrameError as error:
            assert_describes_error(error, RLELossless, 64 + len(body))
