"""JPEG Lossless frames that some decoders reject or decode wrongly, with the clauses of ITU-T T.81."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning
from support import reference_jpeg_lossless as reference
from support.encoders import encapsulate, huffman, jpeg_lossless
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpeg_lossless_cases import picture

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless")

RNG = np.random.default_rng(43)
MONO = picture(RNG, (21, 23), 12, "noise")
RGB = picture(RNG, (21, 23, 3), 8, "noise")
FROM_YBR = convert_color_space(RGB, "YBR_FULL", "RGB")


def coloured(src: bytes, photometric_interpretation: str) -> Dataset:
    """Return a colour data set of the frame with a Photometric Interpretation, which may contradict the codestream."""
    ds = dataset(RGB, JPEGLosslessSV1, samples_per_pixel=3, coded=[src])
    ds.PhotometricInterpretation = photometric_interpretation
    return ds


def assert_decodes(src: bytes, expected: Any) -> None:
    """Assert that the frame and the reference decoder give these values, without a warning."""
    assert np.array_equal(reference.decode(src).values, expected)
    decoded = dicoxide.jpeg_lossless_decode(src)
    assert decoded.dtype == expected.dtype
    assert np.array_equal(decoded, expected)


def assert_tolerated(src: bytes, expected: Any) -> None:
    """Assert that the frame decodes to these values with a warning, and is an error with ``strict=True``."""
    with pytest.warns(NonConformantWarning, match="T.81|PS3.5"):
        assert np.array_equal(dicoxide.jpeg_lossless_decode(src), expected)
    samples = 1 if expected.ndim == 2 else expected.shape[2]
    # An item has an even number of bytes, so one more zero byte may follow.
    ds = dataset(expected, JPEGLossless, samples_per_pixel=samples, coded=[src])
    with pytest.warns(NonConformantWarning, match="T.81|PS3.5"):
        assert np.array_equal(dicoxide.decode(ds, fallback=False), expected)
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.decode(ds, strict=True, fallback=False)
    assert caught.value.clause
    assert caught.value.offset is not None


class TestDifferences:
    @pytest.mark.parametrize("precision", [2, 5, 8, 10, 12, 15, 16])
    @pytest.mark.parametrize("selection_value", range(1, 8))
    @pytest.mark.parametrize("kind", ["noise", "extremes", "smooth"])
    @pytest.mark.parametrize("lines", [0, 2])
    def test_sum_of_prediction_and_difference_wraps_to_the_precision(
        self, selection_value: int, precision: int, kind: str, lines: int
    ) -> None:
        # H.1.2.1: the sum is modulo 2^16; a sample is its lowest P bits. Decoders that clamp give white pixels.
        samples = picture(RNG, (21, 23), precision, kind)
        src = jpeg_lossless.encode(
            samples,
            precision=precision,
            selection_value=selection_value,
            restart_interval=lines * 23,
            wrap_bits=precision,
        )
        assert_decodes(src, samples)

    def test_prediction_uses_16_bit_reconstructed_values(self) -> None:
        # H.1.2.1: arithmetic is modulo 2^16 throughout, so the neighbour of a sample of eight bits may be 260.
        samples = np.array([[250, 4, 4, 250], [4, 250, 4, 4]], np.uint8)
        for selection_value in range(1, 8):
            assert_decodes(jpeg_lossless.encode(samples, wrap_bits=8, selection_value=selection_value), samples)

    @pytest.mark.parametrize("selection_value", range(1, 8))
    def test_category_16_has_no_extra_bits(self, selection_value: int) -> None:
        # H.1.2.2, table H.2: the category has one difference, 32768.
        samples = np.array([[0, 32768, 0, 32768], [32768, 0, 65535, 32767], [65535, 1, 32769, 1]], np.uint16)
        src = jpeg_lossless.encode(samples, selection_value=selection_value)
        assert 16 in jpeg_lossless.symbols(jpeg_lossless.differences(samples.astype(int), 32768, selection_value))[0]
        assert_decodes(src, samples)
        alternating = np.tile(np.array([[0, 32768]], np.uint16), (40, 33))
        assert_decodes(jpeg_lossless.encode(alternating, selection_value=selection_value), alternating)

    @pytest.mark.parametrize("selection_value", range(1, 8))
    def test_predictors_with_halves_round_down(self, selection_value: int) -> None:
        # H.1.2.1: a division by two is an arithmetic shift, of negative numbers too.
        samples = picture(RNG, (40, 50), 16, "noise")
        assert_decodes(jpeg_lossless.encode(samples, selection_value=selection_value), samples)

    @pytest.mark.parametrize("precision", [8, 12, 16])
    def test_point_transform_applies_to_output_only(self, precision: int) -> None:
        # A.4, H.1.2.1: prediction uses transformed samples and starts with 2^(P-Pt-1).
        samples = picture(RNG, (21, 23), precision, "noise")
        for selection_value, shift, lines in itertools.product((1, 4, 5, 6, 7), range(precision), (0, 3)):
            src = jpeg_lossless.encode(
                samples,
                precision=precision,
                selection_value=selection_value,
                point_transform=shift,
                restart_interval=lines * 23,
            )
            assert_decodes(src, samples >> shift << shift)

    def test_scan_has_its_own_point_transform_and_predictor(self) -> None:
        # B.2.3: both are parameters of a scan.
        src = jpeg_lossless.encode(RGB, interleaved=False, selection_value=[1, 7, 4], point_transform=[0, 2, 5])
        assert_decodes(src, np.stack([RGB[..., 0], RGB[..., 1] >> 2 << 2, RGB[..., 2] >> 5 << 5], -1))

    @pytest.mark.parametrize("selection_value", range(1, 8))
    @pytest.mark.parametrize("lines", [1, 2, 3, 20, 21, 22])
    @pytest.mark.parametrize(("samples", "precision"), [(MONO, 12), (RGB, 8)])
    def test_restart_interval_starts_with_the_default_prediction(
        self, lines: int, selection_value: int, samples: Any, precision: int
    ) -> None:
        # H.1.2.1: 2^(P-Pt-1) for the first sample of an interval, the sample to the left for its first line.
        src = jpeg_lossless.encode(
            samples, precision=precision, selection_value=selection_value, restart_interval=lines * 23
        )
        assert (b"\xff\xd0" in src) == (lines < 21)
        assert_decodes(src, samples)

    def test_restart_markers_count_modulo_eight_per_scan(self) -> None:
        # B.1.1.3, E.1.4: RST0 to RST7, starting with RST0 in each scan.
        assert_decodes(jpeg_lossless.encode(RGB, interleaved=False, restart_interval=23), RGB)

    def test_precision_2_to_16_decodes_to_the_smallest_dtype(self) -> None:
        for precision in range(2, 17):
            samples = picture(RNG, (9, 9), precision, "noise")
            assert_decodes(jpeg_lossless.encode(samples, precision=precision), samples)
            assert dicoxide.jpeg_lossless_decode(jpeg_lossless.encode(samples, precision=precision)).dtype == (
                np.uint8 if precision <= 8 else np.uint16
            )


class TestMarkers:
    def test_missing_eoi_warns(self) -> None:
        # B.2.1 requires EOI; all samples are present.
        assert_tolerated(jpeg_lossless.encode(MONO, precision=12, eoi=False), MONO)
        assert_tolerated(jpeg_lossless.encode(RGB, interleaved=False, eoi=False), RGB)
        assert_tolerated(jpeg_lossless.encode(RGB, eoi=False) + b"\xff", RGB)

    @pytest.mark.parametrize("count", [1, 2, 7, 100])
    @pytest.mark.parametrize(("samples", "precision"), [(MONO, 12), (RGB, 8)])
    def test_fill_bytes_before_markers_are_skipped(self, count: int, samples: Any, precision: int) -> None:
        # B.1.1.2: any number of 0xFF bytes before any marker, also before restart markers and after the last sample.
        src = jpeg_lossless.encode(samples, precision=precision, fill_bytes=count, restart_interval=46)
        assert_decodes(src, samples)
        assert_decodes(
            jpeg_lossless.encode(
                samples, precision=precision, fill_bytes=count, interleaved=False, redefine=True, use_dnl=True
            ),
            samples,
        )

    @pytest.mark.parametrize("lines", [0, 1, 5])
    @pytest.mark.parametrize(("samples", "precision"), [(MONO, 12), (RGB, 8)])
    @pytest.mark.parametrize("interleaved", [True, False])
    def test_dnl_segment_gives_the_number_of_lines(
        self, lines: int, samples: Any, precision: int, interleaved: bool
    ) -> None:
        # B.2.5: 0 lines in the frame header, and a DNL segment.
        src = jpeg_lossless.encode(
            samples,
            precision=precision,
            use_dnl=True,
            interleaved=interleaved,
            restart_interval=lines * 23,
            selection_value=5,
        )
        assert_decodes(src, samples)
        count = 1 if samples.ndim == 2 else 3
        ds = dataset(samples, JPEGLossless, samples_per_pixel=count, bits_stored=precision, coded=[src])
        assert np.array_equal(dicoxide.decode(ds, fallback=False), samples)

    def test_dnl_segment_equal_to_the_frame_header_is_accepted(self) -> None:
        # B.2.5: the segment may follow although the frame header gives the number of lines.
        src = jpeg_lossless.encode(MONO, precision=12)
        assert_decodes(src[:-2] + jpeg_lossless.dnl(21) + src[-2:], MONO)

    @pytest.mark.parametrize("extra", [jpeg_lossless.APP0, jpeg_lossless.APP14, jpeg_lossless.COMMENT])
    def test_application_data_and_comments_are_skipped(self, extra: bytes) -> None:
        # B.2.4: before the frame header, before a scan header.
        src = jpeg_lossless.encode(RGB, interleaved=False, redefine=True, segments=extra * 3)
        assert_decodes(src.replace(b"\xff\xc4", extra + b"\xff\xc4"), RGB)
        assert_decodes(src.replace(b"\xff\xda", extra + b"\xff\xda"), RGB)
        large = jpeg_lossless.segment(0xE1, b"\xff\xd8\xff\xc3\xff\xd9" * 10000)
        assert_decodes(jpeg_lossless.encode(RGB, segments=large), RGB)

    def test_empty_comment_is_skipped(self) -> None:
        src = jpeg_lossless.encode(MONO, precision=12, segments=jpeg_lossless.segment(0xFE, b""))
        assert_decodes(src, MONO)

    def test_quantization_table_is_skipped(self) -> None:
        # B.2.4: tables and miscellaneous segments may precede any frame; the lossless process does not use this one.
        table = jpeg_lossless.segment(0xDB, bytes(65))
        assert_decodes(jpeg_lossless.encode(MONO, precision=12, segments=table), MONO)

    def test_zero_byte_after_eoi_is_padding(self) -> None:
        # PS3.5 A.4: fragments have an even number of bytes.
        for columns in range(20, 30):
            assert_decodes(jpeg_lossless.encode(MONO[:, :columns], precision=12, trailing=b"\0"), MONO[:, :columns])

    def test_other_byte_after_eoi_is_accepted_only_as_padding(self) -> None:
        # PS3.5 A.4 pads with zero. The compression samples of NEMA have 0xFF or a space instead, which is accepted if
        # it makes the length even.
        for columns in range(20, 30):
            for trailing in (b"\xff", b" "):
                src = jpeg_lossless.encode(MONO[:, :columns], precision=12, trailing=trailing)
                if len(src) % 2 == 0:
                    assert_decodes(src, MONO[:, :columns])
                else:
                    assert_tolerated(src, MONO[:, :columns])

    @pytest.mark.parametrize("trailing", [b"\0\0", b"\xff\xff", b"\0" * 1000, b"abc", b"\xff\xd9", b"\xff\xd8\xff\xc3"])
    @pytest.mark.parametrize(("samples", "precision"), [(MONO, 12), (RGB, 8)])
    def test_several_bytes_after_eoi_warn(self, trailing: bytes, samples: Any, precision: int) -> None:
        assert_tolerated(jpeg_lossless.encode(samples, precision=precision, trailing=trailing), samples)

    @pytest.mark.parametrize("extra", [b"\0", b"\xff\0", b"abcdef", b"\0" * 100])
    def test_bytes_after_the_last_sample_warn(self, extra: bytes) -> None:
        # B.1.1.5: an entropy-coded segment ends with the byte of its last sample.
        src = jpeg_lossless.encode(MONO, precision=12)
        assert_tolerated(src[:-2] + extra + src[-2:], MONO)

    def test_padding_bits_of_the_last_byte_are_ignored(self) -> None:
        # F.1.2.3 requires ones; some encoders write zeros.
        for columns in range(1, 20):
            samples = picture(RNG, (5, columns), 12, "noise")
            src = jpeg_lossless.encode(samples, precision=12, restart_interval=columns, pad_bit=0)
            assert_decodes(src, samples)

    def test_restart_interval_zero_disables_restarts(self) -> None:
        # B.2.4.4: an interval of 0 disables restarts, for the scans that follow.
        first = jpeg_lossless.encode(RGB, interleaved=False, segments=jpeg_lossless.dri(23 * 4))
        assert_decodes(first.replace(b"\xff\xc3", jpeg_lossless.dri(0) + b"\xff\xc3", 1), RGB)


class TestScansAndTables:
    @pytest.mark.parametrize("scans", [[[0], [1], [2]], [[2], [1], [0]], [[0], [1, 2]], [[0, 2], [1]]])
    @pytest.mark.parametrize("redefine", [True, False])
    def test_components_in_separate_scans_keep_their_order(self, scans: list[list[int]], redefine: bool) -> None:
        # B.2.3: a scan selects components; samples have the order of the frame header.
        assert_decodes(jpeg_lossless.encode(RGB, scans=scans, redefine=redefine), RGB)

    @pytest.mark.parametrize("ids", [(1, 2, 3), (0, 1, 2), (82, 71, 66), (3, 2, 1), (255, 0, 128), (200, 150, 50)])
    @pytest.mark.parametrize("extra", [b"", jpeg_lossless.APP0, jpeg_lossless.APP14, jpeg_lossless.APP14[:-1] + b"\1"])
    def test_component_ids_do_not_change_samples(self, ids: tuple[int, int, int], extra: Any) -> None:
        assert_decodes(jpeg_lossless.encode(RGB, component_ids=ids, segments=extra), RGB)

    @pytest.mark.parametrize("ids", [(1, 2, 3), (0, 1, 2), (3, 2, 1), (255, 0, 128), (200, 150, 50)])
    @pytest.mark.parametrize("extra", [b"", jpeg_lossless.APP14, jpeg_lossless.APP14[:-1] + b"\1", jpeg_lossless.APP1])
    @pytest.mark.parametrize(("photometric_interpretation", "expected"), [("RGB", RGB), ("YBR_FULL", FROM_YBR)])
    def test_photometric_interpretation_decides_the_colour(
        self, ids: tuple[int, int, int], extra: bytes, photometric_interpretation: str, expected: Any
    ) -> None:
        # Component identifiers are arbitrary (T.81 B.2.2), and APP14 is not part of the standard.
        src = jpeg_lossless.encode(RGB, component_ids=ids, segments=extra)
        ds = coloured(src, photometric_interpretation)
        assert np.array_equal(dicoxide.decode(ds, fallback=False, strict=True), expected)
        assert np.array_equal(dicoxide.decode(ds, fallback=False, strict=True, raw=True), RGB)

    # The colour that the codestream declares controls decompression (PS3.5 8.2.1): pydicom and dicomsdl follow it, GDCM
    # and SimpleITK follow the data set.
    @pytest.mark.filterwarnings("ignore:.*codestream (uses component IDs|contains a JFIF):UserWarning")
    @pytest.mark.parametrize(
        ("photometric_interpretation", "options", "expected"),
        [
            ("YBR_FULL", {"component_ids": (82, 71, 66)}, RGB),
            ("YBR_FULL", {"component_ids": (114, 103, 98)}, RGB),
            ("YBR_FULL", {"component_ids": (82, 71, 66), "segments": jpeg_lossless.APP0}, RGB),
            ("YBR_FULL_422", {"component_ids": (82, 71, 66)}, RGB),
            ("RGB", {"segments": jpeg_lossless.APP0}, FROM_YBR),
            ("RGB", {"segments": jpeg_lossless.APP1 + jpeg_lossless.APP0, "interleaved": False}, FROM_YBR),
        ],
    )
    def test_codestream_colour_overrides_the_data_set_with_a_warning(
        self, photometric_interpretation: str, options: dict[str, Any], expected: np.ndarray
    ) -> None:
        src = jpeg_lossless.encode(RGB, **options)
        ds = coloured(src, photometric_interpretation)
        with pytest.warns(NonConformantWarning, match="found in the codestream"):
            assert np.array_equal(dicoxide.decode(ds, fallback=False), expected)
        with pytest.warns(NonConformantWarning, match="found in the codestream"):
            ((_, many),) = dicoxide.decode_many([to_bytes(ds)], fallback=False)
        assert np.array_equal(many, expected)
        with pytest.raises(CorruptFrameError, match="found in the codestream"):
            dicoxide.decode(ds, strict=True, fallback=False)
        # Raw samples do not depend on the colour.
        assert np.array_equal(dicoxide.decode(ds, raw=True, strict=True, fallback=False), RGB)
        with dicoxide.enabled():
            assert np.array_equal(ds.pixel_array, expected)
        frames = dataset(np.stack([RGB] * 9), JPEGLosslessSV1, samples_per_pixel=3, coded=[src] * 9)
        frames.PhotometricInterpretation = photometric_interpretation
        with pytest.warns(NonConformantWarning, match="found in the codestream"):
            assert np.array_equal(dicoxide.decode(frames, fallback=False), np.stack([expected] * 9))

    @pytest.mark.parametrize(
        ("photometric_interpretation", "options", "expected"),
        [
            ("RGB", {"component_ids": (82, 71, 66)}, RGB),
            ("YBR_FULL", {"segments": jpeg_lossless.APP0}, FROM_YBR),
        ],
    )
    def test_codestream_colour_equal_to_the_data_set_does_not_warn(
        self, photometric_interpretation: str, options: dict[str, Any], expected: np.ndarray
    ) -> None:
        ds = coloured(jpeg_lossless.encode(RGB, **options), photometric_interpretation)
        assert np.array_equal(dicoxide.decode(ds, strict=True, fallback=False), expected)
        with dicoxide.enabled():
            assert np.array_equal(ds.pixel_array, expected)

    @pytest.mark.parametrize("factors", [0x22, 0x14, 0x41, 0x33])
    def test_sampling_factors_of_a_single_component_are_ignored(self, factors: int) -> None:
        # A.1.1: sampling factors are relative; A.2.2: a component alone in its scan is stored line by line.
        src = bytearray(jpeg_lossless.encode(MONO, precision=12, restart_interval=23))
        src[src.index(b"\xff\xc3") + 11] = factors
        assert_decodes(bytes(src), MONO)

    def test_huffman_tables_of_every_kind_and_destination(self) -> None:
        # B.2.4.2: four destinations; C.2: few codes of many lengths, most of them incomplete.
        names = ["optimal", "fixed", "flat", "skewed"]
        four = picture(RNG, (21, 23, 4), 10, "noise")
        for order in itertools.permutations(range(4)):
            src = jpeg_lossless.encode(four, precision=10, tables=[names[index] for index in order], table_ids=order)
            assert_decodes(src, four)
        for name in names:
            assert_decodes(jpeg_lossless.encode(MONO, precision=12, tables=name), MONO)

    @pytest.mark.parametrize(
        "options",
        [
            {"dht_first": True},
            {"dht_first": True, "tables": ["optimal"] * 3},
            {"tables": ["optimal", "skewed", "flat"], "one_dht": False},
            {"tables": ["flat", "skewed", "optimal"], "one_dht": True, "table_ids": [3, 1, 2]},
            {"interleaved": False, "redefine": True},
            {"interleaved": False, "redefine": True, "tables": ["flat", "skewed", "optimal"], "table_ids": [2, 2, 2]},
        ],
        ids=str,
    )
    def test_huffman_tables_at_any_position_before_their_scan(self, options: dict[str, Any]) -> None:
        # B.2.4: tables may be defined anywhere before the scan that uses them; later ones replace earlier ones.
        assert_decodes(jpeg_lossless.encode(RGB, **options), RGB)  # type: ignore[arg-type]

    def test_huffman_table_replaced_before_use(self) -> None:
        extra = jpeg_lossless.dht([(0, huffman.FLAT), (3, huffman.FIXED), (0, huffman.FIXED)])
        assert_decodes(jpeg_lossless.encode(MONO, precision=12, segments=extra), MONO)

    def test_huffman_table_of_one_symbol(self) -> None:
        # One code of one bit, 0: one bit per sample.
        flat = np.full((50, 60), 2048, np.uint16)
        src = jpeg_lossless.encode(flat, precision=12)
        assert_decodes(src, flat)
        single = huffman.Table((*[0] * 15, 1), (0,))
        assert_decodes(jpeg_lossless.encode(flat, precision=12, tables=single), flat)

    def test_huffman_table_without_codes_up_to_8_bits(self) -> None:
        table = huffman.Table((*[0] * 15, 17), tuple(reversed(range(17))))
        assert_decodes(jpeg_lossless.encode(MONO, precision=12, tables=table), MONO)

    def test_huffman_table_with_an_all_ones_code_decodes(self) -> None:
        # C.2 reserves this code; the table deviates from the standard, but its meaning is unambiguous.
        table = huffman.Table((*[1] * 15, 2), tuple(range(17)))
        src = jpeg_lossless.encode(picture(RNG, (5, 5), 16, "extremes"), tables=table)
        expected = reference.decode(src).values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            assert np.array_equal(dicoxide.jpeg_lossless_decode(src), expected)

    def test_long_codes_with_many_extra_bits(self) -> None:
        # The longest symbols: 16 bits of code and 15 extra bits.
        samples = picture(RNG, (40, 50), 16, "noise")
        for selection_value in range(1, 8):
            src = jpeg_lossless.encode(samples, tables="skewed", selection_value=selection_value)
            assert len(src) > samples.size * 3
            assert_decodes(src, samples)

    def test_stuffed_bytes_throughout_the_data(self) -> None:
        # B.1.1.5: a zero byte follows each 0xFF; here nearly every byte is 0xFF.
        table = huffman.Table((0, 0, 1, 0, 0, 0, 0, 16, *[0] * 8), (3, *range(3), *range(4, 17)))
        samples = np.cumsum(np.full((30, 40), 7), 1).astype(np.uint16) % 4096
        src = jpeg_lossless.encode(samples, precision=12, tables=table)
        assert_decodes(src, samples)
        ones = np.tile(np.array([0, 65535], np.uint16), (30, 20))
        fixed = jpeg_lossless.encode(ones, tables=huffman.Table((0, 0, 0, 15, 2, *[0] * 11), tuple(range(17))))
        assert_decodes(fixed, ones)


class TestTransferSyntax:
    """The codestream decides, not the transfer syntax UID."""

    @pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
    @pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")
    def test_selection_value_is_independent_of_the_transfer_syntax(self, syntax: str) -> None:
        for selection_value in range(1, 8):
            src = jpeg_lossless.encode(MONO, precision=12, selection_value=selection_value)
            ds = dataset(MONO, syntax, bits_stored=12, coded=[src])
            assert np.array_equal(dicoxide.decode(ds, fallback=False), MONO)

    def test_frames_of_odd_length_are_padded(self) -> None:
        # PS3.5 A.4: items are padded; padding is not part of the frame.
        lengths = set()
        for columns in range(20, 30):
            samples = picture(RNG, (4, 5, columns), 12)
            coded = [jpeg_lossless.encode(frame, precision=12) for frame in samples]
            lengths |= {len(frame) % 2 for frame in coded}
            ds = dataset(samples, JPEGLossless, bits_stored=12, coded=coded)
            assert np.array_equal(dicoxide.decode(ds, strict=True, fallback=False), samples)
        assert lengths == {0, 1}

    def test_fragment_boundary_anywhere_in_the_codestream(self) -> None:
        samples = np.tile(np.array([0, 65535], np.uint16), (30, 20))
        src = jpeg_lossless.encode(samples, tables="skewed")
        src += b"\0" * (len(src) % 2)
        for cut in range(2, len(src), 2):
            value = encapsulate.item(b"") + encapsulate.item(src[:cut]) + encapsulate.item(src[cut:])
            ds = dataset(samples, JPEGLossless, coded=[src])
            ds.PixelData = value
            assert np.array_equal(dicoxide.decode(ds, fallback=False), samples)
