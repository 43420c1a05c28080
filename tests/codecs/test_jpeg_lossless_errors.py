"""Invalid JPEG Lossless frames: errors give the kind, the violated clause and the offset."""

from __future__ import annotations

import pickle
import struct
from typing import Any

import numpy as np
import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

import dicoxide
from dicoxide import CorruptFrameError, DecodeError, TruncatedFrameError, UnsupportedError
from support import reference_jpeg_lossless as reference
from support.encoders import jpeg_lossless
from support.encoders.dataset import dataset, to_bytes
from support.encoders.huffman import FIXED, FLAT, Table
from support.encoders.jpeg_lossless import APP0, EOI, SOI, dht, dnl, dri, segment, sof, sos
from support.encoders.jpeg_lossless_cases import picture

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless")

RNG = np.random.default_rng(47)
ROWS, COLUMNS = 4, 6
SAMPLES = picture(RNG, (ROWS, COLUMNS), 8, "noise")
FRAME = sof(8, ROWS, COLUMNS, [1])
TABLES = dht([(0, FIXED)])
SCAN = sos([(1, 0)], 1, 0)
RGB = picture(RNG, (ROWS, COLUMNS, 3), 8, "noise")
RGB_FRAME = sof(8, ROWS, COLUMNS, [1, 2, 3])


def entropy(samples: Any = SAMPLES, lines: int = 0, table: Table = FIXED) -> list[bytes]:
    """Return the entropy-coded segments of one or three components, split at restart intervals of `lines` rows."""
    planes = [samples] if samples.ndim == 2 else [samples[..., component] for component in range(3)]
    coded = [jpeg_lossless.symbols(jpeg_lossless.differences(plane.astype(int), 128, 1, lines)) for plane in planes]
    step = (lines or ROWS) * COLUMNS
    return [
        jpeg_lossless.Interval(
            [((kind[offset : offset + step], more[offset : offset + step]), table) for kind, more in coded]
        ).entropy()
        for offset in range(0, ROWS * COLUMNS, step)
    ]


DATA = entropy()[0]
RGB_DATA = entropy(RGB)[0]
PLANES = [entropy(RGB[..., component])[0] for component in range(3)]
RESTARTS = entropy(lines=1)


def restarted(*markers: int) -> bytes:
    """Return a frame with one restart interval per line and these markers between them."""
    marks = [bytes([0xFF, marker]) for marker in markers]
    parts = [part + mark for part, mark in zip(RESTARTS, [*marks, b""], strict=True)]
    return SOI + dri(COLUMNS) + FRAME + TABLES + SCAN + b"".join(parts) + EOI


def lossless(frame: bytes = FRAME, tables: bytes = TABLES, scan: bytes = SCAN, data: bytes = DATA) -> bytes:
    return SOI + frame + tables + scan + data + EOI


def assert_describes(error: DecodeError, src: bytes, *, has_offset: bool = True) -> None:
    assert error.clause.startswith(("ITU-T T.81", "PS3.5", "PS3.3"))
    assert str(error).endswith(f"({error.clause})")
    assert "\n" not in str(error)
    if has_offset or error.offset is not None:
        assert error.offset is not None
        assert 0 <= error.offset <= len(src)
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__


def test_constructed_frame_decodes() -> None:
    assert np.array_equal(dicoxide.jpeg_lossless_decode(lossless()), SAMPLES)
    assert np.array_equal(dicoxide.jpeg_lossless_decode(restarted(0xD0, 0xD1, 0xD2)), SAMPLES)
    scan = sos([(1, 0), (2, 0), (3, 0)], 1, 0)
    assert np.array_equal(dicoxide.jpeg_lossless_decode(lossless(RGB_FRAME, scan=scan, data=RGB_DATA)), RGB)


