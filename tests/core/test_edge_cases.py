"""Edge cases that other decoders reject or decode wrongly, with the clauses of the standard."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning, TruncatedFrameError, UnsupportedError
from support.encoders import encapsulate, rle
from support.encoders.dataset import dataset, random_values, to_bytes

RNG = np.random.default_rng(11)


def image(dtype: str, samples: int = 1, rows: int = 7, columns: int = 9) -> np.ndarray:
    return random_values(RNG, (rows, columns, samples), np.dtype(dtype).itemsize * 8, dtype)


def rle_decode(src: bytes, frame: np.ndarray, **options: Any) -> np.ndarray:
    rows, columns, samples = frame.shape
    decoded = dicoxide.rle_decode(src, rows, columns, samples, frame.dtype.itemsize * 8, **options)
    return decoded.reshape(frame.shape)


class TestRle:
    """PS3.5 Annex G."""

    @pytest.mark.parametrize("style", sorted(rle.STYLES))
    @pytest.mark.parametrize(("dtype", "samples"), [("u1", 1), ("u1", 3), ("u2", 3), ("u4", 1), ("u4", 3), ("u8", 1)])
    @pytest.mark.parametrize("options", [{}, {"pad": False}, {"no_ops": True}], ids=str)
    def test_rle_of_every_depth_and_style_decodes(
        self, dtype: str, samples: int, style: str, options: dict[str, Any]
    ) -> None:
        # Runs cross row ends: a segment is one run of bytes over the whole frame (G.3).
        frame = image(dtype, samples, 61, 67)
        assert np.array_equal(rle_decode(rle.encode(frame, frame.itemsize * 8, style, **options), frame), frame)

    @pytest.mark.parametrize("oversize", [1, 2, 60])
    def test_rle_run_past_the_plane_decodes_with_a_warning(self, oversize: int) -> None:
        frame = np.repeat(image("u2", 1, 3, 4), 9, axis=0)
        frame[-1] = frame[-1, -1]
        src = rle.encode(frame, 16, oversize=oversize)
        with pytest.warns(NonConformantWarning, match=f"passes the end of its plane by {oversize}"):
            assert np.array_equal(rle_decode(src, frame), frame)
        spec = dicoxide.FrameSpec(transfer_syntax=RLELossless, rows=27, columns=4, bits_allocated=16)
        with pytest.warns(NonConformantWarning):
            dicoxide.decode_frame(src, spec)

    def test_rle_bytes_after_the_last_run_warn_unless_padding(self) -> None:
        # A segment of odd length is padded with one zero byte (G.3.1).
        plane = rle.literal(b"abc")
        expected = np.frombuffer(b"abc", np.uint8).reshape(1, 3)
        odd = rle.assemble([plane + b"\0\0"])
        assert np.array_equal(dicoxide.rle_decode(rle.assemble([plane]), 1, 3, bits_allocated=8), expected)
        assert np.array_equal(dicoxide.rle_decode(rle.assemble([plane[:0] + plane]), 1, 3, bits_allocated=8), expected)
        for extra in (b"\0\0\0", b"\x05", b"\x80\x80"):
            with pytest.warns(NonConformantWarning, match="follow the last run"):
                decoded = dicoxide.rle_decode(rle.assemble([plane + extra]), 1, 3, bits_allocated=8)
            assert np.array_equal(decoded, expected)
        with pytest.warns(NonConformantWarning):
            dicoxide.rle_decode(odd, 1, 3, bits_allocated=8)

    def test_rle_segment_cut_short_raises_with_the_offset(self) -> None:
        frame = image("u2", 1, 40, 50)
        src = rle.encode(frame, 16)
        with pytest.raises(TruncatedFrameError) as caught:
            rle_decode(src[:-20], frame)
        assert caught.value.offset == len(src) - 20
        assert caught.value.clause.startswith("PS3.5 Annex G.3")
        segments = [rle.encode_segment(plane) for plane in rle.planes(frame, 16)]
        segments[0] = segments[0][: len(segments[0]) // 2]
        with pytest.raises(TruncatedFrameError) as caught:
            rle_decode(rle.assemble(segments), frame)
        assert caught.value.offset == 64 + len(segments[0])

    def test_rle_segment_byte_order_little_swaps_segments(self) -> None:
        for dtype in ("u2", "u4"):
            frame = image(dtype, 3)
            src = rle.encode(frame, frame.itemsize * 8, little=True)
            assert np.array_equal(rle_decode(src, frame, segment_byte_order="little"), frame)
            assert np.array_equal(rle_decode(src, frame), frame.byteswap())
        with pytest.raises(ValueError, match="segment_byte_order"):
            rle_decode(src, frame, segment_byte_order="<")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("field", "value", "offset"),
        [
            (0, 0, 0),
            (0, 1, 0),
            (0, 3, 0),
            (0, 16, 0),
            (0, 2**32 - 1, 0),
            (1, 63, 4),
            (1, 0, 4),
            (2, 64, 8),
            (2, 65, None),
            (2, 2**31, 8),
            (2, 2**32 - 1, 8),
        ],
    )
    def test_rle_header_with_invalid_field_raises_with_the_offset(
        self, field: int, value: int, offset: int | None
    ) -> None:
        frame = image("u2")
        src = bytearray(rle.encode(frame, 16))
        struct.pack_into("<L", src, 4 * field, value)
        with pytest.raises(CorruptFrameError) as caught:
            rle_decode(bytes(src), frame)
        assert "Annex G" in caught.value.clause
        if offset is not None:
            assert caught.value.offset == offset

    @pytest.mark.parametrize("length", [0, 1, 4, 63])
    def test_rle_frame_shorter_than_its_header_raises_truncated(self, length: int) -> None:
        with pytest.raises(TruncatedFrameError):
            dicoxide.rle_decode(bytes([1, *bytes(62)])[:length], 1, 1, bits_allocated=8)

    def test_rle_segment_count_of_another_image_raises_corrupt_frame(self) -> None:
        frame = image("u1", 3)
        src = rle.encode(frame, 8)
        with pytest.raises(CorruptFrameError, match="number of segments 3 found, 1 expected"):
            dicoxide.rle_decode(src, 7, 9, 1, 8)
        with pytest.raises(CorruptFrameError, match="number of segments 3 found, 6 expected"):
            dicoxide.rle_decode(src, 7, 9, 3, 16)

    @pytest.mark.parametrize("style", sorted(rle.STYLES))
    def test_rle_of_single_bits_has_one_byte_per_pixel(self, style: str) -> None:
        # G.2: a composite pixel code is padded to whole bytes, so a pixel of one bit has one byte.
        bits = (RNG.random((3, 61, 67)) < 0.3).astype(np.uint8)
        ds = dataset(bits, RLELossless, bits_allocated=1, style=style)
        assert np.array_equal(dicoxide.decode(ds), bits)
        assert np.array_equal(dicoxide.decode(ds, frames=2), bits[2])

    @pytest.mark.parametrize("shape", [(1, 9), (61, 67), (64, 64), (300, 300)])
    def test_rle_of_packed_bits_is_a_deviation(self, shape: tuple[int, int]) -> None:
        bits = (RNG.random(shape) < 0.3).astype(np.uint8)
        src = rle.encode(bits[..., None], 1, packed=True)
        ds = dataset(bits, RLELossless, bits_allocated=1, coded=[src])
        with pytest.warns(NonConformantWarning, match="packed bits"):
            assert np.array_equal(dicoxide.decode(ds), bits)
        with pytest.warns(NonConformantWarning, match=r"Annex G\.2"):
            assert np.array_equal(dicoxide.rle_decode(src, *shape, bits_allocated=1), bits)
        with pytest.raises(CorruptFrameError, match="packed bits"):
            dicoxide.decode(ds, strict=True)

    @pytest.mark.parametrize("mask", [np.zeros, np.ones])
    def test_rle_of_constant_single_bits_decodes_in_both_layouts(self, mask: Any) -> None:
        bits = mask((24, 40), np.uint8)
        assert np.array_equal(dicoxide.rle_decode(dicoxide.rle_encode(bits), 24, 40, bits_allocated=1), bits)
        src = rle.encode(bits[..., None], 1, packed=True)
        with pytest.warns(NonConformantWarning, match="packed bits"):
            assert np.array_equal(dicoxide.rle_decode(src, 24, 40, bits_allocated=1), bits)

    def test_rle_of_single_bits_with_another_value_raises(self) -> None:
        bits = (RNG.random((24, 40)) < 0.5).astype(np.uint8)
        bits[20, 7] = 255
        with pytest.raises(CorruptFrameError, match="pixel 807 has value 255, 0 or 1 expected"):
            dicoxide.rle_decode(dicoxide.rle_encode(bits), 24, 40, bits_allocated=1)

    @pytest.mark.parametrize("decoded_bytes", [119, 121, 128, 480, 959])
    def test_rle_of_single_bits_with_another_length_raises(self, decoded_bytes: int) -> None:
        src = rle.assemble([rle.encode_segment(bytes([0, 1, 1] * 320)[:decoded_bytes])])
        with pytest.raises(TruncatedFrameError, match="decoded bytes"):
            dicoxide.rle_decode(src, 24, 40, bits_allocated=1)

    @pytest.mark.parametrize("bits_allocated", [1, 8])
    def test_rle_with_a_large_surplus_raises(self, bits_allocated: int) -> None:
        bits = (RNG.random((24, 40)) < 0.5).astype(np.uint8)
        src = dicoxide.rle_encode(bits)
        with pytest.raises(CorruptFrameError, match="more than 128 decoded bytes follow the plane of segment 1"):
            dicoxide.rle_decode(src, 12, 40, bits_allocated=bits_allocated)

    def test_rle_padded_with_zeros_decodes_with_a_deviation(self) -> None:
        frame = image("u1", 1)
        with pytest.warns(NonConformantWarning, match="512 bytes follow"):
            found = dicoxide.rle_decode(
                rle.encode(frame, 8, pad=False) + bytes(512), *frame.shape[:2], bits_allocated=8
            )
        assert np.array_equal(found, frame.reshape(found.shape))

    def test_rle_of_a_large_image_in_few_bytes_raises_before_allocation(self) -> None:
        # A replicate run expands 2 bytes to 128: at most 64 bytes per byte of input.
        src = rle.assemble([rle.replicate(7, 128) * 10])
        assert (dicoxide.rle_decode(src, 10, 128, bits_allocated=8) == 7).all()
        with pytest.raises(TruncatedFrameError, match="at least"):
            dicoxide.rle_decode(src, 65535, 65535, bits_allocated=8)

    @pytest.mark.parametrize("planar_configuration", [0, 1])
    def test_rle_ignores_planar_configuration(self, planar_configuration: int) -> None:
        # Segments are planes, whatever Planar Configuration is (G.2).
        frame = image("u1", 3)
        ds = dataset(frame, RLELossless, samples_per_pixel=3, planar_configuration=planar_configuration)
        assert np.array_equal(dicoxide.decode(ds), frame)


class TestFrames:
    """PS3.5 A.4 and 8.1.1."""

    FRAMES = RNG.integers(0, 4096, (5, 6, 7), dtype=np.uint16)

    @pytest.mark.parametrize("table", ["none", "basic", "wrong", "extended"])
    def test_offset_table_of_any_kind_decodes(self, table: str) -> None:
        ds = dataset(self.FRAMES, RLELossless, table=table)
        if table == "wrong":
            with pytest.warns(NonConformantWarning, match="basic offset table"):
                assert np.array_equal(dicoxide.decode(ds), self.FRAMES)
        else:
            assert np.array_equal(dicoxide.decode(ds), self.FRAMES)

    def test_basic_offset_table_with_wrong_offsets_warns_and_decodes(self) -> None:
        frames = [rle.encode(frame[..., None], 16) for frame in self.FRAMES]
        ds = dataset(self.FRAMES, RLELossless)
        for shift in (-2, 2, 8, len(frames[0]) + 8, 100_000):
            right = encapsulate.encapsulate(frames, table="basic").value
            offsets = struct.unpack_from("<5L", right, 8)
            wrong = [max(0, offset + shift) for offset in offsets]
            ds.PixelData = right[:8] + struct.pack("<5L", *wrong) + right[28:]
            with pytest.warns(NonConformantWarning, match="basic offset table"):
                assert np.array_equal(dicoxide.decode(ds), self.FRAMES)

    def test_extended_offset_table_with_wrong_offsets_warns_and_decodes(self) -> None:
        ds = dataset(self.FRAMES, RLELossless, table="extended")
        ds.ExtendedOffsetTable = struct.pack("<5Q", *range(0, 10, 2))
        with pytest.warns(NonConformantWarning, match="extended offset table"):
            assert np.array_equal(dicoxide.decode(ds), self.FRAMES)
        ds.ExtendedOffsetTable = struct.pack("<3Q", 0, 1, 2)
        with pytest.warns(NonConformantWarning, match="extended offset table"):
            assert np.array_equal(dicoxide.decode(ds), self.FRAMES)

    @pytest.mark.parametrize("fragments", [2, 5])
    def test_frame_in_several_fragments_decodes(self, fragments: int) -> None:
        frames = np.repeat(np.repeat(self.FRAMES, 9, axis=1), 2, axis=2)
        ds = dataset(frames, RLELossless, table="basic", fragments=fragments)
        assert np.array_equal(dicoxide.decode(ds), frames)
        ds = dataset(frames, RLELossless, table="none", fragments=fragments)
        assert np.array_equal(dicoxide.decode(ds), frames)
        one = dataset(frames[0], RLELossless, table="none", fragments=fragments)
        assert np.array_equal(dicoxide.decode(one), frames[0])

    def test_fragments_without_recognisable_starts_raise_corrupt_frame(self) -> None:
        ds = dataset(self.FRAMES, RLELossless)
        ds.PixelData = encapsulate.encapsulate([bytes(70)] * 3, fragments=3).value
        with pytest.raises(CorruptFrameError, match="frame starts recognised"):
            dicoxide.decode(ds)

    def test_decode_of_one_frame_does_not_need_the_others(self) -> None:
        ds = dataset(self.FRAMES, RLELossless, table="basic")
        value = bytearray(ds.PixelData)
        last = struct.unpack_from("<5L", value, 8)[4] + 28
        value[last + 8 :] = bytes(len(value) - last - 8)
        ds.PixelData = bytes(value)
        for index in range(4):
            assert np.array_equal(dicoxide.decode(ds, frames=index), self.FRAMES[index])
        with pytest.raises(CorruptFrameError) as caught:
            dicoxide.decode(ds)
        assert caught.value.frame_index == 4

    def test_number_of_frames_too_small_warns_and_gives_all(self) -> None:
        # Each fragment starts with an RLE header, so each one is a frame.
        ds = dataset(self.FRAMES, RLELossless, number_of_frames=2)
        with pytest.warns(NonConformantWarning, match="number of frames is 2, 5 frames found"):
            assert np.array_equal(dicoxide.decode(ds), self.FRAMES)

    def test_number_of_frames_zero_warns_and_means_one(self) -> None:
        ds = dataset(self.FRAMES[0])
        ds.NumberOfFrames = 0
        with pytest.warns(NonConformantWarning, match="number of frames 0"):
            assert np.array_equal(dicoxide.decode(ds), self.FRAMES[0])

    def test_packed_bits_of_frames_not_aligned_to_bytes_decode(self) -> None:
        bits = (RNG.random((7, 3, 5)) < 0.5).astype(np.uint8)
        ds = dataset(bits, bits_allocated=1)
        assert np.array_equal(dicoxide.decode(ds), bits)
        for index in range(7):
            assert np.array_equal(dicoxide.decode(ds, frames=index), bits[index])
        # pydicom cannot read one such frame by index (pydicom#2134).
        assert np.array_equal(ds.pixel_array, bits)

    def test_object_of_more_than_2_31_bytes_decodes(self) -> None:
        # `bytes(n)` maps zeroed pages; the system allocates only those that are touched.
        ds = dataset(np.zeros((1, 1), np.uint16))
        ds.Rows = ds.Columns = 1024
        ds.NumberOfFrames = count = 2**31 // (1024 * 1024 * 2) + 2
        ds.PixelData = bytes(count * 1024 * 1024 * 2)
        assert dicoxide.decode(ds, frames=[-1, 0, -2]).shape == (3, 1024, 1024)
        ds.NumberOfFrames = count + 1
        with pytest.raises(TruncatedFrameError) as caught:
            dicoxide.decode(ds, frames=-1)
        assert caught.value.offset == len(ds.PixelData) > 2**31


class TestSamples:
    """PS3.5 8.1.1, 8.2 and 7.3; PS3.3 C.7.6.3."""

    @pytest.mark.parametrize("samples", [1, 3])
    def test_big_endian_words_of_odd_8_bit_frames_decode(self, samples: int) -> None:
        frames = random_values(RNG, (3, 3, 5, samples), 8, "u1")
        ds = dataset(frames if samples > 1 else frames[..., 0], ExplicitVRBigEndian, samples_per_pixel=samples, ow=True)
        expected = frames if samples > 1 else frames[..., 0]
        assert np.array_equal(dicoxide.decode(ds), expected)
        assert np.array_equal(ds.pixel_array, expected)
        for index in range(3):
            assert np.array_equal(dicoxide.decode(ds, frames=index), expected[index])

    @pytest.mark.parametrize("dtype", ["u4", "i4", "u8", "i8"])
    def test_big_endian_samples_of_more_than_16_bits_warn(self, dtype: str) -> None:
        # OW is swapped within words of 16 bits (7.3), so the least significant word comes first, as DCMTK, GDCM and
        # SimpleITK read it. pydicom and the writer of its rtdose_expb.dcm store the whole number in big endian.
        ds = dataset(image(dtype), ExplicitVRBigEndian)
        with pytest.warns(NonConformantWarning, match="bits read as big-endian numbers"):
            assert np.array_equal(dicoxide.decode(ds), ds.pixel_array)
        with pytest.warns(NonConformantWarning, match="bits read as big-endian numbers"):
            ((_, many),) = dicoxide.decode_many([to_bytes(ds)])
        assert np.array_equal(many, ds.pixel_array)
        with pytest.raises(CorruptFrameError, match="read as big-endian numbers"):
            dicoxide.decode(ds, strict=True)
        for other in (dataset(image("f4"), ExplicitVRBigEndian), dataset(image("u2"), ExplicitVRBigEndian)):
            dicoxide.decode(other, strict=True)

    def test_ybr_full_422_with_planar_configuration_1_warns(self) -> None:
        # PS3.3 C.7.6.3.1.3: the planar configuration of YBR_FULL_422 is 0.
        ds = dataset(image("u1", 3)[:, :6], samples_per_pixel=3)
        ds.PhotometricInterpretation, ds.PixelData = "YBR_FULL_422", ds.PixelData[: ds.Rows * ds.Columns * 2]
        expected = dicoxide.decode(ds, raw=True)
        ds.PlanarConfiguration = 1
        for src in (ds, to_bytes(ds)):
            with pytest.warns(NonConformantWarning, match="planar configuration 1 found, 0 expected"):
                assert np.array_equal(dicoxide.decode(src, raw=True), expected)
        with pytest.warns(NonConformantWarning, match="planar configuration 1 found, 0 expected"):
            ((_, many),) = dicoxide.decode_many([to_bytes(ds)], raw=True)
        assert np.array_equal(many, expected)

    def test_ybr_with_signed_samples_raises_unsupported(self) -> None:
        samples = image("i1", 3)
        ds = dataset(samples, samples_per_pixel=3, photometric_interpretation="YBR_FULL")
        with pytest.raises(UnsupportedError, match="unsigned"):
            dicoxide.decode(ds)
        assert np.array_equal(dicoxide.decode(ds, raw=True), samples)

    @pytest.mark.parametrize("as_words", [True, False])
    def test_packed_bits_in_big_endian_words_are_swapped(self, as_words: bool) -> None:
        # 7.3: the bytes of a word are swapped, whatever is packed in it; pydicom does not swap them.
        bits = (RNG.random((3, 5, 7)) < 0.5).astype(np.uint8)
        ds = dataset(bits, ExplicitVRBigEndian, bits_allocated=1, ow=as_words)
        assert np.array_equal(dicoxide.decode(ds), bits)

    @pytest.mark.filterwarnings("ignore:samples of .* bits read as big-endian numbers")
    @pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
    def test_bits_outside_bits_stored_are_ignored(self, syntax: str, dtype: str) -> None:
        width = np.dtype(dtype).itemsize * 8
        for stored, high_bit in ((width - 3, width - 4), (1, 0), (width - 3, width - 1), (2, 4)):
            values = random_values(RNG, (4, 6), stored, dtype)
            ds = dataset(
                values,
                syntax,
                bits_stored=stored,
                high_bit=high_bit,
                garbage=RNG.integers(0, 2**64, (1, 4, 6, 1), np.uint64),
            )
            if high_bit == stored - 1:
                decoded = dicoxide.decode(ds)
                assert np.array_equal(ds.pixel_array, values)
            else:
                # 8.1.1: the value ends at High Bit; pydicom always takes the lowest bits.
                with pytest.warns(NonConformantWarning, match="high bit"):
                    decoded = dicoxide.decode(ds)
            assert decoded.dtype == dtype
            assert np.array_equal(decoded, values)

    @pytest.mark.parametrize("dtype", ["f4", "f8"])
    @pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
    def test_float_pixel_data_keeps_every_bit(self, syntax: str, dtype: str) -> None:
        values = np.array([[[0.0, -0.0, 1.5], [np.inf, -np.inf, np.nan]]] * 2, dtype)
        values[1] *= -1
        ds = dataset(values, syntax)
        assert dicoxide.decode(ds).tobytes() == values.tobytes()
        assert np.array_equal(dicoxide.decode(ds, frames=1), values[1], equal_nan=True)
        assert np.array_equal(dicoxide.decode(ds, rescale=True, dtype=dtype), values, equal_nan=True)

    def test_missing_pad_byte_warns(self) -> None:
        frame = image("u1", 1, 3, 3)[..., 0]
        ds = dataset(frame)
        assert len(ds.PixelData) == 10
        ds.PixelData = ds.PixelData[:-1]
        with pytest.warns(NonConformantWarning, match="pad byte is missing"):
            assert np.array_equal(dicoxide.decode(ds), frame)

    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
    @pytest.mark.parametrize("dtype", ["u1", "u2"])
    def test_ybr_full_422_expands_to_full_resolution(self, syntax: str, dtype: str) -> None:
        # C.7.6.3.1.2: Y0 Y1 Cb Cr, two thirds of the bytes.
        full = random_values(RNG, (2, 4, 6, 3), np.dtype(dtype).itemsize * 8, dtype)
        full[..., 1::2, 1:] = full[..., ::2, 1:]
        ds = dataset(full, syntax, samples_per_pixel=3, photometric_interpretation="YBR_FULL_422")
        assert len(ds.PixelData) == full.nbytes * 2 // 3
        assert np.array_equal(dicoxide.decode(ds, raw=True), full)
        if dtype == "u1":
            assert np.array_equal(dicoxide.decode(ds), ds.pixel_array)

    def test_ybr_full_422_with_full_resolution_raises_corrupt_frame(self) -> None:
        full = random_values(RNG, (4, 6, 3), 8, "u1")
        ds = dataset(full, samples_per_pixel=3, photometric_interpretation="RGB")
        ds.PhotometricInterpretation = "YBR_FULL_422"
        with pytest.raises(CorruptFrameError, match="half resolution"):
            dicoxide.decode(ds)

    @pytest.mark.parametrize("term", ["CMYK", "YBR_ICT", "YBR_RCT", "RGB ", "HSV", "unknown"])
    def test_unknown_photometric_interpretation_keeps_values(self, term: str) -> None:
        frame = image("u1", 3)
        ds = dataset(frame, samples_per_pixel=3)
        ds["PhotometricInterpretation"]._value = term
        assert np.array_equal(dicoxide.decode(ds), frame)

    @pytest.mark.filterwarnings("ignore:samples of .* bits read as big-endian numbers")
    @pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4"])
    @pytest.mark.parametrize("planar", [0, 1])
    def test_native_colour_by_plane_and_by_pixel_decodes(self, dtype: str, planar: int) -> None:
        frames = random_values(RNG, (2, 40, 30, 3), np.dtype(dtype).itemsize * 8, dtype)
        for syntax in (ExplicitVRLittleEndian, ExplicitVRBigEndian):
            ds = dataset(frames, syntax, samples_per_pixel=3, planar_configuration=planar)
            assert np.array_equal(dicoxide.decode(ds), frames)
            assert np.array_equal(ds.pixel_array, frames)
