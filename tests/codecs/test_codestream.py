"""Bare codestreams, and codestreams of another format than their transfer syntax declares."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import MPEG4HP41, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning, TruncatedFrameError, UnsupportedError
from dicoxide._sources import open_source
from support.encoders import jpeg_lossless
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpeg_lossless_cases import picture

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no codestreams")

RNG = np.random.default_rng(61)
MONO = picture(RNG, (21, 23), 12, "noise")
RGB = picture(RNG, (21, 23, 3), 8, "noise")
FROM_YBR = convert_color_space(RGB, "YBR_FULL", "RGB")
ADOBE_RGB = jpeg_lossless.APP14
ADOBE_YBR = jpeg_lossless.APP14[:-1] + b"\1"
# Frame header of 5 rows and 7 columns, 8 bits, one component; a scan header.
FRAME_HEADER = bytes([0, 11, 8, 0, 5, 0, 7, 1, 1, 0x11, 0])
SCAN_HEADER = bytes([0, 8, 1, 1, 0, 0, 0, 0])
JPEG_2000 = (
    b"\xff\x4f\xff\x51\0\x29\0\0\0\0\0\7\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0\5\0\0\0\0\0\0\0\0\0\1\x8b\1\1"
    b"\xff\x52\0\x0c\0\0\0\1\0\5\4\4\0\1\xff\x90\0\x0a"
)
BOXES = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x0cftypjp2 \0\0\0\0jp2c"

# A retired transfer syntax of the JPEG family that no codec is registered for.
HIERARCHICAL = "1.2.840.10008.1.2.4.65"


def jpeg(marker: int, *, scan: bytes = SCAN_HEADER) -> bytes:
    return b"\xff\xd8\xff" + bytes([marker]) + FRAME_HEADER + b"\xff\xda" + scan + b"\x12\xff\xd9"


class TestDecode:
    @pytest.mark.parametrize("precision", [2, 8, 9, 12, 16])
    def test_decode_codestream_lossless_has_declared_shape_and_dtype(self, precision: int) -> None:
        samples = picture(RNG, (9, 11), precision, "noise")
        decoded = dicoxide.decode_codestream(jpeg_lossless.encode(samples, precision=precision))
        assert decoded.dtype == (np.uint8 if precision <= 8 else np.uint16)
        assert np.array_equal(decoded, samples)

    def test_decode_codestream_equals_jpeg_lossless_decode(self) -> None:
        for samples, precision in ((MONO, 12), (RGB, 8)):
            src = jpeg_lossless.encode(samples, precision=precision, selection_value=6)
            assert np.array_equal(dicoxide.decode_codestream(src), dicoxide.jpeg_lossless_decode(src))

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_decode_codestream_out_is_filled_and_returned(self, kind: Any) -> None:
        out = np.empty(MONO.shape, np.int32)
        assert dicoxide.decode_codestream(kind(jpeg_lossless.encode(MONO, precision=12)), out) is out
        assert np.array_equal(out, MONO)
        for wrong in (np.empty((23, 21), np.uint16), np.empty(MONO.shape, np.uint8), [1]):
            with pytest.raises(ValueError, match="out|dtype"):
                dicoxide.decode_codestream(jpeg_lossless.encode(MONO, precision=12), wrong)

    def test_decode_codestream_threads_do_not_change_values(self) -> None:
        samples = picture(RNG, (900, 1000), 12, "noise")
        src = jpeg_lossless.encode(samples, precision=12)
        for threads in (1, 3, None):
            assert np.array_equal(dicoxide.decode_codestream(src, threads=threads), samples)
        with pytest.raises(ValueError, match="threads"):
            dicoxide.decode_codestream(src, threads=0)

    @pytest.mark.parametrize(
        ("options", "colour", "expected"),
        [
            pytest.param({}, None, RGB, id="undeclared"),
            pytest.param({"segments": jpeg_lossless.APP0}, "ybr", FROM_YBR, id="JFIF"),
            pytest.param({"segments": ADOBE_RGB}, "rgb", RGB, id="Adobe RGB"),
            pytest.param({"segments": ADOBE_YBR}, "ybr", FROM_YBR, id="Adobe YCbCr"),
            pytest.param({"component_ids": (82, 71, 66)}, "rgb", RGB, id="component identifiers"),
            pytest.param({"component_ids": (82, 71, 66), "segments": ADOBE_YBR}, "ybr", FROM_YBR, id="Adobe first"),
        ],
    )
    def test_decode_codestream_to_rgb_follows_the_codestreams_colour(
        self, options: dict[str, Any], colour: str | None, expected: np.ndarray
    ) -> None:
        src = jpeg_lossless.encode(RGB, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(dicoxide.decode_codestream(src, to_rgb=True), expected)
            assert np.array_equal(dicoxide.decode_codestream(src), RGB)
        assert dicoxide.codestream_info(src).colour == colour

    @pytest.mark.parametrize("reduce", [1, 2, 32])
    def test_decode_codestream_reduce_without_resolutions_is_a_value_error(self, reduce: int) -> None:
        src = jpeg_lossless.encode(MONO, precision=12)
        assert np.array_equal(dicoxide.decode_codestream(src, reduce=0), MONO)
        with pytest.raises(ValueError, match="1 resolution level"):
            dicoxide.decode_codestream(src, reduce=reduce)

    @pytest.mark.parametrize("reduce", [-1, 33, 1 << 40])
    def test_decode_codestream_reduce_out_of_range_is_a_value_error(self, reduce: int) -> None:
        with pytest.raises(ValueError, match="reduce must be 0 to 32"):
            dicoxide.decode_codestream(jpeg_lossless.encode(MONO, precision=12), reduce=reduce)

    @pytest.mark.parametrize(
        ("src", "name"),
        [
            pytest.param(jpeg(0xC9), "arithmetic", id="arithmetic"),
        ],
    )
    def test_decode_codestream_other_format_is_unsupported_and_named(self, src: bytes, name: str) -> None:
        with pytest.raises(UnsupportedError, match=name) as caught:
            dicoxide.decode_codestream(src)
        assert caught.value.clause

    def test_decode_codestream_damaged_raises_as_jpeg_lossless_decode(self) -> None:
        src = jpeg_lossless.encode(MONO, precision=12)
        with pytest.raises(TruncatedFrameError):
            dicoxide.decode_codestream(src[: len(src) // 2])
        with pytest.warns(NonConformantWarning, match="EOI"):
            assert np.array_equal(dicoxide.decode_codestream(src[:-2]), MONO)

    def test_decode_codestream_large_size_without_data_allocates_nothing(self) -> None:
        src = bytearray(jpeg_lossless.encode(MONO, precision=12))
        header = src.index(b"\xff\xc3")
        src[header + 5 : header + 9] = b"\xff\xff\xff\xff"
        with pytest.raises(TruncatedFrameError, match="at least"):
            dicoxide.decode_codestream(bytes(src))


class TestInfo:
    def test_codestream_info_lossless_fields(self) -> None:
        info = dicoxide.codestream_info(jpeg_lossless.encode(RGB, use_dnl=True))
        assert info == ("jpeg_lossless", 21, 23, 3, 8, False, None, False, 1)
        assert info._fields[:3] == ("format", "rows", "columns")

    @pytest.mark.parametrize(
        ("src", "expected"),
        [
            pytest.param(jpeg(0xC0), ("jpeg", 5, 7, 1, 8, False, "gray", True, 4), id="baseline"),
            pytest.param(jpeg(0xC9), ("jpeg", 5, 7, 1, 8, False, "gray", None, 1), id="arithmetic"),
            pytest.param(jpeg(0xF7), ("jpegls", 5, 7, 1, 8, False, "gray", False, 1), id="JPEG-LS"),
            pytest.param(
                jpeg(0xF7, scan=bytes([0, 8, 1, 1, 0, 2, 0, 0])),
                ("jpegls", 5, 7, 1, 8, False, "gray", True, 1),
                id="JPEG-LS near-lossless",
            ),
            pytest.param(JPEG_2000, ("jpeg2000", 5, 7, 1, 12, True, "gray", False, 6), id="JPEG 2000"),
            pytest.param(BOXES + JPEG_2000, ("jpeg2000", 5, 7, 1, 12, True, "gray", False, 6), id="JP2"),
            pytest.param(
                JPEG_2000.replace(b"\xff\x52", b"\xff\x50\0\x08\0\2\0\0\0\0\xff\x52"),
                ("htj2k", 5, 7, 1, 12, True, "gray", False, 6),
                id="HTJ2K",
            ),
            pytest.param(b"\xff\x0a\x41\x0e", ("jpegxl", 8, 8, 3, 8, False, "rgb", True, 1), id="JPEG XL"),
        ],
    )
    def test_codestream_info_reads_headers_of_every_format(self, src: bytes, expected: tuple[Any, ...]) -> None:
        assert dicoxide.codestream_info(src) == expected

    def test_codestream_info_other_or_cut_bytes_are_errors(self) -> None:
        for src in (b"", b"RIFF", bytes(100)):
            with pytest.raises(UnsupportedError, match="signature"):
                dicoxide.codestream_info(src)
        for end in range(4, 15):
            with pytest.raises(TruncatedFrameError):
                dicoxide.codestream_info(jpeg(0xC0)[:end])
        with pytest.raises(CorruptFrameError, match="0 samples per line|columns|samples"):
            dicoxide.codestream_info(jpeg(0xC0).replace(b"\0\7\1", b"\0\0\1", 1))


class TestDispatch:
    """Within the JPEG family the start-of-frame marker chooses the decoder, not the transfer syntax (PS3.5 A.4.1)."""

    @pytest.mark.parametrize("uid", [JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSLossless, "1.2.840.10008.1.2.4.81"])
    def test_lossless_codestream_of_another_syntax_decodes_with_a_deviation(self, uid: str) -> None:
        ds = dataset(MONO, uid, bits_stored=12, coded=[jpeg_lossless.encode(MONO, precision=12)])
        message = "JPEG Lossless codestream found, transfer syntax is JPEG"
        for src in (ds, to_bytes(ds)):
            with pytest.warns(NonConformantWarning, match=message):
                assert np.array_equal(dicoxide.decode(src, fallback=False), MONO)
            with pytest.raises(CorruptFrameError, match=message):
                dicoxide.decode(src, strict=True, fallback=False)
        with pytest.warns(NonConformantWarning, match=message):
            results = list(dicoxide.decode_many([to_bytes(ds)] * 3, fallback=False))
        assert len(results) == 3
        assert all(np.array_equal(array, MONO) for _, array in results)
        results = list(dicoxide.decode_many([to_bytes(ds)] * 3, strict=True, fallback=False, on_error="return"))
        assert all(isinstance(error, CorruptFrameError) for _, error in results)

    def test_short_lossless_codestream_of_another_syntax_is_refused_before_allocation(self) -> None:
        frame = jpeg_lossless.encode(MONO, precision=12)
        # The scan header and two bytes of entropy-coded data.
        ds = dataset(MONO, HIERARCHICAL, bits_stored=12, coded=[frame[: frame.index(b"\xff\xda") + 12]])
        for src in (ds, to_bytes(ds)):
            with pytest.raises(TruncatedFrameError, match=r"frame has \d+ bytes, at least \d+ expected"):
                open_source(src).frames().check([0])

    @pytest.mark.parametrize("uid", [JPEGBaseline8Bit, JPEGLSLossless])
    def test_short_lossless_codestream_of_another_syntax_is_an_error(self, uid: str) -> None:
        frame = jpeg_lossless.encode(MONO, precision=12)
        ds = dataset(MONO, uid, bits_stored=12, coded=[frame[: frame.index(b"\xff\xda") + 12]])
        for src in (ds, to_bytes(ds)):
            with pytest.raises(TruncatedFrameError):
                dicoxide.decode(src)

    @pytest.mark.parametrize("uid", [JPEGBaseline8Bit, JPEGLSLossless])
    def test_lossless_codestream_of_another_syntax_decodes_through_pydicom(self, uid: str) -> None:
        ds = pydicom.dcmread(
            io.BytesIO(to_bytes(dataset(MONO, uid, bits_stored=12, coded=[jpeg_lossless.encode(MONO, precision=12)])))
        )
        with (
            dicoxide.enabled(),
            pytest.warns(NonConformantWarning, match="JPEG Lossless codestream found"),
        ):
            assert np.array_equal(ds.pixel_array, MONO)

    def test_frames_of_different_formats_are_decoded_one_by_one(self) -> None:
        lossless = jpeg_lossless.encode(MONO, precision=12)
        ds = dataset(np.stack([MONO] * 9), JPEGLossless, bits_stored=12, coded=[lossless] * 8 + [jpeg(0xC9)])
        assert np.array_equal(dicoxide.decode(ds, frames=slice(0, 8), fallback=False), np.stack([MONO] * 8))
        with pytest.raises(UnsupportedError):
            dicoxide.decode(ds, fallback=False)

    @pytest.mark.parametrize("uid", [JPEGLossless, JPEGLosslessSV1])
    @pytest.mark.parametrize("marker", [0xC9, 0xCA])
    def test_other_codestream_of_a_lossless_syntax_is_unsupported(self, uid: str, marker: int) -> None:
        ds = dataset(np.zeros((5, 7), np.uint8), uid, coded=[jpeg(marker)])
        with pytest.raises(UnsupportedError, match=f"FF{marker:02X}"):
            dicoxide.decode(ds, fallback=False)

    def test_undecoded_syntax_is_unsupported_without_fallback(self) -> None:
        ds = dataset(np.zeros((5, 7), np.uint8), MPEG4HP41, coded=[b"\0\0\1\xb3"])
        for src in (ds, to_bytes(ds)):
            with pytest.raises(UnsupportedError, match="no codec for transfer syntax MPEG4HP41"):
                dicoxide.decode(src, fallback=False)

    def test_capabilities_name_codecs_of_transfer_syntaxes_only(self) -> None:
        assert dicoxide.capabilities()[MPEG4HP41].decoder != "dicoxide"
        assert dicoxide.capabilities()[JPEGLossless].decoder == "dicoxide"
