"""Invalid and unusual JPEG-LS codestreams: errors with kind, clause and offset, or deviations with exact samples."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless

import dicoxide
from dicoxide import CorruptFrameError, DecodeError, NonConformantWarning, TruncatedFrameError, UnsupportedError
from support import reference_jpegls as reference
from support.encoders.dataset import dataset, to_bytes
from support.encoders.jpeg_lossless import EOI, SOI, segment, sof
from support.encoders.jpeg_lossless_cases import picture
from support.encoders.jpegls import (
    LINE,
    NONE,
    SAMPLE,
    SOF55,
    Scan,
    dnl,
    dri,
    encode,
    lse_presets,
    lse_size,
    lse_table,
    mrfx,
    sos,
)
from support.encoders.jpegls_scans import Presets
from support.jpeg_errors import assert_describes, caught_in, markers, replaced

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG-LS")

RNG = np.random.default_rng(87)
ROWS, COLUMNS = 9, 13
GRAY = picture(RNG, (ROWS, COLUMNS), 8)
RGB = picture(RNG, (ROWS, COLUMNS, 3), 8)
WIDE = picture(RNG, (40, 50), 16).astype(np.uint16)
PLAIN = encode(GRAY)
COLOUR = encode(RGB, interleave="line")
SEPARATE = encode(RGB, interleave="none")
RESTARTED = encode(GRAY, restart_interval=2)
FRAME = sof(8, ROWS, COLUMNS, [1], marker=SOF55)
SCAN = sos([(1, 0)], 0, NONE)
DATA = PLAIN[PLAIN.index(SCAN) + len(SCAN) : -2]
# Sizes up to which changed frames are decoded.
MAX_PIXELS = 1 << 20
ALL = [(1, 0), (2, 0), (3, 0)]


def with_frame(frame: bytes) -> bytes:
    """Return `PLAIN` with another frame header."""
    return replaced(PLAIN, FRAME, frame)


def with_scan(scan: bytes) -> bytes:
    """Return `PLAIN` with another scan header."""
    return replaced(PLAIN, SCAN, scan)


def with_presets(*values: int, near: int = 0) -> bytes:
    """Return `PLAIN` with preset coding parameters, and another NEAR."""
    return with_scan(lse_presets(Presets(*values)) + sos([(1, 0)], near, NONE))


MALFORMED: dict[str, tuple[bytes, str]] = {
    # T.81 B.2.1, T.87 C.1.1.
    "two SOI": (SOI + PLAIN, "FFD8"),
    "no frame header": (with_frame(b""), "frame header"),
    "EOI at once": (SOI + EOI, "frame header"),
    "two frame headers": (with_frame(FRAME + FRAME), "FFF7"),
    "huffman table": (with_scan(segment(0xC4, bytes(17)) + SCAN), "FFC4 is not expected"),
    "JPEG extension": (with_scan(segment(0xF0, b"") + SCAN), "FFF0 is not expected"),
    "segment of length 1": (SOI + b"\xff\xe0\0\1" + PLAIN[2:], "length 1 of the APPn segment"),
    "other marker in the data": (PLAIN[:-2] + b"\xff\x80" + EOI, "FF80"),
    # C.2.2.
    "precision 1": (with_frame(sof(1, ROWS, COLUMNS, [1], marker=SOF55)), "precision 1 found, 2 to 16"),
    "precision 17": (with_frame(sof(17, ROWS, COLUMNS, [1], marker=SOF55)), "precision 17"),
    "no columns": (with_frame(sof(8, ROWS, 0, [1], marker=SOF55)), "0 samples per line"),
    "no components": (with_frame(sof(8, ROWS, COLUMNS, [], marker=SOF55)), "0 components"),
    "component twice": (replaced(COLOUR, bytes([2, 0x11, 0, 3]), bytes([2, 0x11, 0, 2])), "identifier 2 found twice"),
    # C.2.3.
    "scan of unknown component": (with_scan(sos([(9, 0)], 0, NONE)), "component 9"),
    "scan of no component": (with_scan(sos([], 0, NONE)), "0 components"),
    "scan of five components": (with_scan(sos([(1, 0)] * 5, 0, LINE)), "5 components"),
    "component twice in a scan": (with_scan(sos([(1, 0)] * 2, 0, LINE)), "identifier 1 found twice"),
    "scan header too short": (with_scan(segment(0xDA, SCAN[4:-1])), "SOS segment ends 1 bytes early"),
    "scan header too long": (with_scan(segment(0xDA, SCAN[4:] + b"\0")), "1 bytes follow the parameters of the SOS"),
    "component in two scans": (PLAIN[:-2] + SCAN + DATA + EOI, "component 1 is in two scans"),
    "components out of order": (replaced(COLOUR, bytes([1, 0, 2, 0, 3, 0]), bytes([2, 0, 1, 0, 3, 0])), "order"),
    "interleave mode 3": (replaced(COLOUR, sos(ALL, 0, LINE), sos(ALL, 0, 3)), "interleave mode 3"),
    "three components, not interleaved": (replaced(COLOUR, sos(ALL, 0, LINE), sos(ALL, 0, NONE)), "mode 0 of 3"),
    "one component, interleaved": (with_scan(sos([(1, 0)], 0, LINE)), "interleave mode 1 of a single component"),
    "NEAR over half of MAXVAL": (with_scan(sos([(1, 0)], 128, NONE)), "NEAR 128 found, at most 127"),
    "NEAR over half of preset MAXVAL": (with_presets(200, near=101), "NEAR 101 found, at most 100"),
    # C.2.4.1.
    "LSE of type 0": (with_scan(segment(0xF8, b"\0") + SCAN), "LSE type 0"),
    "LSE of type 14": (with_scan(segment(0xF8, b"\x0e") + SCAN), "LSE type 14"),
    "LSE without a type": (with_scan(segment(0xF8, b"") + SCAN), "LSE segment ends 1 bytes early"),
    "presets too short": (with_scan(segment(0xF8, b"\1" + bytes(9)) + SCAN), "LSE segment ends 1 bytes early"),
    "presets too long": (
        with_scan(segment(0xF8, b"\1" + bytes(11)) + SCAN),
        "1 bytes follow the parameters of the LSE",
    ),
    "MAXVAL over the precision": (with_presets(256), "MAXVAL 256 found, at most 255 expected at byte 20"),
    "T1 of NEAR": (with_presets(0, 3, near=3), "T1 3, T2 0 and T3 0 found .* NEAR 3 < T1 .* expected at byte 22"),
    "T1 over MAXVAL": (with_presets(0, 256), "T1 256, .* <= MAXVAL 255 expected"),
    "T2 under T1": (with_presets(0, 9, 8, 20), "T2 8"),
    "T3 under T2": (with_presets(0, 9, 18, 17), "T3 17"),
    "RESET of 2": (with_presets(0, 0, 0, 0, 2), "RESET 2 found, 3 to 255 expected at byte 28"),
    "RESET over 255": (with_presets(200, 0, 0, 0, 256), "RESET 256 found, 3 to 255 expected"),
    "RESET over MAXVAL": (
        replaced(encode(WIDE, precision=16), b"\xff\xda", lse_presets(Presets(999, reset=1000)) + b"\xff\xda"),
        "RESET 1000 found, 3 to 999 expected",
    ),
    "mapping table without entry size": (with_scan(segment(0xF8, b"\2\1") + SCAN), "LSE segment ends 1 bytes early"),
    "dimensions of one byte": (with_scan(segment(0xF8, b"\4\1\1\1") + SCAN), "1 bytes for a dimension"),
    "dimensions of five bytes": (with_scan(segment(0xF8, b"\4\5" + bytes(10)) + SCAN), "5 bytes for a dimension"),
    "dimensions too short": (with_scan(segment(0xF8, b"\4\2\0\1\0") + SCAN), "LSE segment ends 1 bytes early"),
    "other lines in LSE": (with_scan(lse_size(ROWS + 1, 0) + SCAN), f"number of lines {ROWS + 1}"),
    "other columns in LSE": (with_scan(lse_size(0, COLUMNS + 1) + SCAN), f"{COLUMNS + 1} samples per line"),
    # C.2.5, T.81 E.1.4: restart markers are counted.
    "restart interval of one byte": (with_scan(segment(0xDD, b"\1") + SCAN), "DRI segment ends 1 bytes early"),
    "restart interval of five bytes": (
        with_scan(segment(0xDD, bytes(5)) + SCAN),
        "3 bytes follow the parameters of the DRI",
    ),
    "restarts begin with the second": (markers(RESTARTED, [0xD1, 0xD2, 0xD3, 0xD4]), "RST1 found, RST0 expected"),
    "restart markers without an interval": (replaced(RESTARTED, dri(2), b""), "restart marker found after the last"),
    # C.2.6.
    "no number of lines": (with_frame(sof(8, 0, COLUMNS, [1], marker=SOF55)), "number of lines"),
    "lines of 0": (with_frame(sof(8, 0, COLUMNS, [1], marker=SOF55))[:-2] + dnl(0) + EOI, "number of lines"),
    "other lines after scan": (PLAIN[:-2] + dnl(ROWS + 1) + EOI, f"number of lines {ROWS + 1}"),
    # A.1: zeros fill the last byte.
    "surplus data": (PLAIN[:-2] + b"\x12\x34" + EOI, "bits follow the last line"),
    "surplus zeros": (PLAIN[:-2] + bytes(3) + EOI, "bits follow the last line"),
    "ones fill the last byte": (encode(GRAY[:, :7], pad_bit=1), "bits follow the last line"),
    # A.7.1, A.5.3.
    # Eight ones are 12 samples, a zero and 11 three more.
    "run past the line": (replaced(PLAIN, DATA, b"\xff\x3f" + bytes(9)), "run passes the end of line 0 at byte 25"),
    "code without an end": (replaced(PLAIN, DATA, bytes(40)), "code is longer than LIMIT, in line 0 at byte 25"),
}

TRUNCATED: dict[str, tuple[bytes, str]] = {
    "no scan": (SOI + FRAME + EOI, "ends before the first scan"),
    "missing component": (SEPARATE[: SEPARATE.rindex(b"\xff\xda")] + EOI, "component 3 is in no scan"),
    "missing restart interval": (RESTARTED[: RESTARTED.rindex(b"\xff\xd3")] + EOI, "4 restart intervals found, 5"),
    "restart interval without markers": (replaced(PLAIN, SCAN, dri(3) + SCAN), "1 restart intervals found, 3"),
    "no data": (replaced(PLAIN, DATA, b""), "entropy-coded bytes found"),
    "half of the data": (replaced(PLAIN, DATA, DATA[: len(DATA) // 2]), "entropy-coded data end in line"),
}

UNSUPPORTED: dict[str, tuple[bytes, str]] = {
    "subsampled": (replaced(COLOUR, bytes([2, 0x11, 0]), bytes([2, 0x21, 0])), "sampling factors 2 and 1"),
    "point transform": (with_scan(sos([(1, 0)], 0, NONE, 1)), "point transform 1"),
    "mapping table": (with_scan(lse_table(1, 1, bytes(256)) + sos([(1, 1)], 0, NONE)), "mapping table 1 selected"),
    "T.870": (with_scan(segment(0xF8, b"\x0d") + SCAN), "LSE type 13"),
    "five components": (with_frame(sof(8, ROWS, COLUMNS, range(1, 6), marker=SOF55)), "samples per pixel 5"),
    "transform 4 of HP": (replaced(COLOUR, SOI, SOI + mrfx(4)), "colour transform 4"),
    "transform 9 of HP": (replaced(COLOUR, SOI, SOI + mrfx(9)), "colour transform 9"),
    "transform of 12 bits": (replaced(encode(RGB, precision=12), SOI, SOI + mrfx(1)), "precision 12"),
}


def test_constructed_frames_decode() -> None:
    for src in (PLAIN, COLOUR, SEPARATE, RESTARTED):
        assert np.array_equal(dicoxide.decode_codestream(src, to_rgb=False), reference.decode(src).values)


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_codestream_raises_with_clause_and_offset(name: str) -> None:
    src, text = MALFORMED[name]
    error = caught_in(src)
    assert isinstance(error, CorruptFrameError), error
    assert re.search(text, str(error))
    assert_describes(error, src)


@pytest.mark.parametrize("name", TRUNCATED)
def test_incomplete_codestream_is_truncated(name: str) -> None:
    src, text = TRUNCATED[name]
    error = caught_in(src)
    assert isinstance(error, TruncatedFrameError), error
    assert text in str(error)
    assert_describes(error, src)


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_codestream_is_unsupported_with_clause(name: str) -> None:
    src, text = UNSUPPORTED[name]
    error = caught_in(src)
    assert isinstance(error, UnsupportedError), error
    assert re.search(text, str(error))
    assert error.clause


@pytest.mark.parametrize("name", [*MALFORMED, *TRUNCATED])
def test_invalid_frame_of_an_object_raises(name: str) -> None:
    src, _ = (MALFORMED | TRUNCATED)[name]
    values = RGB if any(src.startswith(whole[:40]) for whole in (COLOUR, SEPARATE)) else GRAY
    ds = dataset(values, JPEGLSNearLossless, samples_per_pixel=3 if values is RGB else 1, coded=[src])
    for source in (ds, to_bytes(ds)):
        with pytest.raises(CorruptFrameError) as caught, warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            dicoxide.decode(source)
        assert caught.value.transfer_syntax == JPEGLSNearLossless
        assert caught.value.frame_index in (0, None)


@pytest.mark.parametrize("src", [PLAIN, COLOUR, SEPARATE, RESTARTED], ids=["gray", "line", "separate", "restarted"])
def test_prefix_is_an_error_or_has_all_samples(src: bytes) -> None:
    expected = dicoxide.decode_codestream(src)
    for end in range(3, len(src) - 3):
        error = caught_in(src[:end])
        assert isinstance(error, CorruptFrameError)
        assert error.offset is not None
        assert error.offset <= end
    # Of the last bytes, only EOI and padding may be missing.
    for end in range(len(src) - 3, len(src)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            try:
                found = dicoxide.decode_codestream(src[:end])
            except TruncatedFrameError:
                continue
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("src", [PLAIN, RESTARTED, COLOUR], ids=["gray", "restarted", "line"])
def test_changed_bytes_give_an_error_or_a_whole_image(src: bytes) -> None:
    for index in range(len(src)):
        for value in (0, 0xFF, src[index] ^ 1, src[index] ^ 0x80):
            changed = src[:index] + bytes([value]) + src[index + 1 :]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", NonConformantWarning)
                    info = dicoxide.codestream_info(changed)
                    if info.rows * info.columns > MAX_PIXELS:
                        continue
                    found = dicoxide.decode_codestream(changed)
            except DecodeError:
                continue
            assert found.shape[:2] == (info.rows, info.columns)
            assert found.size == info.rows * info.columns * info.components


DEVIATIONS: dict[str, tuple[bytes, Any, str]] = {
    "no EOI": (PLAIN[:-2], GRAY, "no EOI marker"),
    "two images": (PLAIN + PLAIN, GRAY, "bytes follow the EOI"),
    "byte 00 after the data": (PLAIN[:-2] + b"\0" + EOI, GRAY, "a byte 00 follows the last line"),
    "transform of HP": (encode(RGB, interleave="sample", transform=2), RGB, "a colour transform of HP found"),
    "transform of HP in separate scans": (
        replaced(SEPARATE, SOI, SOI + mrfx(1)),
        RGB,
        "a colour transform of HP found .* not applied",
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviation_decodes_with_a_warning(name: str) -> None:
    src, expected, text = DEVIATIONS[name]
    with pytest.warns(NonConformantWarning, match=text):
        assert np.array_equal(dicoxide.decode_codestream(src), expected)
    ds = dataset(expected, JPEGLSLossless, samples_per_pixel=expected.ndim * 2 - 3, coded=[src])
    with pytest.warns(NonConformantWarning, match=text):
        assert np.array_equal(dicoxide.decode(ds), expected)
    with pytest.raises(CorruptFrameError, match=text):
        dicoxide.decode(ds, strict=True)


def test_half_of_eoi_decodes_with_a_warning() -> None:
    with pytest.warns(NonConformantWarning, match="EOI marker"):
        assert np.array_equal(dicoxide.decode_codestream(PLAIN[:-1]), GRAY)


CONFORMANT: dict[str, tuple[bytes, Any]] = {
    "fill bytes": (encode(GRAY, fill_bytes=5, restart_interval=2), GRAY),
    "thumbnail in APP1": (encode(GRAY, segments=segment(0xE1, b"Exif\0\0" + PLAIN)), GRAY),
    "comment": (encode(GRAY, segments=segment(0xFE, b"comment")), GRAY),
    "padding byte": (PLAIN + b"\0" * (len(PLAIN) % 2), GRAY),
    "default presets": (encode(GRAY, presets=Presets()), GRAY),
    "RESET of 3 with samples interleaved": (encode(RGB, interleave="sample", presets=Presets(reset=3)), RGB),
    "RESET over 255": (encode(WIDE, presets=Presets(reset=300)), WIDE),
    "MAXVAL of 200": (encode(GRAY // 2, presets=Presets(maxval=200)), GRAY // 2),
    "two components, interleaved": (encode(RGB[..., :2], interleave="line"), RGB[..., :2]),
    "restart interval of 3 bytes": (encode(GRAY, restart_interval=4, restart_bytes=3), GRAY),
    "restart interval of 4 bytes": (encode(GRAY, restart_interval=4, restart_bytes=4), GRAY),
    "restart interval over the lines": (encode(GRAY, restart_interval=99), GRAY),
    "dimensions in LSE": (encode(GRAY, oversize_bytes=3), GRAY),
    "dimensions in LSE and frame header": (with_scan(lse_size(ROWS, COLUMNS) + SCAN), GRAY),
    "number of lines after scan": (encode(GRAY, dnl_bytes=2), GRAY),
    "number of lines of 3 bytes after scan": (encode(GRAY, dnl_bytes=3), GRAY),
    "number of lines after scan too": (PLAIN[:-2] + dnl(ROWS) + EOI, GRAY),
    "number of lines after the first of three scans": (encode(RGB, interleave="none", dnl_bytes=2), RGB),
    "unused mapping table": (encode(GRAY, segments=lse_table(1, 1, bytes(256))), GRAY),
    "sampling factors of a single component": (
        replaced(PLAIN, FRAME, FRAME[:-2] + b"\x22\0"),
        GRAY,
    ),
    "transform 0 of HP": (encode(RGB, transform=0), RGB),
    "two components in one scan, one in another": (
        encode(RGB, scans=[Scan((0, 2), SAMPLE), Scan((1,), NONE)]),
        RGB,
    ),
}


@pytest.mark.filterwarnings("error::dicoxide.NonConformantWarning")
@pytest.mark.parametrize("name", CONFORMANT)
def test_unusual_conformant_codestream_decodes_without_warning(name: str) -> None:
    src, expected = CONFORMANT[name]
    assert np.array_equal(dicoxide.decode_codestream(src), expected)
    samples = 1 if expected.ndim == 2 else expected.shape[2]
    ds = dataset(expected, JPEGLSLossless, samples_per_pixel=samples, coded=[src])
    assert np.array_equal(dicoxide.decode(ds, strict=True, fallback=False), expected)
