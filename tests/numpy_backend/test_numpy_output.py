"""The NumPy backend: output types, rescale, colour, limits and deviations."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.pixels import convert_color_space
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from dicoxide.errors import (
    CorruptFrameError,
    DecodeError,
    LimitError,
    TruncatedFrameError,
)
from support.encoders import dataset, encapsulate
from support.numpy_frames import (
    MONO_16,
    RGB_8,
    WIDE,
    decode_frames,
    kind_and_offset,
    open_numpy_frames,
    rle_frame,
)


class TestOutput:
    """Output arrays and conversions."""

    VALUE = bytes([1, 2, 3, 254])

    def test_decode_into_wider_integers_keeps_values(self) -> None:
        opened = open_numpy_frames(ExplicitVRLittleEndian, self.VALUE)
        for dtype in ("u1", "i2", "u2", "i4", "u4", "i8", "u8"):
            assert decode_frames(opened, dtype, 4)[0].tolist() == [[1, 2, 3, 254]]
        signed = open_numpy_frames(ExplicitVRLittleEndian, self.VALUE, pixel_representation=1)
        for dtype in ("i1", "i2", "i8"):
            assert decode_frames(signed, dtype, 4)[0].tolist() == [[1, 2, 3, -2]]

    @pytest.mark.parametrize("dtype", ["i1", "f4", "f8", "f2", "?", ">u2", "c8", "O"])
    def test_decode_into_other_dtypes_raises_value_error(self, dtype: str) -> None:
        opened = open_numpy_frames(ExplicitVRLittleEndian, self.VALUE)
        with pytest.raises(ValueError) as error:
            opened.decode_into(np.zeros(4, dtype), [0])
        assert not isinstance(error.value, DecodeError)

    def test_decode_of_signed_into_unsigned_raises_value_error(self) -> None:
        with pytest.raises(ValueError, match="cannot hold"):
            decode_frames(open_numpy_frames(ExplicitVRLittleEndian, self.VALUE, pixel_representation=1), "u2", 4)

    def test_decode_into_unsuitable_memory_raises(self) -> None:
        opened = open_numpy_frames(ExplicitVRLittleEndian, self.VALUE)
        with pytest.raises(ValueError, match="3 samples"):
            opened.decode_into(np.zeros(3, np.uint8), [0])
        with pytest.raises(ValueError, match="C-contiguous"):
            opened.decode_into(np.zeros(8, np.uint8)[::2], [0])
        frozen = np.zeros(4, np.uint8)
        frozen.flags.writeable = False
        with pytest.raises(ValueError, match="written"):
            opened.decode_into(frozen, [0])
        with pytest.raises(IndexError, match="frame index 1 is out of range for 1 frames"):
            opened.decode_into(np.zeros(4, np.uint8), [1])
        with pytest.raises(IndexError):
            opened.check([1])
        with pytest.raises(ValueError, match="frame index 1 is out of range for 1 frames"):
            opened.frame_bytes(1)

    def test_decode_with_rescale_is_exact_or_raises(self) -> None:
        opened = open_numpy_frames(ExplicitVRLittleEndian, self.VALUE * 2, number_of_frames=2)
        out, _ = decode_frames(opened, "f4", 4, rescales=[(0.1, -3.0)])
        expected = (np.array([1, 2, 3, 254], np.float64) * 0.1 - 3.0).astype(np.float32)
        np.testing.assert_array_equal(out, [expected] * 2)
        out, _ = decode_frames(opened, "i2", 4, [1, 0], rescales=[(2.0, -1024.0), (0.0, 7.0)])
        assert out.tolist() == [[-1022, -1020, -1018, -516], [7] * 4]
        with pytest.raises(ValueError, match="the value of sample 0 is not exact in int16"):
            decode_frames(opened, "i2", 4, rescales=[(0.5, 0.0)])
        with pytest.raises(ValueError, match="the value of sample 3 is not exact in uint8"):
            decode_frames(opened, "u1", 4, rescales=[(1.0, 2.0)])
        with pytest.raises(ValueError, match="more than one sample"):
            decode_frames(open_numpy_frames(ExplicitVRLittleEndian, bytes(12), RGB_8), "f4", 12, rescales=[(1.0, 0.0)])

    def test_decode_to_rgb_equals_pydicom(self) -> None:
        rng = np.random.default_rng(0)
        attributes = RGB_8 | {"rows": 100, "columns": 100, "photometric_interpretation": "YBR_FULL"}
        pixels = rng.integers(0, 256, (100, 100, 3), np.uint8)
        out, _ = decode_frames(
            open_numpy_frames(ExplicitVRLittleEndian, pixels.tobytes(), attributes), "u1", 30000, to_rgb=True
        )
        expected = convert_color_space(pixels, "YBR_FULL", "RGB").astype(int)
        tie = (abs(pixels[..., 1].astype(int) - 128) == 50) & (abs(pixels[..., 2].astype(int) - 128) == 50)
        different = out.reshape(pixels.shape) != expected
        # pydicom's matrix product may or may not fuse multiply and add, which shows at one pair of differences.
        assert not different[~tie].any()
        with pytest.raises(ValueError, match="three unsigned samples of 8 bits"):
            decode_frames(
                open_numpy_frames(ExplicitVRLittleEndian, bytes(60000), attributes | WIDE), "u2", 30000, to_rgb=True
            )
        opened = open_numpy_frames(ExplicitVRLittleEndian, self.VALUE)
        assert np.array_equal(decode_frames(opened, "u1", 4, to_rgb=True)[0], decode_frames(opened, "u1", 4)[0])

    def test_decode_to_rgb_of_known_values(self) -> None:
        attributes = RGB_8 | {"rows": 1, "columns": 6, "photometric_interpretation": "YBR_FULL"}
        pixels = bytes([0, 128, 128, 255, 128, 128, 100, 128, 228, 100, 228, 128, 250, 250, 250, 19, 78, 178])
        out, _ = decode_frames(open_numpy_frames(ExplicitVRLittleEndian, pixels, attributes), "u1", 18, to_rgb=True)
        rows = out.reshape(6, 3).tolist()
        assert rows[:2] == [[0] * 3, [255] * 3]
        assert rows[2:5] == [[240, 29, 100], [100, 66, 255], [255, 121, 255]]
        # The tie that float32 with fused multiply and add rounds down: 19 + 17.2068 - 35.7068 = 0.5.
        assert rows[5] == [89, 0, 0]

    def test_decode_over_max_bytes_raises_limit_error(self) -> None:
        coded = encapsulate.encapsulate([bytes(200)], fragments=2)
        opened = open_numpy_frames(dataset.ENCAPSULATED_UNCOMPRESSED, coded.value, rows=10, columns=20)
        decode_frames(opened, "u1", 200, max_bytes=400)
        with pytest.raises(LimitError, match="400 bytes of output and scratch needed, max_bytes is 399") as error:
            decode_frames(opened, "u1", 200, max_bytes=399)
        assert kind_and_offset(error) == ("LimitExceeded", None)

    def test_decode_reports_deviations_of_the_first_deviating_frame(self) -> None:
        good, long = rle_frame(b"\xfd\1"), rle_frame(b"\xfc\1")
        opened = open_numpy_frames(RLELossless, encapsulate.encapsulate([good, long, long]).value, number_of_frames=3)
        assert decode_frames(opened, "u1", 4, [0, 2, 1])[1] == [
            (2, "run of segment 1 passes the end of its plane by 1", "PS3.5 Annex G.3", 64)
        ]

    def test_check_of_short_frames_raises_truncated(self) -> None:
        with pytest.raises(TruncatedFrameError, match="frame has 3 bytes, at least 4 expected"):
            open_numpy_frames(ExplicitVRLittleEndian, bytes(3), whole=True).check([0])
        attributes = MONO_16 | {"rows": 65, "columns": 2}
        header = np.array([2, 64, 66, *[0] * 13], "<u4").tobytes()
        with pytest.raises(TruncatedFrameError, match="frame has 68 bytes, at least 70 expected"):
            open_numpy_frames(RLELossless, header + bytes(4), attributes, whole=True).check([0])
        with pytest.raises(CorruptFrameError, match="number of segments 0 found"):
            open_numpy_frames(RLELossless, bytes(68), attributes, whole=True).check([0])
        open_numpy_frames(RLELossless, bytes(66), MONO_16, whole=True).check([0])
