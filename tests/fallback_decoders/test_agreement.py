"""Codestreams that contradict the data set, decoded by fallback decoders: a deviation, or an error before decoding."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from pydicom.pixels import get_decoder
from pydicom.uid import UID

import dicoxide
from dicoxide import CorruptFrameError, FrameSpec, NonConformantWarning, _numpy_backend
from dicoxide._backend import backend, core
from support.codestream_headers import MCT
from support.encoders.dataset import dataset, to_bytes

files_by_core = pytest.mark.skipif(backend != "rust", reason="pydicom reads files for the NumPy backend")
PREFIX = "1.2.840.10008.1.2.4."
GRAY = np.arange(35, dtype=np.uint8).reshape(5, 7)
COLOUR = np.random.default_rng(7).integers(0, 256, (5, 7, 3), np.uint8)


def jpeg(marker: int = 0xC0, precision: int = 8, components: int = 1, near: int = 0) -> bytes:
    """Return frame header and scan header (T.81 B.2.2, B.2.3; T.87 C.2.3), and EOI, without entropy-coded data.

    A point transform makes JPEG-LS one that only fallback decoders decode.
    """
    parameters = b"".join(bytes([index + 1, 0x11, 0]) for index in range(components))
    frame = struct.pack(">HBHHB", 8 + 3 * components, precision, 5, 7, components) + parameters
    scan = struct.pack(">HBBBBBB", 8, 1, 1, 0, near, 0, marker == 0xF7)
    return b"\xff\xd8\xff" + bytes([marker]) + frame + b"\xff\xda" + scan + b"\xff\xd9"


def jpeg_2000(
    precision: int = 8, components: int = 1, *, signed: bool = False, transform: int = 0, wavelet: int = 1, cap: int = 0
) -> bytes:
    """Return SIZ, CAP and COD (T.800 A.5.1, A.5.2, A.6.1) without tiles.

    An MCT segment (T.801 A.3) makes it a codestream that only fallback decoders decode.
    """
    depth = bytes([precision - 1 | signed << 7, 1, 1]) * components
    size = struct.pack(">HH8LH", 38 + 3 * components, 0, 7, 5, 0, 0, 7, 5, 0, 0, components) + depth
    capabilities = b"\xff\x50" + struct.pack(">HLH", 8, cap, 0) if cap else b""
    coding = struct.pack(">HBBHBBBBBB", 12, 0, 0, 1, transform, 5, 4, 4, 0, wavelet)
    return b"\xff\x4f\xff\x51" + size + capabilities + b"\xff\x52" + coding + MCT + b"\xff\x90"


def file(syntax: str, codestream: bytes, **options: Any) -> bytes:
    samples = COLOUR if options.get("samples_per_pixel") == 3 else GRAY
    return to_bytes(dataset(samples, PREFIX + syntax, coded=[codestream], **options))


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace pydicom's plugins by one that returns zeros; return the Photometric Interpretations that it was given."""
    colours: list[str] = []

    def decode(src: bytes, runner: Any) -> bytearray:
        colours.append(str(runner.photometric_interpretation))
        return bytearray(runner.rows * runner.columns * runner.samples_per_pixel * (runner.bits_allocated // 8))

    for number in ("50", "51", "70", "80", "81", "90", "91", "201"):
        monkeypatch.setattr(get_decoder(UID(PREFIX + number)), "_available", {"other": decode})
    return colours


DEVIATIONS = {
    # PS3.5 A.4.1 to A.4.4: each transfer syntax has one coding process.
    "jpeg-ls under JPEG Lossless": ("70", jpeg(0xF7), {}, "JPEG-LS codestream found"),
    "jpeg-ls under JPEG Baseline": ("50", jpeg(0xF7), {}, "JPEG-LS codestream found"),
    "arithmetic coding under JPEG-LS": ("80", jpeg(0xC9), {}, "arithmetic-coded JPEG codestream found"),
    "arithmetic coding under JPEG Baseline": ("50", jpeg(0xCA), {}, "arithmetic-coded JPEG codestream"),
    "jpeg 2000 under JPEG Baseline": ("50", jpeg_2000(), {}, "JPEG 2000 codestream found"),
    "htj2k under JPEG 2000": ("90", jpeg_2000(cap=1 << 17), {}, "HTJ2K codestream found"),
    "jpeg 2000 under HTJ2K": ("201", jpeg_2000(), {}, "JPEG 2000 codestream found"),
    "lossy wavelet under JPEG 2000 Lossless": ("90", jpeg_2000(wavelet=0), {}, "lossy JPEG 2000 codestream found"),
    "near-lossless under JPEG-LS Lossless": ("80", jpeg(0xF7, near=2), {}, "lossy JPEG-LS codestream found"),
    # PS3.5 8.2.1: the precision of the codestream is at most Bits Stored.
    "jpeg-ls over bits stored": ("80", jpeg(0xF7, 16), {"bits_allocated": 16, "bits_stored": 12}, "precision 16 found"),
    "jpeg 2000 over bits stored": ("91", jpeg_2000(8), {"bits_stored": 7}, "precision 8 found"),
    "signed jpeg 2000": ("90", jpeg_2000(signed=True), {}, "signed samples found"),
}


@pytest.mark.parametrize(("syntax", "codestream", "options", "message"), DEVIATIONS.values(), ids=DEVIATIONS)
def test_fallback_of_contradicting_codestream_warns_and_strict_raises(
    colours: list[str], syntax: str, codestream: bytes, options: dict[str, Any], message: str
) -> None:
    data = file(syntax, codestream, **options)
    for src in (data, io.BytesIO(data)):
        with pytest.warns(NonConformantWarning, match=message):
            dicoxide.decode(src)
    assert len(colours) == 2
    with pytest.raises(CorruptFrameError, match=message):
        dicoxide.decode(data, strict=True)
    assert len(colours) == 2


AGREEING = {
    "jpeg-ls": ("80", jpeg(0xF7), {}),
    "near-lossless": ("81", jpeg(0xF7, near=2), {}),
    "jpeg 2000": ("90", jpeg_2000(), {}),
    "irreversible jpeg 2000": ("91", jpeg_2000(wavelet=0), {}),
    "htj2k": ("201", jpeg_2000(cap=1 << 17), {}),
    "12 bits": ("90", jpeg_2000(12), {"bits_allocated": 16, "bits_stored": 12}),
}


@pytest.mark.parametrize(("syntax", "codestream", "options"), AGREEING.values(), ids=AGREEING)
@pytest.mark.filterwarnings("error::dicoxide.NonConformantWarning")
def test_fallback_of_agreeing_codestream_does_not_warn(
    colours: list[str], syntax: str, codestream: bytes, options: dict[str, Any]
) -> None:
    assert dicoxide.decode(file(syntax, codestream, **options), strict=True).shape == (5, 7)


@pytest.mark.parametrize(
    ("syntax", "codestream"),
    [
        ("90", jpeg_2000(9)),
        ("91", jpeg_2000(16)),
        ("80", jpeg(0xF7, 12)),
        ("51", jpeg(0xC9, 12)),
        ("70", jpeg(0xF7, 9)),
    ],
    ids=["jpeg 2000 of 9 bits", "jpeg 2000 of 16 bits", "jpeg-ls", "arithmetic coding", "jpeg-ls under JPEG Lossless"],
)
def test_fallback_of_precision_above_bits_allocated_raises_mismatch(
    colours: list[str], syntax: str, codestream: bytes
) -> None:
    # Plugins would return the lower bytes, or samples of another type.
    data = file(syntax, codestream)
    for src in (data, io.BytesIO(data)):
        with pytest.raises(CorruptFrameError, match=r"precision \d+ found .* bits allocated 8") as caught:
            dicoxide.decode(src)
        assert (caught.value.kind, caught.value.frame_index) == ("Mismatch", 0)
    assert colours == []


def test_fallback_of_other_number_of_components_raises_mismatch(colours: list[str]) -> None:
    for codestream in (jpeg_2000(components=3), jpeg(0xC9, components=3)):
        with pytest.raises(CorruptFrameError, match="components 3 found in the codestream, 1 in the data set"):
            dicoxide.decode(file("90" if codestream[1] == 0x4F else "50", codestream))
    assert colours == []


@pytest.mark.parametrize(
    ("declared", "transform", "expected", "message"),
    [
        ("YBR_FULL", 1, "RGB", "a multiple component transform found"),
        ("YBR_FULL_422", 1, "RGB", "a multiple component transform found"),
        ("YBR_PARTIAL_420", 1, "RGB", None),
        ("YBR_FULL", 0, "YBR_FULL", None),
        ("YBR_RCT", 1, "RGB", None),
        ("YBR_ICT", 1, "RGB", None),
        ("YBR_RCT", 0, "RGB", None),
        ("YBR_ICT", 0, "RGB", None),
        ("RGB", 0, "RGB", None),
        ("RGB", 1, "RGB", None),
    ],
)
def test_fallback_of_component_transform_converts_once(
    colours: list[str], recwarn: pytest.WarningsRecorder, declared: str, transform: int, expected: str, message: str
) -> None:
    # PS3.5 8.2.4: the transform is a part of the codestream, whose decoder returns RGB.
    codestream = jpeg_2000(components=3, transform=transform)
    data = file("90", codestream, samples_per_pixel=3, photometric_interpretation=declared)
    dicoxide.decode(data)
    assert colours == [expected]
    found = [str(warning.message) for warning in recwarn if warning.category is NonConformantWarning]
    assert len(found) == (message is not None)
    assert message is None or message in found[0]
    if message:
        with pytest.raises(CorruptFrameError, match=message):
            dicoxide.decode(data, strict=True)


DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
# Bytes after the last fragment in place of the delimiter, and the message.
ENDS = {
    "missing": (b"", "sequence delimiter"),
    "8 zero bytes": (bytes(8), "zero bytes found"),
    "40 zero bytes": (bytes(40), "zero bytes found"),
    "item delimiter": (struct.pack("<HHL", 0xFFFE, 0xE00D, 0), "item delimiter"),
}


@files_by_core
@pytest.mark.parametrize(("syntax", "codestream"), [("80", jpeg(0xF7)), ("90", jpeg_2000())])
@pytest.mark.parametrize("table", ["basic", "none", "extended"])
@pytest.mark.parametrize(("end", "message"), ENDS.values(), ids=ENDS)
def test_fallback_of_missing_delimiter_warns_once_and_strict_raises(
    colours: list[str], syntax: str, codestream: bytes, table: str, end: bytes, message: str
) -> None:
    # With an offset table, the end of the items is reached only when the last frame is located (PS3.5 A.4).
    ds = dataset(np.stack([GRAY] * 3), PREFIX + syntax, coded=[codestream] * 3, table=table)
    data = to_bytes(ds)
    assert data.endswith(DELIMITER)
    data = data[: -len(DELIMITER)] + end
    for src in (data, io.BytesIO(data)):
        with pytest.warns(NonConformantWarning, match=message) as caught:
            assert dicoxide.decode(src).shape == (3, 5, 7)
        assert len(caught) == 1
        with pytest.warns(NonConformantWarning, match=message):
            dicoxide.decode(src, frames=-1)
    for frames in (None, 2, [2, 0]):
        with pytest.raises(CorruptFrameError, match=message):
            dicoxide.decode(data, frames=frames, strict=True)
        with pytest.raises(CorruptFrameError, match=message), dicoxide.open(data, strict=True) as image:
            image.decode(frames)


@pytest.mark.parametrize("entry", [1, 2])
def test_fallback_of_wrong_table_entry_warns_and_strict_raises(colours: list[str], entry: int) -> None:
    ds = dataset(np.stack([GRAY] * 3), PREFIX + "80", coded=[jpeg(0xF7)] * 3, table="basic")
    value = bytearray(ds.PixelData)
    value[8 + 4 * entry] += 2
    ds.PixelData = bytes(value)
    for src in (ds, to_bytes(ds)):
        with pytest.warns(NonConformantWarning, match="basic offset table does not match"):
            assert dicoxide.decode(src).shape == (3, 5, 7)
        with pytest.raises(CorruptFrameError, match="basic offset table does not match"):
            dicoxide.decode(src, strict=True)


@pytest.mark.parametrize("high_bit", [8, 15])
def test_fallback_of_other_high_bit_warns_and_strict_raises(colours: list[str], high_bit: int) -> None:
    # PS3.5 8.1.1: High Bit is Bits Stored - 1.
    samples = GRAY.astype(np.uint16)
    ds = dataset(samples, PREFIX + "90", bits_stored=8, high_bit=high_bit, coded=[jpeg_2000()])
    for src in (ds, to_bytes(ds)):
        with pytest.warns(NonConformantWarning, match=f"high bit {high_bit} found"):
            dicoxide.decode(src)
        with pytest.raises(CorruptFrameError, match=f"high bit {high_bit} found"):
            dicoxide.decode(src, strict=True)


def test_compare_codestream_of_every_prefix_agrees_or_raises_mismatch() -> None:
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">L4s", 0, b"jp2c")
    spec = FrameSpec(PREFIX + "90", 5, 7, bits_allocated=16)
    for codestream in (jpeg(0xF7, near=3), jpeg(0xC2), jpeg_2000(cap=1 << 17), boxes + jpeg_2000(16)):
        assert core.compare_codestream(spec, codestream, to_rgb=True)[0] is False
        with pytest.raises(CorruptFrameError, match="rows 5 found"):
            core.compare_codestream(spec._replace(rows=6), codestream, to_rgb=True)
        for end in range(len(codestream)):
            # The header is compared as far as it can be read.
            assert core.compare_codestream(spec, codestream[:end], to_rgb=True)[0] is False


CODESTREAMS = {
    **{f"JPEG {marker:02X}": jpeg(marker) for marker in (0xC0, 0xC2, 0xC3, 0xC5, 0xC9, 0xCB, 0xF7)},
    "JPEG, 12 bits": jpeg(0xC9, 12),
    "JPEG, 3 components": jpeg(0xC9, components=3),
    "JPEG-LS, near-lossless": jpeg(0xF7, near=2),
    "JPEG 2000": jpeg_2000(),
    "JPEG 2000, signed": jpeg_2000(12, signed=True),
    "JPEG 2000, irreversible": jpeg_2000(wavelet=0),
    "JPEG 2000, transform": jpeg_2000(components=3, transform=1),
    "HTJ2K": jpeg_2000(cap=1 << 17),
    "other": b"RIFF",
    "empty": b"",
}


@pytest.mark.skipif(backend != "rust", reason="the backends are compared")
@pytest.mark.parametrize("codestream", CODESTREAMS.values(), ids=CODESTREAMS)
@pytest.mark.parametrize("syntax", ["52", "53", "57", "80", "90", "201"])
def test_compare_codestream_of_both_backends_agree(syntax: str, codestream: bytes) -> None:
    def outcome(compare: Any, spec: FrameSpec) -> Any:
        try:
            is_ybr, deviations = compare(spec, codestream, to_rgb=True)
        except dicoxide.DecodeError as error:
            return error.kind, error.clause, str(error).partition(" at byte")[0].partition(" (")[0]
        # The processes of T.81 with a DCT have one name in the core.
        return is_ybr, {text.replace("Progressive", "(DCT)") for _, text, _, _ in deviations}

    for options in (
        {},
        {"rows": 6},
        {"bits_allocated": 8},
        {"samples_per_pixel": 3, "photometric_interpretation": "YBR_FULL"},
        {"samples_per_pixel": 3, "photometric_interpretation": "RGB"},
    ):
        spec = FrameSpec(PREFIX + syntax, 5, 7, bits_stored=8)._replace(**options)
        assert outcome(core.compare_codestream, spec) == outcome(_numpy_backend.compare_codestream, spec), options
