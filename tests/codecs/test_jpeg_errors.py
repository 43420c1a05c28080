"""Invalid and unusual JPEG DCT codestreams: errors with kind, clause and offset, or deviations with exact samples."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning, TruncatedFrameError, UnsupportedError
from support import reference_jpeg_dct as reference
from support.encoders import jpeg_dct, jpeg_lossless
from support.encoders.dataset import dataset, to_bytes
from support.encoders.huffman import Table
from support.encoders.jpeg_dct import BASELINE, EXTENDED, PROGRESSIVE, Scan, encode_image, progressive_scans, sof, sos
from support.encoders.jpeg_lossless import EOI, SOI, dht, dnl, dri, segment
from support.jpeg_errors import (
    COLOUR,
    COLUMNS,
    DATA,
    FRAME,
    GRAY,
    GRAY_FRAME,
    PLAIN,
    PROGRESSION,
    RESTARTED,
    RGB,
    ROWS,
    SCAN,
    assert_describes,
    caught_in,
    gray_frame,
    markers,
    progression,
    replaced,
    scans_of,
    with_frame,
    with_scan,
)

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG")

MARKS = [0xD0 + index % 8 for index in range(3)]
MALFORMED: dict[str, tuple[bytes, str]] = {
    # B.2.1.
    "two SOI": (SOI + PLAIN, "FFD8"),
    "no frame header": (with_frame(b""), "frame header"),
    "two frame headers": (with_frame(FRAME + FRAME), "FFC0"),
    "EOI at once": (SOI + EOI, "frame header"),
    "no scan": (PLAIN[: PLAIN.index(SCAN)] + EOI, "no scan"),
    "reserved marker": (SOI + b"\xff\x02\0\2" + PLAIN[2:], "FF02"),
    "segment of length 1": (SOI + b"\xff\xe0\0\1" + PLAIN[2:], "length|2"),
    # B.2.2.
    "precision 0": (with_frame(gray_frame(precision=0)), "precision 0"),
    "precision 9": (with_frame(gray_frame(EXTENDED, precision=9)), "precision 9 found, 8 or 12 expected"),
    "precision 16": (with_frame(gray_frame(EXTENDED, precision=16)), "precision 16"),
    "no columns": (with_frame(gray_frame(columns=0)), "0 samples per line"),
    "no components": (with_frame(sof(BASELINE, 8, ROWS, COLUMNS, [])), "0 components"),
    "component twice": (
        replaced(COLOUR, bytes([2, 0x11, 1, 3, 0x11, 1]), bytes([2, 0x11, 1, 2, 0x11, 1])),
        "identifier 2 found twice",
    ),
    "horizontal factor 0": (with_frame(gray_frame(component=(1, (0, 1), 0))), "sampling factors 0 and 1"),
    "vertical factor 0": (with_frame(gray_frame(component=(1, (1, 0), 0))), "sampling factors 1 and 0"),
    "horizontal factor 5": (with_frame(gray_frame(component=(1, (5, 1), 0))), "sampling factors 5 and 1"),
    "vertical factor 15": (with_frame(gray_frame(component=(1, (1, 15), 0))), "sampling factors 1 and 15"),
    # B.2.3.
    "scan of unknown component": (with_scan(sos([(9, (0, 0))], (0, 63, 0, 0))), "component 9"),
    "scan of no component": (with_scan(sos([], (0, 63, 0, 0))), "0 components"),
    "scan of five components": (with_scan(sos([(1, (0, 0))] * 5, (0, 63, 0, 0))), "5 components"),
    "component twice in a scan": (
        with_scan(sos([(1, (0, 0)), (1, (0, 0))], (0, 63, 0, 0))),
        "identifier 1 found twice",
    ),
    "scan header too short": (with_scan(segment(0xDA, SCAN[4:-1])), ""),
    "scan header too long": (with_scan(segment(0xDA, SCAN[4:] + b"\0")), ""),
    "table destination 4": (with_scan(sos([(1, (4, 0))], (0, 63, 0, 0))), "destinations 4 and 0"),
    "more than ten blocks in an MCU": (
        encode_image(RGB, sampling=((2, 2), (2, 2), (2, 2))),
        "12 blocks in an MCU found, at most 10",
    ),
    "component in two scans": (PLAIN[:-2] + SCAN + DATA + EOI, "component 1 is in two scans"),
    "component in no scan": (
        b"".join(scans_of(encode_image(RGB, interleaved=False))[:3]) + EOI,
        "component 3 is in no scan",
    ),
    # B.2.4.1, B.2.4.2.
    "no quantization table": (replaced(PLAIN, b"\xff\xdb", b"\xff\xec"), "quantization table 0 is not defined"),
    "quantization destination 4": (replaced(PLAIN, b"\xff\xdb\0\x43\0", b"\xff\xdb\0\x43\4"), "4"),
    "quantization precision 2": (replaced(PLAIN, b"\xff\xdb\0\x43\0", b"\xff\xdb\0\x43\x20"), "2"),
    "quantization table too short": (replaced(PLAIN, b"\xff\xdb\0\x43", b"\xff\xdb\0\x42"), ""),
    "destination without a table": (with_scan(sos([(1, (3, 0))], (0, 63, 0, 0))), "huffman table 3 is not defined"),
    "over-subscribed codes": (SOI + dht([(0, Table((3, *[0] * 15), (0, 1, 2)))]) + PLAIN[2:], "code"),
    "over-subscribed codes of 16 bits": (
        SOI + dht([(0x10, Table((*[1] * 15, 3), tuple(range(18))))]) + PLAIN[2:],
        "code",
    ),
    "category 16 of a DC difference": (
        with_scan(dht([(0, Table((0, 2, *[0] * 14), (0, 16)))]) + SCAN),
        "category 16 found, 0 to 15 expected",
    ),
    # B.2.4.4, E.1.4: restart markers are counted.
    "restarts begin with the second": (markers(RESTARTED, [0xD1, 0xD2, 0xD3]), "RST1 found, RST0 expected"),
    "restart marker twice": (markers(RESTARTED, [0xD0, 0xD0, 0xD2]), "RST0 found, RST1 expected"),
    "one restart marker too many": (replaced(RESTARTED, b"\xff\xd1", b"\xff\xd1\xff\xd2"), ""),
    "restart interval without markers": (replaced(PLAIN, SCAN, dri(3) + SCAN), ""),
    "restart markers without an interval": (replaced(RESTARTED, dri(3), b""), "restart marker found after the last"),
    # B.2.5.
    "no number of lines": (with_frame(gray_frame(lines=0)), "number of lines"),
    "lines of 0": (with_frame(gray_frame(lines=0))[:-2] + dnl(0) + EOI, "number of lines"),
    "other lines after scan": (PLAIN[:-2] + dnl(ROWS + 1) + EOI, f"number of lines {ROWS + 1} found in DNL"),
    # G.1.1.1: legal progressions.
    "DC and AC in one scan": (progression([Scan((0,), 0, 5)]), "Ss 0 and Se 5"),
    "band that ends before it starts": (progression([Scan((0,), 0, 0), Scan((0,), 9, 5)]), "Ss 9 and Se 5"),
    "band beyond the block": (
        progression([Scan((0,), 0, 0), Scan((0,), 1, 63, written=(1, 64, 0, 0))]),
        "Ss 1 and Se 64",
    ),
    "Al of 14": (progression([Scan((0,), 0, 0, written=(0, 0, 0, 14)), Scan((0,), 1, 63)]), "Al 14"),
    "refinement of two bits": (progression([Scan((0,), 0, 0, 0, 2), Scan((0,), 0, 0, 2, 0), Scan((0,), 1)]), "Ah 2"),
    "refinement before the first scan": (progression([Scan((0,), 0, 0, 1, 0), Scan((0,), 1)]), "Ah 1 found"),
    "coefficients twice": (
        progression([Scan((0,), 0, 0), Scan((0,), 1, 20), Scan((0,), 20, 63)]),
        "coefficient 20 of component 1 is coded twice",
    ),
    "interleaved AC": (
        replaced(
            encode_image(RGB, marker=PROGRESSIVE, scans=progressive_scans(3, refinements=0, bands=1)),
            sos([(1, (0, 0))], (1, 63, 0, 0)),
            sos([(1, (0, 0)), (2, (1, 1))], (1, 63, 0, 0)),
        ),
        "2 components found in a scan of AC",
    ),
}

TRUNCATED: dict[str, tuple[bytes, str]] = {
    "missing band": (progression([Scan((0,), 0, 0), Scan((0,), 1, 20)]), "all bits of coefficient 21"),
    "missing refinement": (progression([Scan((0,), 0, 0, 0, 1), Scan((0,), 1)]), "the low 1 bits of coefficient 0"),
    "missing component": (
        b"".join(scans_of(encode_image(RGB, interleaved=False))[:2]) + EOI,
        "component 2 is in no scan",
    ),
}

UNSUPPORTED: dict[str, tuple[bytes, str]] = {
    **{
        f"marker {marker:02X}": (with_frame(gray_frame(marker)), f"FF{marker:02X}|arithmetic|hierarchical")
        for marker in (0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
    },
    "hierarchical": (SOI + sof(0xDE, 8, ROWS, COLUMNS, [GRAY_FRAME]) + PLAIN[2:], "hierarchical"),
    "fractional ratio": (encode_image(RGB, sampling=((3, 1), (2, 1), (1, 1))), "sampling factors 2 and 1"),
    "fractional vertical ratio": (encode_image(RGB, sampling=((1, 3), (1, 1), (1, 2))), "sampling factors 1 and 2"),
}


def test_constructed_frames_decode() -> None:
    for src in (PLAIN, COLOUR, RESTARTED, PROGRESSION):
        assert np.array_equal(dicoxide.decode_codestream(src), reference.decode(src))


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_codestream_raises_with_clause_and_offset(name: str) -> None:
    src, text = MALFORMED[name]
    error = caught_in(src)
    assert isinstance(error, CorruptFrameError)
    assert re.search(text, str(error))
    assert_describes(error, src)


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_frame_of_an_object_raises(name: str) -> None:
    src, _ = MALFORMED[name]
    values = RGB if "component" in name or "interleaved" in name or "MCU" in name else GRAY
    samples = 3 if values is RGB else 1
    ds = dataset(values, JPEGExtended12Bit, samples_per_pixel=samples, coded=[src])
    for source in (ds, to_bytes(ds)):
        with pytest.raises(CorruptFrameError) as caught, warnings.catch_warnings():
            warnings.simplefilter("ignore", NonConformantWarning)
            dicoxide.decode(source)
        assert caught.value.transfer_syntax == JPEGExtended12Bit
        assert caught.value.frame_index in (0, None)


@pytest.mark.parametrize("name", TRUNCATED)
def test_missing_scan_is_an_error_and_not_smoothed(name: str) -> None:
    src, text = TRUNCATED[name]
    error = caught_in(src)
    assert isinstance(error, TruncatedFrameError)
    assert text in str(error)
    assert_describes(error, src)


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_process_or_fractional_ratio_is_unsupported(name: str) -> None:
    src, text = UNSUPPORTED[name]
    error = caught_in(src)
    assert isinstance(error, UnsupportedError)
    assert re.search(text, str(error))
    assert error.clause.startswith("ITU-T T.81")


DEVIATIONS: dict[str, tuple[bytes, bytes, str]] = {
    # Name: codestream, codestream with the same samples, message.
    "no Huffman tables": (
        encode_image(GRAY, tables="typical", define_tables=False),
        encode_image(GRAY, tables="typical"),
        "no huffman table found, the typical tables",
    ),
    "Se of 0": (encode_image(GRAY, scans=[Scan((0,), written=(0, 0, 0, 0))]), PLAIN, "Ss 0, Se 0, Ah 0 and Al 0"),
    "odd parameters of a scan": (
        encode_image(GRAY, scans=[Scan((0,), written=(7, 70, 3, 9))]),
        PLAIN,
        "Ss 7, Se 70, Ah 3 and Al 9",
    ),
    "two images": (PLAIN + PLAIN, PLAIN, "bytes follow the EOI"),
    "bytes after EOI": (PLAIN + b"\1\2\3\4", PLAIN, "4 bytes follow the EOI"),
    "12 bits in a baseline frame": (
        encode_image(GRAY * 16.0, precision=12, marker=BASELINE),
        encode_image(GRAY * 16.0, precision=12),
        "precision 12 found in a baseline frame header",
    ),
    "AC before DC": (
        encode_image(GRAY, marker=PROGRESSIVE, scans=[Scan((0,), 1, 63), Scan((0,), 0, 0)]),
        PLAIN,
        "before its DC",
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviation_decodes_with_a_warning(name: str) -> None:
    src, equal, text = DEVIATIONS[name]
    with pytest.warns(NonConformantWarning, match=text):
        found = dicoxide.decode_codestream(src)
    assert np.array_equal(found, reference.decode(equal))
    precision = 12 if found.dtype == np.uint16 else 8
    # The syntax that includes all processes: the process is no deviation.
    ds = dataset(found, "1.2.840.10008.1.2.4.55", bits_stored=precision, coded=[src])
    with pytest.warns(NonConformantWarning, match=text):
        assert np.array_equal(dicoxide.decode(ds), found)
    with pytest.raises(CorruptFrameError, match=text):
        dicoxide.decode(ds, strict=True)


CONFORMANT: dict[str, tuple[bytes, bytes]] = {
    "8 bits in an extended frame": (encode_image(GRAY, marker=EXTENDED), PLAIN),
    "fill bytes": (encode_image(GRAY, fill_bytes=5, restart_interval=2), PLAIN),
    "thumbnail in APP1": (encode_image(GRAY, segments=segment(0xE1, b"Exif\0\0" + PLAIN)), PLAIN),
    "padding byte": (PLAIN + b"\0" * (len(PLAIN) % 2), PLAIN),
    "quantization table after frame": (encode_image(GRAY, quantizers_after_frame=True), PLAIN),
    "number of lines after scan": (encode_image(GRAY, use_dnl=True), PLAIN),
    "tables between scans": (encode_image(RGB, interleaved=False, redefine=True), encode_image(RGB)),
    "unused tables": (SOI + dht([(0x13, Table((1, *[0] * 15), (255,)))]) + PLAIN[2:], PLAIN),
    "comments between scans": (
        encode_image(RGB, scans=[Scan((index,), segments=jpeg_lossless.COMMENT) for index in range(3)]),
        encode_image(RGB),
    ),
    "quantization table of a later image": (
        # A component's table is that in force at its first scan.
        encode_image(
            GRAY,
            marker=PROGRESSIVE,
            scans=[Scan((0,), 0, 0), Scan((0,), 1, 63, segments=jpeg_dct.dqt([(0, np.full(64, 1))]))],
        ),
        PLAIN,
    ),
}


@pytest.mark.filterwarnings("error::dicoxide.NonConformantWarning")
@pytest.mark.parametrize("name", CONFORMANT)
def test_unusual_conformant_codestream_decodes_without_warning(name: str) -> None:
    src, equal = CONFORMANT[name]
    assert np.array_equal(dicoxide.decode_codestream(src), reference.decode(equal))


class TestDataSet:
    """Attributes that differ from the codestream."""

    @pytest.mark.parametrize(
        ("changed", "text"),
        [
            ({"rows": ROWS + 1}, "rows"),
            ({"columns": COLUMNS - 1}, "columns"),
            ({"samples_per_pixel": 3}, "components"),
        ],
    )
    def test_size_unequal_to_the_attributes_is_a_mismatch(self, changed: dict[str, int], text: str) -> None:
        declared = {"rows": ROWS, "columns": COLUMNS, "bits_allocated": 8, **changed}
        with pytest.raises(CorruptFrameError, match=text) as caught:
            dicoxide.decode_frame(PLAIN, dicoxide.FrameSpec(JPEGBaseline8Bit, **declared))
        assert caught.value.kind == "Mismatch"

    def test_precision_above_bits_allocated_is_a_mismatch(self) -> None:
        src = encode_image(GRAY * 16.0, precision=12)
        with pytest.raises(CorruptFrameError, match="precision 12"):
            dicoxide.decode_frame(src, dicoxide.FrameSpec(JPEGExtended12Bit, ROWS, COLUMNS, bits_allocated=8))

    def test_precision_above_bits_stored_is_a_deviation_and_masked(self) -> None:
        src = encode_image(GRAY * 16.0, precision=12)
        ds = dataset(np.zeros((ROWS, COLUMNS), np.uint16), JPEGExtended12Bit, bits_stored=10, coded=[src])
        with pytest.warns(NonConformantWarning, match="precision 12 found in the codestream, bits stored 10"):
            assert np.array_equal(dicoxide.decode(ds), reference.decode(src) & 1023)

    @pytest.mark.filterwarnings("error::dicoxide.NonConformantWarning")
    @pytest.mark.parametrize(("precision", "stored"), [(8, 8), (8, 12), (8, 16), (12, 12), (12, 16)])
    def test_bits_allocated_16_holds_8_and_12_bits(self, precision: int, stored: int) -> None:
        src = encode_image(GRAY * float(1 << precision - 8), precision=precision)
        ds = dataset(np.zeros((ROWS, COLUMNS), np.uint16), JPEGExtended12Bit, bits_stored=stored, coded=[src])
        decoded = dicoxide.decode(ds)
        assert decoded.dtype == np.uint16
        assert np.array_equal(decoded, reference.decode(src))

    @pytest.mark.parametrize("uid", [JPEGBaseline8Bit, JPEGExtended12Bit])
    def test_lossless_codestream_goes_to_its_decoder_with_a_deviation(self, uid: str) -> None:
        ds = dataset(GRAY, uid, coded=[jpeg_lossless.encode(GRAY)])
        with pytest.warns(NonConformantWarning, match="JPEG Lossless codestream found"):
            assert np.array_equal(dicoxide.decode(ds, fallback=False), GRAY)