MALFORMED = {
    # B.2.1: a frame starts with SOI.
    "another beginning": b"\0\0" + lossless(),
    "no SOI": lossless()[2:],
    "two SOI": SOI + lossless(),
    "no marker where one belongs": SOI + b"ab" + lossless()[2:],
    "EOI at once": SOI + EOI,
    "no frame header": SOI + TABLES + SCAN + DATA + EOI,
    "no scan": SOI + FRAME + TABLES + EOI,
    # B.1.1.4: a length includes itself.
    "a segment of length 1": SOI + b"\xff\xe0\0\1" + lossless()[2:],
    "a segment of length 0": SOI + b"\xff\xfe\0\0" + lossless()[2:],
    # Table B.2: P is 2 to 16, X at least 1, Nf at least 1.
    "precision 0": lossless(sof(0, ROWS, COLUMNS, [1])),
    "precision 1": lossless(sof(1, ROWS, COLUMNS, [1])),
    "precision 17": lossless(sof(17, ROWS, COLUMNS, [1])),
    "no columns": lossless(sof(8, ROWS, 0, [1])),
    "no components": lossless(sof(8, ROWS, COLUMNS, [])),
    "a frame header too short": lossless(segment(0xC3, FRAME[4:-1])),
    "a frame header too long": lossless(segment(0xC3, FRAME[4:] + b"\0")),
    "a frame header of nothing": lossless(segment(0xC3, b"")),
    "two frame headers": lossless(FRAME + FRAME),
    # B.2.2: identifiers are unique, factors 1 to 4.
    "two components of one identifier": lossless(sof(8, ROWS, COLUMNS, [1, 2, 1])),
    "sampling factor 0": lossless(sof(8, ROWS, COLUMNS, [1], sampling=[(0, 1)])),
    "sampling factor 5": lossless(sof(8, ROWS, COLUMNS, [1], sampling=[(1, 5)])),
    # Table B.3.
    "a scan of an unknown component": lossless(scan=sos([(2, 0)], 1, 0)),
    "a scan of no component": lossless(scan=sos([], 1, 0)),
    "a component twice in a scan": lossless(RGB_FRAME, scan=sos([(1, 0), (1, 0), (3, 0)], 1, 0), data=RGB_DATA),
    "a scan header too short": lossless(scan=segment(0xDA, SCAN[4:-1])),
    "a scan header too long": lossless(scan=segment(0xDA, SCAN[4:] + b"\0")),
    "a scan header of nothing": lossless(scan=segment(0xDA, b"")),
    "five components in a scan": lossless(scan=sos([(1, 0)] * 5, 1, 0)),
    # Table B.3, H.1.2.1: 0 is for differential frames.
    "selection value 0": lossless(scan=sos([(1, 0)], 0, 0)),
    "selection value 8": lossless(scan=sos([(1, 0)], 8, 0)),
    "selection value 255": lossless(scan=sos([(1, 0)], 255, 0)),
    "a point transform of all bits": lossless(scan=sos([(1, 0)], 1, 8)),
    "a point transform of more than all bits": lossless(scan=sos([(1, 0)], 1, 15)),
    "a point transform of all of twelve bits": lossless(sof(12, ROWS, COLUMNS, [1]), scan=sos([(1, 0)], 1, 12)),
    # Table B.3: unused parameters are zero.
    "an end of spectral selection": lossless(scan=sos([(1, 0)], 1, 0, se=63)),
    "an earlier approximation": lossless(scan=sos([(1, 0)], 1, 0, ah=1)),
    # B.2.4.2: a scan uses tables defined before it.
    "a table that is not there": lossless(scan=sos([(1, 1)], 1, 0)),
    "no table at all": lossless(tables=b""),
    "a table defined too late": SOI + FRAME + SCAN + TABLES + DATA + EOI,
    # B.2.4.2, C.2.
    "more codes than bits allow": lossless(tables=dht([(0, Table((3, *[0] * 15), (0, 1, 2)))])),
    "more codes of sixteen bits than are left": lossless(tables=dht([(0, Table((*[1] * 15, 3), (*range(17), 0)))])),
    "code counts of more than 256": lossless(
        tables=dht([(0, Table((*[0] * 12, 255, 255, 0, 0), tuple(range(17)) * 30))])
    ),
    "fewer values than codes": lossless(tables=segment(0xC4, TABLES[4:-1])),
    "half a table more": lossless(tables=segment(0xC4, TABLES[4:] + b"\0\1\1")),
    "table destination 4": lossless(tables=dht([(4, FIXED)]) + TABLES),
    "table class 2": lossless(tables=dht([(0x20, FIXED)]) + TABLES),
    # B.2.4.4, H.1.1.
    "a restart interval within a line": lossless(dri(COLUMNS - 1) + FRAME),
    "a restart interval of a line and a half": lossless(dri(COLUMNS * 3 // 2) + FRAME),
    "a restart interval of three bytes": lossless(segment(0xDD, b"\0\6\0") + FRAME),
    "a restart interval of one byte": lossless(segment(0xDD, b"\6") + FRAME),
    # B.1.1.3, E.1.4.
    "restarts that begin with the second": restarted(0xD1, 0xD2, 0xD3),
    "a restart marker twice": restarted(0xD0, 0xD0, 0xD2),
    "a restart marker that is another marker": restarted(0xD0, 0xD1, 0xD9),
    "restarts without an interval": lossless(data=b"".join([*RESTARTS[:1], b"\xff\xd0", *RESTARTS[1:]])),
    "an interval without restarts": SOI + dri(COLUMNS) + FRAME + TABLES + SCAN + b"".join(RESTARTS) + EOI,
    # B.2.5.
    "no number of lines": lossless(sof(8, 0, COLUMNS, [1])),
    "no lines": lossless(sof(8, 0, COLUMNS, [1]), data=DATA + dnl(0)),
    "more lines than there are": lossless(sof(8, 0, COLUMNS, [1]), data=DATA + dnl(ROWS + 1)),
    "a number of lines of three bytes": lossless(sof(8, 0, COLUMNS, [1]), data=DATA + segment(0xDC, b"\0\4\0")),
    # A.2, B.2.3: a component is in exactly one scan.
    "a component in no scan": lossless(RGB_FRAME, data=PLANES[0]),
    "a component in two scans": lossless(RGB_FRAME, data=PLANES[0] + SCAN + PLANES[0]),
    "the only component in two scans": lossless(data=DATA + SCAN + DATA),
    # B.1.1.5.
    "a marker within the samples": lossless(data=DATA[:9] + APP0 + DATA[9:]),
    "EOI within the samples": lossless(data=DATA[:9]),
    "reserved marker": SOI + b"\xff\x02\0\2" + lossless()[2:],
    "restart marker among the segments": SOI + b"\xff\xd0" + lossless()[2:],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_decode_of_malformed_frame_raises_with_clause_and_offset(name: str) -> None:
    src = MALFORMED[name]
    with pytest.raises(reference.InvalidFrameError):
        reference.decode(src)
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.jpeg_lossless_decode(src)
    assert caught.value.kind in ("Malformed", "Truncated", "Mismatch")
    assert_describes(caught.value, src)
    for syntax in (JPEGLossless, JPEGLosslessSV1):
        spec = dicoxide.FrameSpec(transfer_syntax=syntax, rows=ROWS, columns=COLUMNS, bits_allocated=16)
        with pytest.raises(CorruptFrameError) as again:
            dicoxide.decode_frame(src, spec)
        assert_describes(again.value, src)
        assert again.value.transfer_syntax == syntax


UNSUPPORTED = {
    # Table B.1: all processes except process 14 with Huffman coding.
    **{
        f"process of marker {marker:02X}": lossless(sof(8, ROWS, COLUMNS, [1], marker=marker))
        for marker in (0xC0, 0xC1, 0xC2, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
    },
    "hierarchical": SOI + sof(8, ROWS, COLUMNS, [1], marker=0xDE) + lossless()[2:],
    "expanded": SOI + segment(0xDF, b"\x11") + lossless()[2:],
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_decode_of_other_process_raises_unsupported(name: str) -> None:
    src = UNSUPPORTED[name]
    with pytest.raises(UnsupportedError) as caught:
        dicoxide.jpeg_lossless_decode(src)
    assert caught.value.kind == "Unsupported"
    assert caught.value.clause.startswith("ITU-T T.81")
    for syntax in () if name[-2:] in ("C0", "C1", "C2") else (JPEGLossless, JPEGLosslessSV1):
        with pytest.raises(UnsupportedError):
            dicoxide.decode(dataset(SAMPLES, syntax, coded=[src]), fallback=False)


class TestOtherDecoders:
    """A coding process that dicoxide does not support is decoded by other plugins of pydicom."""

    SRC = UNSUPPORTED["process of marker C9"]

    @pytest.fixture
    def requested(self, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
        """Add a pydicom plugin that decodes every frame to SAMPLES; return the frames that it was called with."""
        requested: list[bytes] = []

        def decode(src: bytes, runner: Any) -> bytearray:
            requested.append(src)
            if not src.startswith(self.SRC[:4]):
                raise RuntimeError("not mine")
            return bytearray(SAMPLES.tobytes())

        monkeypatch.setattr(get_decoder(JPEGLossless), "_available", {"other": decode})
        return requested

    @pytest.mark.parametrize("count", [1, 3])
    @pytest.mark.filterwarnings(
        "ignore:frame [0-2]. arithmetic-coded JPEG codestream found:dicoxide.NonConformantWarning"
    )
    def test_fallback_decoder_gets_frames_of_other_processes(self, requested: list[bytes], count: int) -> None:
        expected = SAMPLES if count == 1 else np.stack([SAMPLES] * count)
        ds = dataset(expected, JPEGLossless, coded=[self.SRC] * count)
        for src in (ds, to_bytes(ds)):
            assert np.array_equal(dicoxide.decode(src), expected)
            with dicoxide.open(src) as image:
                assert np.array_equal(image[0], SAMPLES)
            assert np.array_equal(np.stack(list(dicoxide.iter_frames(src))), expected.reshape(count, ROWS, COLUMNS))
            out = np.empty(expected.shape, np.uint16)
            assert np.array_equal(dicoxide.decode(src, out=out, frames=None), expected)
            assert np.array_equal(dicoxide.decode(src, rescale=True), expected.astype("f4"))
        ((_, many),) = dicoxide.decode_many([to_bytes(ds)])
        assert np.array_equal(many, expected)
        assert len(requested) >= count
        requested.clear()
        with pytest.raises(UnsupportedError, match="FFC9"):
            dicoxide.decode(ds, fallback=False)
        with pytest.raises(UnsupportedError, match="FFC9"):
            list(dicoxide.decode_many([to_bytes(ds)], fallback=False))
        assert requested == []

    def test_fallback_decoder_failure_raises_unsupported_with_cause(self, requested: list[bytes]) -> None:
        ds = dataset(SAMPLES, JPEGLossless, coded=[SOI + jpeg_lossless.COMMENT + self.SRC[2:]])
        with pytest.raises(UnsupportedError, match="FFC9") as caught:
            dicoxide.decode(ds)
        assert "not mine" in str(caught.value.__cause__)
        assert len(requested) == 1

    def test_fallback_decoder_does_not_get_corrupt_frames(self, requested: list[bytes]) -> None:
        for src in (self.SRC[:3], lossless(tables=b""), b"\0" + self.SRC):
            with pytest.raises(CorruptFrameError):
                dicoxide.decode(dataset(SAMPLES, JPEGLossless, coded=[src]))
        assert requested == []

    def test_fallback_decoder_gets_frames_too_short_for_lossless(self, requested: list[bytes]) -> None:
        # Other processes need less than one bit per sample: 40 bytes may be a large image.
        short = SOI + sof(8, 2000, 3000, [1], marker=0xC9) + EOI
        large = dataset(np.zeros((2000, 3000), np.uint8), JPEGLossless, coded=[short])
        with pytest.raises(UnsupportedError, match="FFC9"):
            dicoxide.decode(large, fallback=False)
        with pytest.raises(UnsupportedError, match="FFC9"):
            list(dicoxide.decode_many([to_bytes(large)], fallback=False))
        with pytest.raises(UnsupportedError, match="FFC9"):
            dicoxide.decode(large)
        assert requested
        # Errors in the header take precedence, as for a longer frame.
        for src, kind, text in (
            (lossless(sof(8, 2000, 3001, [1])), "Mismatch", "columns 3001"),
            (lossless(tables=b""), "Malformed", "huffman table 0 is not defined"),
            (lossless(sof(8, 2000, 3000, [1])), "Truncated", r"frame has \d+ bytes, at least 750047 expected"),
            (lossless(sof(8, 2000, 3000, [1]))[:30], "Truncated", "DHT"),
        ):
            large = dataset(np.zeros((2000, 3000), np.uint8), JPEGLossless, coded=[src])
            with pytest.raises(CorruptFrameError, match=text) as caught:
                dicoxide.decode(large)
            assert caught.value.kind == kind
            with pytest.raises(CorruptFrameError) as many:
                list(dicoxide.decode_many([to_bytes(large)]))
            assert str(many.value) == str(caught.value)


@pytest.mark.parametrize("factors", [[(2, 1), (1, 1), (1, 1)], [(1, 1), (1, 2), (1, 1)], [(1, 1), (3, 1), (1, 4)]])
def test_decode_of_subsampled_components_raises_unsupported(factors: list[tuple[int, int]]) -> None:
    # A.1.1: valid in T.81, as stream O1 of T.83; a DICOM image has all samples of each pixel.
    frame = sof(8, ROWS, COLUMNS, [1, 2, 3], sampling=factors)
    src = lossless(frame, scan=sos([(1, 0), (2, 0), (3, 0)], 1, 0), data=RGB_DATA)
    with pytest.raises(UnsupportedError) as caught:
        dicoxide.jpeg_lossless_decode(src)
    assert caught.value.clause == "ITU-T T.81 A.1.1"
    with pytest.raises(UnsupportedError):
        dicoxide.decode(dataset(RGB, JPEGLossless, samples_per_pixel=3, coded=[src]), fallback=False)


def test_decode_of_five_components_raises() -> None:
    # Table B.2 allows 255.
    with pytest.raises(DecodeError) as caught:
        dicoxide.jpeg_lossless_decode(lossless(sof(8, ROWS, COLUMNS, [1, 2, 3, 4, 5])))
    assert_describes(caught.value, bytes(100), has_offset=False)


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("category", [17, 18, 255])
def test_decode_of_category_above_16_raises_malformed(category: int, used: bool) -> None:
    # H.1.2.2, table H.2.
    bits, values = (0, 2, *[0] * 14), ((category, 0) if used else (0, category))
    src = lossless(tables=dht([(0, Table(bits, values))]), data=bytes(6))
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.jpeg_lossless_decode(src)
    assert caught.value.kind == "Malformed"
    assert_describes(caught.value, src)


@pytest.mark.parametrize("position", [0, 1, 7, 23])
def test_decode_of_undefined_code_raises_with_the_offset(position: int) -> None:
    # C.2: incomplete tables are common; only a code without symbol in the data is an error.
    rows, columns = 8, 9
    table = Table((0, 0, 0, 0, 17, *[0] * 11), tuple(range(17)))
    codes = [0b00001] * (rows * columns)
    codes[position] = 0b11111
    data = jpeg_lossless.pack(np.stack([codes, np.ones_like(codes)], 1).reshape(-1), np.tile([5, 1], rows * columns))
    src = lossless(sof(8, rows, columns, [1]), dht([(0, table)]), data=data)
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.jpeg_lossless_decode(src)
    assert caught.value.kind == "Malformed"
    assert_describes(caught.value, src)
    start = src.index(SCAN) + len(SCAN)
    stuffed = data[: position * 6 // 8].count(b"\xff\0")
    assert caught.value.offset in range(start + position * 6 // 8 + stuffed, start + position * 6 // 8 + stuffed + 3)


class TestCutShort:
    @pytest.mark.parametrize("cut", [1, 2, 5, 20])
    def test_decode_of_cut_data_gives_the_offset_of_the_end(self, cut: int) -> None:
        # The entropy-coded data are cut, and EOI with them.
        src = (SOI + FRAME + TABLES + SCAN + DATA)[:-cut]
        with pytest.raises(TruncatedFrameError) as caught:
            dicoxide.jpeg_lossless_decode(src)
        assert caught.value.kind == "Truncated"
        assert caught.value.clause.startswith("ITU-T T.81")
        assert caught.value.offset is not None
        assert len(src) - 2 <= caught.value.offset <= len(src)

    def test_decode_of_cut_headers_raises_truncated(self) -> None:
        src = SOI + FRAME + TABLES + SCAN
        for end in range(len(src)):
            with pytest.raises(TruncatedFrameError) as caught:
                dicoxide.jpeg_lossless_decode(src[:end])
            assert_describes(caught.value, src[:end])

    def test_decode_of_more_samples_than_bits_raises_before_allocation(self) -> None:
        # A sample needs at least one bit, so nothing is allocated for an image that cannot be complete.
        for rows, columns in ((65535, 65535), (ROWS, 65535), (65535, COLUMNS)):
            src = lossless(sof(16, rows, columns, [1]))
            with pytest.raises(CorruptFrameError) as caught:
                dicoxide.jpeg_lossless_decode(src)
            assert_describes(caught.value, src)
        four = lossless(sof(16, 65535, 65535, [1, 2, 3, 4]), scan=sos([(index, 0) for index in (1, 2, 3, 4)], 1, 0))
        spec = dicoxide.FrameSpec(JPEGLossless, 65535, 65535, 4)
        with pytest.raises(CorruptFrameError):
            dicoxide.decode_frame(four, spec)

    def test_decode_of_one_bit_per_sample(self) -> None:
        flat = np.full((64, 64), 128, np.uint8)
        src = jpeg_lossless.encode(flat)
        assert len(src) - src.index(b"\xff\xda") == 10 + 512 + 2
        assert np.array_equal(dicoxide.jpeg_lossless_decode(src), flat)
        with pytest.raises(CorruptFrameError):
            dicoxide.jpeg_lossless_decode(src[:-3] + src[-2:])


class TestMismatch:
    """Attributes of the data set that contradict the codestream."""

    def refused(self, **changed: Any) -> None:
        declared = {"rows": ROWS, "columns": COLUMNS, "samples_per_pixel": 1, "bits_allocated": 16} | changed
        spec = dicoxide.FrameSpec(transfer_syntax=JPEGLossless, **declared)
        with pytest.raises(CorruptFrameError) as caught:
            dicoxide.decode_frame(self.src, spec)
        assert caught.value.kind == "Mismatch"
        assert_describes(caught.value, self.src)

    @pytest.mark.parametrize(
        "changed",
        [
            {"rows": ROWS + 1},
            {"rows": ROWS - 1},
            {"columns": COLUMNS + 1},
            {"columns": COLUMNS - 1},
            {"rows": COLUMNS, "columns": ROWS},
            {"samples_per_pixel": 3},
        ],
    )
    def test_size_unequal_to_the_attributes_raises_mismatch(self, changed: dict[str, int]) -> None:
        for self.src in (lossless(), restarted(0xD0, 0xD1, 0xD2)):
            self.refused(**changed)

    @pytest.mark.parametrize("samples", [1, 2, 4])
    def test_component_count_unequal_to_samples_per_pixel_raises_mismatch(self, samples: int) -> None:
        self.src = lossless(RGB_FRAME, scan=sos([(1, 0), (2, 0), (3, 0)], 1, 0), data=RGB_DATA)
        self.refused(samples_per_pixel=samples)

    def test_dnl_line_count_unequal_to_rows_raises_mismatch(self) -> None:
        self.src = jpeg_lossless.encode(SAMPLES, use_dnl=True)
        self.refused(rows=ROWS + 1)
        self.refused(rows=ROWS - 1)

    @pytest.mark.parametrize(("precision", "allocated"), [(9, 8), (16, 8), (12, 8)])
    def test_precision_above_bits_allocated_raises_mismatch(self, precision: int, allocated: int) -> None:
        samples = picture(RNG, (ROWS, COLUMNS), precision)
        self.src = jpeg_lossless.encode(samples, precision=precision)
        self.refused(bits_allocated=allocated)

    @pytest.mark.parametrize("lines", [ROWS - 1, ROWS + 1])
    def test_dnl_line_count_unequal_to_the_frame_header_raises(self, lines: Any) -> None:
        src = jpeg_lossless.encode(SAMPLES)
        with pytest.raises(CorruptFrameError) as caught:
            dicoxide.jpeg_lossless_decode(src[:-2] + dnl(lines) + src[-2:])
        assert caught.value.offset is not None


def test_float_pixel_data_in_jpeg_lossless_raises() -> None:
    ds = dataset(np.zeros((ROWS, COLUMNS), np.float32), JPEGLossless, coded=[lossless()])
    ds.FloatPixelData = ds.PixelData
    del ds.PixelData
    with pytest.raises(DecodeError):
        dicoxide.decode(ds, fallback=False)


@pytest.mark.parametrize("length", [3, 100, 65535])
def test_segment_length_past_the_end_raises_truncated(length: int) -> None:
    src = SOI + b"\xff\xe0" + struct.pack(">H", length)
    with pytest.raises(TruncatedFrameError):
        dicoxide.jpeg_lossless_decode(src)


def test_unused_huffman_table_is_checked() -> None:
    broken = dht([(2, Table((3, *[0] * 15), (0, 1, 2)))])
    with pytest.raises(CorruptFrameError):
        dicoxide.jpeg_lossless_decode(lossless(tables=TABLES + broken))
    assert np.array_equal(dicoxide.jpeg_lossless_decode(lossless(tables=dht([(2, FLAT)]) + TABLES)), SAMPLES)
