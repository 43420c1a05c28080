"""The test encoder and the reference decoder of JPEG Lossless: compared with each other and with installed decoders."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLossless

from support import reference_jpeg_lossless as reference
from support.encoders import huffman, jpeg_lossless, jpeg_lossless_cases
from support.encoders.dataset import dataset
from support.encoders.jpeg_lossless_cases import picture
from support.examples import examples

RNG = np.random.default_rng(31)
PRECISIONS = range(2, 17)


def assert_decodes(src: bytes, expected: Any) -> None:
    decoded = reference.decode(src)
    assert decoded.deviations == []
    assert decoded.values.dtype == expected.dtype
    assert np.array_equal(decoded.values, expected)


@examples(400)
@given(jpeg_lossless_cases.frames())
def test_decode_of_encoded_frame_returns_its_samples(frame: jpeg_lossless_cases.Frame) -> None:
    assert_decodes(frame.src, frame.values)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_decode_with_every_precision_and_selection_value_round_trips(precision: int) -> None:
    for selection_value, kind in itertools.product(range(1, 8), jpeg_lossless_cases.KINDS):
        samples = picture(RNG, (6, 7), precision, kind)
        for shift in {0, 1, precision - 1}:
            src = jpeg_lossless.encode(
                samples, precision=precision, selection_value=selection_value, point_transform=shift
            )
            assert_decodes(src, samples >> shift << shift)


def test_symbols_of_every_difference_follow_table_h2() -> None:
    # Table H.2: the category is the bit length of the difference; 32768 has category 16 and no extra bits.
    every = np.arange(-32767, 32769)
    category, extra = jpeg_lossless.symbols(every)
    assert category.tolist() == [abs(value).bit_length() for value in every.tolist()]
    assert category[-1] == 16
    assert extra[-1] == 0
    for value, bits, extra_bits in zip(every.tolist(), category.tolist(), extra.tolist(), strict=True):
        if value != 32768:
            assert extra_bits == (value if value >= 0 else value + (1 << bits) - 1)
            assert 0 <= extra_bits < 1 << bits


def test_pack_equals_joined_bit_strings_with_stuffing() -> None:
    lengths = RNG.integers(0, 33, 5000)
    codes = RNG.integers(0, 2**63, 5000) & ((1 << lengths) - 1)
    text = "".join(f"{code:0{length}b}" for code, length in zip(codes, lengths, strict=True) if length)
    text += "1" * (-len(text) % 8)
    plain = bytes(int(text[offset : offset + 8], 2) for offset in range(0, len(text), 8))
    assert jpeg_lossless.pack(codes, lengths) == plain.replace(b"\xff", b"\xff\0")


@pytest.mark.parametrize("seed", range(30))
def test_optimal_table_has_valid_prefix_codes_ordered_by_frequency(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = (rng.random(17) ** rng.integers(1, 60) * 1e6).astype(int)
    counts[rng.integers(17)] += 1
    if seed == 0:
        # Fibonacci numbers give the longest codes: 17 bits before they are limited.
        counts = np.array([1, 1, *[0] * 15])
        for index in range(2, 17):
            counts[index] = counts[index - 1] + counts[index - 2]
    table = huffman.optimal(counts.tolist())
    codes = table.codes()
    assert set(codes) == {value for value in range(17) if counts[value]}
    words = sorted(f"{code:0{length}b}" for code, length in codes.values())
    assert all(not later.startswith(word) for word, later in itertools.pairwise(words))
    # C.2: no code is all ones.
    assert all("0" in word for word in words)
    assert max(map(len, words)) <= 16
    ordered = sorted(codes, key=lambda value: -counts[value])
    assert sorted(codes[value][1] for value in ordered) == [codes[value][1] for value in ordered]


def test_encode_and_decode_equal_a_hand_written_frame() -> None:
    # 2 × 2 samples of 3 bits. Categories 0, 1, 2 have the codes 0, 10, 110. The first prediction is 4, then Ra
    # in the first line and Rb below it.
    table = huffman.Table((1, 1, 1, *[0] * 13), (0, 1, 2))
    head = jpeg_lossless.SOI + jpeg_lossless.sof(3, 2, 2, [7]) + jpeg_lossless.dht([(0, table)])
    # 4 = 4 + 0, 3 = 4 - 1, 7 = 4 + 3, 6 = 3 + 3: 0, 10 0, 110 11, 110 11, then ones up to the end of the byte.
    entropy = bytes([0b0_100_1101, 0b1_11011_11])
    src = head + jpeg_lossless.sos([(7, 0)], 2, 0) + entropy + jpeg_lossless.EOI
    assert reference.decode(src).values.tolist() == [[4, 3], [7, 6]]
    samples = np.array([[4, 3], [7, 6]], np.uint8)
    assert jpeg_lossless.encode(samples, precision=3, selection_value=2, tables=table, component_ids=[7]) == src


def test_prediction_uses_reconstructed_values_modulo_16_bits() -> None:
    # H.1.2.1: arithmetic is modulo 2^16. The reconstructed value is 260: its lowest 8 bits are the sample, and 260
    # predicts the next one.
    samples = np.array([[250, 4, 4], [250, 4, 4]], np.uint8)
    wrapped = jpeg_lossless.encode(samples, wrap_bits=8, selection_value=7)
    assert wrapped != jpeg_lossless.encode(samples, selection_value=7)
    assert_decodes(wrapped, samples)
    assert jpeg_lossless.differences(samples.astype(int), 128, 1, 0, 8)[0].tolist() == [122, 10, 0]


@pytest.mark.parametrize(
    ("kind", "src"),
    [
        ("malformed", b"\xff\xd9"),
        ("truncated", b"\xff\xd8"),
        ("unsupported", jpeg_lossless.SOI + jpeg_lossless.sof(8, 1, 1, [1], marker=0xCB)),
        ("unsupported", jpeg_lossless.SOI + jpeg_lossless.sof(8, 1, 1, [1, 2], sampling=[(2, 1), (1, 1)])),
        ("malformed", jpeg_lossless.SOI + jpeg_lossless.dht([(0, huffman.Table((3, *[0] * 15), (0, 1, 2)))])),
        ("malformed", jpeg_lossless.SOI + jpeg_lossless.dnl(3)),
    ],
)
def test_decode_of_invalid_frame_raises_with_kind(kind: str, src: bytes) -> None:
    with pytest.raises(reference.InvalidFrameError) as caught:
        reference.decode(src)
    assert caught.value.kind == kind


class TestOtherDecoders:
    """Frames that other decoders decode correctly, without options that they are known to decode wrongly."""

    @examples(200)
    @given(jpeg_lossless_cases.frames())
    def test_libjpeg_turbo_decodes_encoded_frames(self, frame: jpeg_lossless_cases.Frame) -> None:
        imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
        options = {"component_ids": None, "use_dnl": False, "segments": b"", "selection_value": 1}
        plain = jpeg_lossless_cases.Frame(frame.samples, frame.precision, frame.options | options)
        if frame.samples.ndim == 3:
            # It converts three components unless APP14 gives the colour, and rejects two.
            plain = jpeg_lossless_cases.Frame(frame.samples[..., 0], frame.precision, {"selection_value": 5})
        # If prediction plus difference exceed 2^P, it keeps the bits above P, up to the size of its type.
        decoded = imagecodecs.jpeg8_decode(plain.src) & (1 << plain.precision) - 1
        assert np.array_equal(decoded, plain.values)

    @pytest.mark.parametrize("precision", PRECISIONS)
    def test_libjpeg_turbo_decodes_every_combination_of_parameters(self, precision: int) -> None:
        imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
        for selection_value, lines, interleaved in itertools.product(range(1, 8), (0, 1, 2), (True, False)):
            samples = picture(RNG, (5, 8, 3), precision, "noise")
            for image, shift in itertools.product((samples, samples[..., 0]), (0, precision - 1)):
                src = jpeg_lossless.encode(
                    image,
                    precision=precision,
                    selection_value=selection_value,
                    point_transform=shift,
                    restart_interval=lines * 8,
                    interleaved=interleaved,
                    redefine=not interleaved,
                )
                # Component identifiers 1, 2, 3 do not mean YCbCr in the lossless process.
                assert np.array_equal(imagecodecs.jpeg8_decode(src), image >> shift << shift)

    def test_ljpeg_decodes_every_precision_and_selection_value(self) -> None:
        imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
        for precision, selection_value in itertools.product(PRECISIONS, range(1, 8)):
            # Without restarts, point transform and separate scans, which it decodes wrongly.
            samples = picture(RNG, (9, 8), precision)
            src = jpeg_lossless.encode(samples, precision=precision, selection_value=selection_value)
            assert np.array_equal(imagecodecs.ljpeg_decode(src), samples)

    @pytest.mark.parametrize("precision", [8, 10, 12, 16])
    def test_gdcm_decodes_every_selection_value_and_restart_interval(self, precision: int) -> None:
        pytest.importorskip("gdcm", reason="a decoder to compare with")
        decoder = get_decoder(JPEGLossless)
        if "gdcm" not in decoder.available_plugins:
            pytest.skip("pydicom does not support this version of GDCM")
        for selection_value, lines in itertools.product(range(1, 8), (0, 1, 3)):
            samples = picture(RNG, (19, 18), precision)
            src = jpeg_lossless.encode(
                samples, precision=precision, selection_value=selection_value, restart_interval=lines * 18
            )
            ds = dataset(samples, JPEGLossless, bits_stored=precision, coded=[src])
            decoded, _ = decoder.as_array(ds, decoding_plugin="gdcm")
            assert np.array_equal(decoded, samples)
