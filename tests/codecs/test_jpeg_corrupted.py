"""Damaged entropy-coded data of JPEG DCT: truncation, unassigned codes, changed bytes, and bounded work."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest

import dicoxide
from dicoxide import CorruptFrameError, DecodeError, LimitError, NonConformantWarning, TruncatedFrameError
from support import reference_jpeg_dct as reference
from support.encoders import jpeg_dct
from support.encoders.huffman import Table
from support.encoders.jpeg_dct import PROGRESSIVE, sos
from support.encoders.jpeg_dct_scans import Token, entropy_coded
from support.encoders.jpeg_lossless import EOI, SOI, dht
from support.jpeg_errors import (
    COLOUR,
    DATA,
    PLAIN,
    PROGRESSION,
    RESTARTED,
    ROWS,
    SCAN,
    assert_describes,
    caught_in,
    gray_frame,
    with_frame,
)

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG")

RNG = np.random.default_rng(54)


class TestCutShort:
    """Missing data are an error, never grey samples."""

    @pytest.mark.parametrize("name", ["sequential", "colour", "restarts", "progressive"])
    def test_codestream_cut_anywhere_is_truncated_with_the_offset(self, name: str) -> None:
        src = {"sequential": PLAIN, "colour": COLOUR, "restarts": RESTARTED, "progressive": PROGRESSION}[name]
        for end in range(2, len(src) - 2):
            error = caught_in(src[:end])
            if end < src.index(b"\xff\xda"):
                assert isinstance(error, CorruptFrameError)
            else:
                assert isinstance(error, TruncatedFrameError), (end, error)
            assert_describes(error, src[:end])

    @pytest.mark.parametrize("name", ["sequential", "colour", "restarts", "progressive"])
    def test_codestream_with_all_samples_and_no_eoi_is_a_deviation(self, name: str) -> None:
        src = {"sequential": PLAIN, "colour": COLOUR, "restarts": RESTARTED, "progressive": PROGRESSION}[name]
        with pytest.warns(NonConformantWarning, match="EOI"):
            assert np.array_equal(dicoxide.decode_codestream(src[:-2]), reference.decode(src))
        with pytest.warns(NonConformantWarning, match="EOI"):
            assert np.array_equal(dicoxide.decode_codestream(src[:-1]), reference.decode(src))

    def test_entropy_coded_data_removed_before_eoi_is_truncated(self) -> None:
        for size in range(1, len(DATA)):
            src = PLAIN[: -2 - size] + EOI
            error = caught_in(src)
            assert isinstance(error, TruncatedFrameError), (size, error)
            assert_describes(error, src)

    @pytest.mark.parametrize("tail", [b"\xff\xdc", b"\xff\xdc\0", b"\xff\xdc\0\4", b"\xff\xdc\0\4\0"])
    def test_cut_dnl_is_truncated(self, tail: bytes) -> None:
        for src in (PLAIN, with_frame(gray_frame(lines=0))):
            error = caught_in(src[:-2] + tail)
            # Without the segment, a bare codestream has no number of lines.
            assert isinstance(error, CorruptFrameError)
            assert "DNL" in str(error)

    def test_interval_with_missing_data_is_an_error(self) -> None:
        part = RESTARTED.index(b"\xff\xd0")
        src = RESTARTED[: part - 6] + RESTARTED[part:]
        error = caught_in(src)
        assert isinstance(error, CorruptFrameError)
        assert error.offset is not None
        assert error.offset <= part

    def test_large_size_without_data_is_refused_before_allocation(self) -> None:
        for lines, columns in ((65535, 65535), (ROWS, 65535)):
            src = with_frame(gray_frame(lines=lines, columns=columns))
            started = time.perf_counter()
            assert isinstance(caught_in(src), TruncatedFrameError)
            assert time.perf_counter() - started < 5


class TestEntropyCodedData:
    @pytest.mark.parametrize("position", [0, 3, 11])
    def test_unassigned_code_is_malformed_at_its_offset(self, position: int) -> None:
        # One code of one bit for category 0 and EOB; blocks of zeros take two bits.
        one = Table((1, *[0] * 15), (0,))
        rows, columns = 64, 64
        data = bytearray(16)
        data[position // 4] |= 0xC0 >> position % 4 * 2
        src = (
            SOI
            + jpeg_dct.dqt([(0, np.ones(64, np.int64))])
            + gray_frame(lines=rows, columns=columns)
            + dht([(0, one), (0x10, one)])
            + SCAN
            + bytes(data)
            + EOI
        )
        error = caught_in(src)
        assert type(error) is CorruptFrameError
        assert_describes(error, src)
        assert error.offset is not None
        assert 0 <= error.offset - (src.index(SCAN) + len(SCAN) + position // 4) <= 1

    def test_run_past_the_block_writes_the_last_coefficient(self) -> None:
        # libjpeg-turbo stores such a value as coefficient 63.
        dc, ac = Table((1, *[0] * 15), (0,)), Table((0, 4, *[0] * 14)[:16], (0x00, 0xF1, 0x01, 0xF0))
        codes = {0x00: "00", 0xF1: "01", 0x01: "10"}
        bits = "0" + (codes[0xF1] + "1") * 4
        data = int(bits.ljust(16, "1"), 2).to_bytes(2, "big")
        ac = Table((0, 3, *[0] * 14), (0x00, 0xF1, 0x01))
        src = (
            SOI
            + jpeg_dct.dqt([(0, np.full(64, 9))])
            + gray_frame(lines=8, columns=8)
            + dht([(0, dc), (0x10, ac)])
            + SCAN
            + data
            + EOI
        )
        expected = reference.decode(src)
        assert reference.coefficients(src).components[0].blocks[0, 0, 63] == 1
        assert np.array_equal(dicoxide.decode_codestream(src), expected)

    def test_damaged_bytes_raise_or_decode(self) -> None:
        for base in (PLAIN, COLOUR, RESTARTED, PROGRESSION):
            start = base.index(b"\xff\xda") + 14
            for _ in range(150):
                src = bytearray(base)
                for _ in range(RNG.integers(1, 4)):
                    src[RNG.integers(start, len(src) - 2)] = RNG.integers(0, 256)
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", NonConformantWarning)
                        found = dicoxide.decode_codestream(bytes(src))
                except DecodeError as error:
                    assert_describes(error, bytes(src))
                else:
                    assert np.array_equal(found, reference.decode(bytes(src)))


class TestWork:
    """Time is bounded by the size of the codestream."""

    def test_progression_of_thousands_of_empty_scans_is_refused_soon(self) -> None:
        one = Table((1, *[0] * 15), (0xE0,))
        head = SOI + jpeg_dct.dqt([(0, np.ones(64, np.int64))]) + gray_frame(PROGRESSIVE, lines=65000, columns=65000)
        head += dht([(0, Table((1, *[0] * 15), (0,))), (0x10, one)])
        scans = b"".join(
            sos([(1, (0, 0))], (index % 63 + 1, index % 63 + 1, 0, 0)) + b"\0" * 8 for index in range(4000)
        )
        started = time.perf_counter()
        assert isinstance(caught_in(head + scans + EOI), DecodeError)
        assert time.perf_counter() - started < 5

    def test_hundreds_of_refinements_of_a_large_frame_are_refused(self) -> None:
        # 2048 x 2048 blocks, which each of 260 refinement scans would look at: 20 coefficients, 13 bits.
        zero, runs = Table((1, *[0] * 15), (0,)), Table((1, *[0] * 15), (0xE0,))
        head = jpeg_dct.dqt([(0, np.ones(64, np.int64))]) + gray_frame(PROGRESSIVE, lines=1 << 14, columns=1 << 14)
        head += dht([(0, zero), (0x10, runs)])
        bands = [(index, index, low + 1 if low < 13 else 0, low) for index in range(1, 21) for low in range(13, -1, -1)]
        bands.append((21, 63, 0, 0))
        scans = sos([(1, (0, 0))], (0, 0, 0, 0)) + bytes(1 << 19)
        src = SOI + head + scans + b"".join(sos([(1, (0, 0))], band) + b"\0" for band in bands) + EOI
        error = caught_in(src)
        assert isinstance(error, LimitError)
        assert "refinement scans" in str(error)
        assert_describes(error, src)

    def test_end_of_band_runs_over_a_large_frame_are_bounded(self) -> None:
        # Each AC scan has 4 bytes, two runs of 32767 and 29733 blocks, and visits all blocks.
        zero, runs = Table((1, *[0] * 15), (0,)), Table((1, *[0] * 15), (0xE0,))
        tables = {(0, 0): zero, (1, 0): runs}
        dc = entropy_coded([Token((0, 0), 0, 0, 0)] * 62_500, tables)
        ac = entropy_coded([Token((1, 0), 0xE0, blocks - (1 << 14), 14) for blocks in (32_767, 29_733)], tables)
        head = jpeg_dct.dqt([(0, np.ones(64, np.int64))]) + gray_frame(PROGRESSIVE, lines=2000, columns=2000)
        scans = [sos([(1, (0, 0))], (index, index, 0, 0)) + (ac if index else dc) for index in range(64)]
        src = SOI + head + dht([(0, zero), (0x10, runs)]) + b"".join(scans) + EOI
        started = time.perf_counter()
        try:
            found = dicoxide.decode_codestream(src)
        except DecodeError as error:
            assert_describes(error, src)
        else:
            assert (found == 128).all()
        assert time.perf_counter() - started < 10
