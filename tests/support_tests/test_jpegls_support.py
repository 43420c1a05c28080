"""The test encoder and the reference decoder of JPEG-LS: compared with T.87, each other, and installed decoders."""

from __future__ import annotations

import numpy as np
import pytest

from support import reference_jpegls as reference
from support.encoders import jpegls
from support.encoders.jpeg_lossless_cases import picture
from support.encoders.jpegls_cases import random_frame
from support.encoders.jpegls_scans import BitWriter, Presets, default_thresholds
from support.examples import count
from support.reference_jpegls_scan import InvalidFrameError, threshold_defaults

RNG = np.random.default_rng(14495)
SEEDS = range(0, count(3000), 100)


class TestAgainstT87:
    """Values that T.87 prints."""

    def test_example_of_annex_h_has_the_printed_bytes(self) -> None:
        samples = np.array([[0, 0, 90, 74], [68, 50, 43, 205], [64, 145, 145, 145], [100, 145, 145, 145]], np.uint8)
        expected = bytes.fromhex(
            "FFD8 FFF7000B080004000401011100 FFDA0008010100000000"
            "C000006C80208E01C00000574000006EE6000001BC18000005D800009160 FFD9"
        )
        assert jpegls.encode(samples) == expected
        assert np.array_equal(reference.decode(expected).values, samples)

    @pytest.mark.parametrize(
        ("maxval", "near", "thresholds"),
        [
            pytest.param(255, 0, (3, 7, 21), id="8 bits"),
            pytest.param(4095, 0, (18, 67, 276), id="12 bits"),
            pytest.param(65535, 0, (18, 67, 276), id="16 bits"),
            pytest.param(255, 3, (12, 22, 42), id="near"),
            pytest.param(15, 0, (2, 3, 4), id="4 bits"),
            pytest.param(3, 1, (3, 3, 3), id="2 bits near"),
            pytest.param(255, 127, (128, 128, 128), id="largest near"),
        ],
    )
    def test_default_thresholds_follow_c_2_4_1_1_1(
        self, maxval: int, near: int, thresholds: tuple[int, int, int]
    ) -> None:
        assert default_thresholds(maxval, near) == thresholds
        assert threshold_defaults(maxval, near) == list(thresholds)

    def test_defaults_of_encoder_and_reference_are_equal(self) -> None:
        for maxval in (*range(1, 600), 1023, 4095, 5000, 65535):
            for near in (*range(min(maxval // 2, 255) + 1),)[:: 1 + maxval // 100]:
                assert list(default_thresholds(maxval, near)) == threshold_defaults(maxval, near)


def writer_of(bits: str) -> BitWriter:
    writer = BitWriter()
    writer.put(int(bits, 2), len(bits))
    return writer


class TestSegments:
    """Segments of T.87 C.2."""

    def test_presets_have_five_numbers_of_two_bytes(self) -> None:
        assert jpegls.lse_presets(Presets(255, 3, 7, 21, 64)).hex() == "fff8000d0100ff0003000700150040"

    def test_oversize_dimensions_have_the_declared_number_of_bytes(self) -> None:
        assert jpegls.lse_size(1, 70000, 3).hex() == "fff8000a0403000001011170"

    def test_entropy_coded_data_has_a_zero_bit_after_ff(self) -> None:
        writer = writer_of("1" * 16)
        assert writer.finish(0).hex(" ") == "ff 7f 80"
        assert writer_of("11111111").finish(0).hex(" ") == "ff 00"
        assert writer_of("1").finish(1).hex(" ") == "ff 00"

    def test_mapping_table_is_continued(self) -> None:
        segments = jpegls.lse_table(3, 2, b"\0\1\0\2") + jpegls.lse_table(3, 2, b"\1\0", is_continuation=True)
        decoded = reference.decode(jpegls.encode(np.zeros((2, 2), np.uint8), segments=segments, table_ids=[3]))
        assert decoded.tables == {3: [1, 2, 256]}
        assert decoded.table_ids == [3]


@pytest.mark.parametrize("first", SEEDS)
def test_reference_decodes_encoded_frames(first: int) -> None:
    for seed in range(first, first + 100):
        frame = random_frame(seed)
        decoded = reference.decode(frame.src)
        assert np.array_equal(decoded.values, frame.values), frame
        assert np.abs(frame.values.astype(int) - frame.samples).max() <= frame.near, frame


@pytest.mark.parametrize("first", SEEDS)
def test_charls_decodes_encoded_frames(first: int) -> None:
    imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
    for seed in range(first, first + 100):
        frame = random_frame(seed)
        if frame.is_decoded_by_charls:
            assert np.array_equal(imagecodecs.jpegls_decode(frame.src), frame.values), frame


@pytest.mark.parametrize("near", [0, 1, 3])
@pytest.mark.parametrize("precision", [8, 16])
def test_frame_has_the_bytes_of_charls(precision: int, near: int) -> None:
    imagecodecs = pytest.importorskip("imagecodecs", reason="an encoder to compare with")
    for shape, kind in (((20, 31), "smooth"), ((31, 20), "extremes"), ((16, 16), "noise"), ((9, 90), "constant")):
        samples = picture(RNG, shape, precision, kind)
        # The headers differ: CharLS writes SPIFF and preset parameters.
        found, expected = jpegls.encode(samples, near=near), imagecodecs.jpegls_encode(samples, level=near)
        assert found[found.index(b"\xff\xda") :] == expected[expected.index(b"\xff\xda") :]


@pytest.mark.parametrize("transform", [1, 2, 3])
@pytest.mark.parametrize("precision", [8, 16])
def test_colour_transform_is_inverted(precision: int, transform: int) -> None:
    samples = picture(RNG, (30, 40, 3), precision, "noise")
    src = jpegls.encode(samples, transform=transform)
    assert np.array_equal(reference.decode(src).values, samples)


@pytest.mark.parametrize("end", range(60, 2, -5))
def test_reference_refuses_cut_frames(end: int) -> None:
    src = jpegls.encode(picture(RNG, (8, 8), 8, "noise"))
    with pytest.raises(InvalidFrameError):
        reference.decode(src[:-end])
