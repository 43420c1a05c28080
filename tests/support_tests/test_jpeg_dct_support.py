"""The test encoder and the reference decoder of JPEG DCT: against T.81, each other, and installed decoders."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from support import reference_jpeg_dct as reference
from support import reference_jpeg_samples as samples
from support.encoders import jpeg_dct, jpeg_dct_cases
from support.encoders.huffman import optimal
from support.encoders.jpeg_dct_scans import Scan
from support.encoders.jpeg_dct_tables import (
    AC_CHROMINANCE,
    AC_LUMINANCE,
    CHROMINANCE_QUANTIZATION,
    DC_CHROMINANCE,
    DC_LUMINANCE,
    LUMINANCE_QUANTIZATION,
    ZIGZAG,
)
from support.encoders.jpeg_lossless_cases import picture
from support.examples import examples

RNG = np.random.default_rng(81)
ONES = {0: np.ones(64, np.int64)}


class TestTables:
    """Tables of T.81, entries as printed there."""

    def test_zigzag_follows_figure_5(self) -> None:
        assert ZIGZAG[:10].tolist() == [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]
        assert ZIGZAG[-4:].tolist() == [47, 55, 62, 63]

    @pytest.mark.parametrize(
        ("table", "symbol", "code"),
        [
            pytest.param(DC_LUMINANCE, 0, "00", id="K.3"),
            pytest.param(DC_LUMINANCE, 11, "111111110", id="K.3 last"),
            pytest.param(DC_CHROMINANCE, 11, "11111111110", id="K.4 last"),
            pytest.param(AC_LUMINANCE, 0x00, "1010", id="K.5 EOB"),
            pytest.param(AC_LUMINANCE, 0xF0, "11111111001", id="K.5 ZRL"),
            pytest.param(AC_LUMINANCE, 0xFA, "1111111111111110", id="K.5 last"),
            pytest.param(AC_CHROMINANCE, 0x00, "00", id="K.6 EOB"),
            pytest.param(AC_CHROMINANCE, 0xF0, "1111111010", id="K.6 ZRL"),
            pytest.param(AC_CHROMINANCE, 0x51, "111011", id="K.6 5/1"),
        ],
    )
    def test_typical_huffman_codes_are_those_of_annex_k(self, table: Any, symbol: int, code: str) -> None:
        bits, length = table.codes()[symbol]
        assert f"{bits:0{length}b}" == code

    def test_quantization_tables_are_those_of_annex_k(self) -> None:
        assert (LUMINANCE_QUANTIZATION[0], LUMINANCE_QUANTIZATION[63], LUMINANCE_QUANTIZATION.sum()) == (16, 99, 3688)
        assert (CHROMINANCE_QUANTIZATION[9], CHROMINANCE_QUANTIZATION[24], CHROMINANCE_QUANTIZATION.sum()) == (
            21,
            47,
            5505,
        )


class TestEncoder:
    """Entropy-coded bits derived by hand."""

    def encoded(self, blocks: list[list[int]], scan: Scan | None = None, **options: Any) -> bytes:
        """Return the entropy-coded bytes of one row of blocks, whose coefficients are in zigzag order."""
        values = np.zeros((1, len(blocks), 64), np.int64)
        for index, block in enumerate(blocks):
            values[0, index, ZIGZAG[: len(block)]] = block
        scans = None if scan is None else [scan]
        src = jpeg_dct.encode([jpeg_dct.Plane(values)], 8, 8 * len(blocks), ONES, scans=scans, **options)
        return src[src.index(b"\xff\xda") + 10 : -2]

    def test_sequential_block_has_the_bits_of_table_k5(self) -> None:
        # DC 5: category 3 = 100, bits 101; AC run 1, value -2: 1/2 = 11011, bits 01; EOB 1010; next block: DC
        # difference -5: 100 010; EOB; padding.
        expected = "100101" + "1101101" + "1010" + "100010" + "1010"
        coded = self.encoded([[5, 0, -2], [0]], tables="typical")
        assert f"{int.from_bytes(coded, 'big'):032b}" == expected + "1" * (32 - len(expected))

    def test_run_of_sixteen_zeros_is_zrl(self) -> None:
        expected = "00" + "11111111001" + "11001" + "1010"  # 0/1 = 00 has one bit, here 1; 1/1 = 1100.
        coded = self.encoded([[0] * 18 + [1]], tables="typical")
        assert f"{int.from_bytes(coded, 'big'):024b}" == expected + "1" * (24 - len(expected))

    def test_last_coefficient_needs_no_end_of_block(self) -> None:
        # DC 0: 00; 62 zeros: three times 16, then 14/1 = 1111111111101011 with the bit 1.
        expected = "00" + 3 * "11111111001" + "1111111111101011" + "1"
        coded = self.encoded([[0] * 63 + [1]], tables="typical").replace(b"\xff\0", b"\xff")
        assert f"{int.from_bytes(coded, 'big'):0{8 * len(coded)}b}" == expected + "1" * (-len(expected) % 8)

    def test_refinement_scan_has_correction_bits_after_the_new_coefficient(self) -> None:
        # Coefficients 3, 0, 1 at Al 1 are 1, 0, 0. The scan codes the new coefficient after a run of 1 zero, its sign,
        # the correction bit of the first coefficient, and the end of the band: codes of one symbol each, 0 and 10.
        values = np.zeros((1, 1, 64), np.int64)
        values[0, 0, ZIGZAG[1:4]] = 3, 0, 1
        scans = [Scan((0,), 0, 0), Scan((0,), 1, 63, 0, 1), Scan((0,), 1, 63, 1, 0)]
        options = {"marker": jpeg_dct.PROGRESSIVE, "redefine": True}
        src = jpeg_dct.encode([jpeg_dct.Plane(values)], 8, 8, ONES, scans=scans, **options)
        coded = src[src.rindex(b"\xff\xda") + 10 : -2]
        codes = {symbol: f"{code:0{length}b}" for symbol, (code, length) in optimal([1, *[0] * 16, 1]).codes().items()}
        expected = codes[0x11] + "1" + "1" + codes[0]
        assert f"{coded[0]:08b}" == expected + "1" * (8 - len(expected))
        assert reference.coefficients(src).components[0].blocks[0, 0, ZIGZAG[:4]].tolist() == [0, 3, 0, 1]


@examples(300)
@given(jpeg_dct_cases.frames())
def test_coefficients_of_encoded_frame_are_those_encoded(frame: jpeg_dct_cases.Frame) -> None:
    options = {key: frame.options[key] for key in ("quality", "identifiers")}
    plain = jpeg_dct.encode_image(frame.samples, precision=frame.precision, sampling=frame.sampling, **options)
    expected, found = reference.coefficients(plain), reference.coefficients(frame.src)
    assert (found.rows, found.columns, found.precision) == (*frame.samples.shape[:2], frame.precision)
    for one, other in zip(expected.components, found.components, strict=True):
        rows, columns = one.own_size
        assert np.array_equal(one.blocks[:rows, :columns], other.blocks[:rows, :columns])


class TestSamples:
    @pytest.mark.parametrize("precision", [8, 12])
    def test_inverse_dct_differs_from_the_real_transform_by_at_most_one(self, precision: int) -> None:
        blocks = RNG.integers(0, 1 << precision, (500, 8, 8)) - (1 << precision - 1)
        values = np.rint(jpeg_dct.DCT @ blocks @ jpeg_dct.DCT.T).astype(np.int64)
        exact = jpeg_dct.DCT.T @ values @ jpeg_dct.DCT + (1 << precision - 1)
        found = samples.inverse_dct(values.reshape(-1, 64), np.ones(64, np.int64), precision)
        assert np.abs(found - exact.clip(0, (1 << precision) - 1)).max() <= 1

    @pytest.mark.parametrize("size", [8, 4, 2, 1])
    @pytest.mark.parametrize("precision", [8, 12])
    def test_inverse_dct_of_dc_alone_is_constant(self, precision: int, size: int) -> None:
        block = np.zeros((1, 64), np.int64)
        block[0, 0] = 40
        found = samples.inverse_dct(block, np.full(64, 3), precision, size)
        assert found.shape == (1, size, size)
        assert (found == (1 << precision - 1) + 15).all()

    def test_upsampling_of_two_samples_is_replication(self) -> None:
        plane = np.array([[0, 100]])
        assert samples.upsample(plane, 2, 1, is_fancy=True).tolist() == [[0, 0, 100, 100]]
        assert samples.upsample(np.array([[0, 100, 50]]), 2, 1, is_fancy=True).tolist() == [[0, 25, 75, 88, 62, 50]]
        assert samples.upsample(plane.T, 1, 2, is_fancy=True).tolist() == [[0], [25], [75], [100]]

    def test_colour_of_primaries_is_that_of_t871(self) -> None:
        ybr = np.array([[76, 85, 255], [150, 44, 21], [29, 255, 107], [255, 128, 128]], np.uint8)
        assert samples.ybr_to_rgb(ybr, 8).tolist() == [[254, 0, 0], [0, 255, 1], [0, 0, 254], [255, 255, 255]]


class TestInstalledDecoders:
    """The reference decoder equals libjpeg-turbo."""

    @examples(300)
    @given(jpeg_dct_cases.frames(max_side=70, components=(1, 3)))
    def test_reference_equals_libjpeg_turbo(self, frame: jpeg_dct_cases.Frame) -> None:
        imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
        if frame.options["use_dnl"]:
            return
        src = frame.src
        stored = {"colorspace": "YCBCR", "outcolorspace": "YCBCR"} if frame.samples.ndim == 3 else {}
        assert np.array_equal(reference.decode(src), imagecodecs.jpeg8_decode(src, **stored))
        assert np.array_equal(reference.decode(src, to_rgb=True), imagecodecs.jpeg8_decode(src))

    @examples(200)
    @given(jpeg_dct_cases.frames(max_side=70, components=(1, 3), precisions=(8,)))
    def test_reference_equals_scaled_decoding(self, frame: jpeg_dct_cases.Frame) -> None:
        image = pytest.importorskip("PIL.Image", reason="a decoder to compare with")
        rows, columns = frame.samples.shape[:2]
        if frame.options["use_dnl"]:
            return
        for reduce in range(1, min(4, min(rows, columns).bit_length())):
            with image.open(io.BytesIO(frame.src)) as opened:
                # Pillow chooses the largest reduction with at least the requested size.
                opened.draft(opened.mode, (max(1, columns >> reduce), max(1, rows >> reduce)))
                if opened.size == (-(-columns // (1 << reduce)), -(-rows // (1 << reduce))):
                    assert np.array_equal(reference.decode(frame.src, to_rgb=True, reduce=reduce), np.asarray(opened))

    @pytest.mark.parametrize("quantizer", [16, 128, 255])
    def test_reference_equals_libjpeg_turbo_for_coefficients_out_of_range(self, quantizer: int) -> None:
        imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
        blocks = RNG.integers(-1023, 1024, (20, 20, 64)) * (RNG.random((20, 20, 64)) < 0.3)
        # Row 0 alone, with sums that wrap.
        blocks[0] = 0
        blocks[0, :, :8] = RNG.integers(-1023, 1024, (20, 8))
        plane = jpeg_dct.Plane(blocks)
        src = jpeg_dct.encode([plane], 160, 160, {0: np.full(64, quantizer)})
        assert np.array_equal(reference.decode(src), imagecodecs.jpeg8_decode(src))

    @pytest.mark.parametrize("quantizer", [16, 255, 40000, 65535])
    def test_reference_equals_libjpeg_turbo_for_12_bit_coefficients_out_of_range(self, quantizer: int) -> None:
        imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
        blocks = RNG.integers(-8191, 8192, (10, 10, 64)) * (RNG.random((10, 10, 64)) < 0.3)
        src = jpeg_dct.encode([jpeg_dct.Plane(blocks)], 80, 80, {0: np.full(64, quantizer)}, precision=12, marker=0xC1)
        assert np.array_equal(reference.decode(src), imagecodecs.jpeg8_decode(src))

    def test_encoded_picture_resembles_its_samples(self) -> None:
        source = picture(RNG, (50, 60, 3), 8)
        found = reference.decode(jpeg_dct.encode_image(source, quality=100))
        assert np.abs(found.astype(int) - source).max() <= 4
