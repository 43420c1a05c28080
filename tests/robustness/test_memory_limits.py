"""Memory and time are bounded by the input size, whatever headers declare.

Memory is limited by RLIMIT_AS in a child process. Processor time of an input is compared with that of one four times as
large; absolute times are not asserted.
"""

from __future__ import annotations

import struct
import sys
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    RLELossless,
)

import dicoxide
from dicoxide import DecodeError
from support.encoders import jpeg2000, jpeg2000_ebcot, jpeg_lossless, rle
from support.encoders.dataset import ENCAPSULATED_UNCOMPRESSED, dataset, to_bytes
from support.encoders.encapsulate import encapsulate, item
from support.encoders.jpeg2000_segments import Coding, bare_codestream, comment
from support.file_mutations.file_layout import layout_of
from support.processes import run_script
from support.processor_time import processor_seconds

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend needs more memory"),
]
linux = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS as on Linux")

RNG = np.random.default_rng(71)
PICTURE = np.cumsum(RNG.integers(-3, 4, (48, 64)), axis=1).astype(np.uint8)


def outcomes(tmp_path: Path, files: dict[str, bytes]) -> list[tuple[str, str, str, str]]:
    """Return file, interface, class of the error (or "gives") and message, for each file and interface."""
    small = tmp_path / "small.dcm"
    small.write_bytes(to_bytes(dataset(PICTURE)))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in files]
    done = run_script("decode_within_48_mib", small, *paths)
    result = []
    for line in done.stdout.splitlines():
        path, function, kind, text = line.split("\t")
        result.append((Path(path).name, function, kind, text))
    assert {name for name, *_ in result} == set(files)
    return result


def file_declaring(uid: str, coded: bytes, **attributes: Any) -> bytes:
    """Return a file of few bytes whose header declares a large image."""
    ds = dataset(np.zeros((2, 2), np.uint8), uid, coded=[coded])
    if not ds.file_meta.TransferSyntaxUID.is_encapsulated:
        ds.PixelData = coded
        ds["PixelData"].VR = "OW"
        ds["PixelData"].is_undefined_length = False
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return to_bytes(ds)


@linux
def test_huge_declared_size_allocates_little(tmp_path: Path) -> None:
    coded = {
        RLELossless: rle.encode(np.zeros((2, 2, 1), np.uint8), 8),
        JPEGLosslessSV1: jpeg_lossless.encode(np.zeros((2, 2), np.uint8)),
        JPEG2000Lossless: jpeg2000.encode(np.zeros((2, 2), np.uint8)),
        HTJ2KLossless: jpeg2000.encode(np.zeros((2, 2), np.uint8), style=jpeg2000_ebcot.HT),
        ENCAPSULATED_UNCOMPRESSED: bytes(100),
        ImplicitVRLittleEndian: bytes(100),
        ExplicitVRLittleEndian: bytes(100),
        ExplicitVRBigEndian: bytes(100),
        DeflatedExplicitVRLittleEndian: bytes(100),
    }
    huge = {"Rows": 65535, "Columns": 65535}
    colour = {"SamplesPerPixel": 3, "PlanarConfiguration": 1, "PhotometricInterpretation": "YBR_FULL"}
    wide = {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}
    declarations = {
        "one": huge,
        "many": {**huge, "NumberOfFrames": 4_000_000},
        "colour": {**huge, **colour, "NumberOfFrames": 4_000_000},
        "wide": {**huge, **wide, "NumberOfFrames": 4_000_000},
        "bits": {**huge, "BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "NumberOfFrames": 4_000_000},
        "frames": {"NumberOfFrames": 2**31 - 1},
        "long": {"Rows": 65535, "Columns": 1, "NumberOfFrames": 2**31 - 1},
    }
    files = {
        f"{index}-{name}.dcm": file_declaring(uid, data, **attributes)
        for index, (uid, data) in enumerate(coded.items())
        for name, attributes in declarations.items()
    }
    assert max(map(len, files.values())) < 2000
    for name, way, kind, text in outcomes(tmp_path, files):
        # One frame is present.
        if way in ("first",) and "frames" in name:
            continue
        allowed = {"TruncatedFrameError", "LimitError", "CorruptFrameError"}
        # Compressed frames have no view.
        if way == "view":
            allowed |= {"ValueError"}
        # JPEG declares its own size and does not support 1 bit.
        if name.startswith("1-"):
            allowed |= {"UnsupportedError"}
        assert kind in allowed, (name, way, kind, text)


@linux
def test_deflated_bomb_raises_limit_error(tmp_path: Path) -> None:
    layout = layout_of(to_bytes(dataset(PICTURE, DeflatedExplicitVRLittleEndian)))
    pixels, start = layout.pixels, layout.deflated_from
    assert pixels is not None
    assert start is not None
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(layout.data[start : pixels.start])
    packed += packer.compress(b"\x09\x00\x01\x10OB\0\0" + struct.pack("<L", 100 << 20))
    packed += b"".join(packer.compress(bytes(1 << 20)) for _ in range(100))
    packed += packer.compress(layout.data[pixels.start :]) + packer.flush()
    files = {"deflated.dcm": layout.data[:start] + packed}
    assert len(files["deflated.dcm"]) < 1 << 20
    for _, way, kind, text in outcomes(tmp_path, files):
        assert kind == "LimitError", (way, text)


def with_value(uid: str, value: bytes, **attributes: Any) -> bytes:
    """Return a file with these items as Pixel Data."""
    ds = dataset(PICTURE, uid)
    ds.PixelData = value
    ds["PixelData"].VR = "OB"
    for keyword, content in attributes.items():
        setattr(ds, keyword, content)
    return to_bytes(ds)


def frame_of(uid: str) -> bytes:
    """Return `PICTURE` as a frame of even length."""
    frame = rle.encode(PICTURE[..., None], 8) if uid == RLELossless else jpeg_lossless.encode(PICTURE)
    return frame + b"\0" * (len(frame) % 2)


def empty_fragments(count: int, uid: str = RLELossless, **attributes: Any) -> bytes:
    """Return a valid frame followed by `count` empty fragments."""
    return with_value(uid, item(b"") + item(frame_of(uid)) + item(b"") * count, **attributes)


def offset_table(count: int, uid: str = RLELossless) -> bytes:
    """Return a valid frame after an offset table with `count` entries for it."""
    return with_value(uid, item(bytes(4 * count)) + item(frame_of(uid)))


def extended_table(count: int) -> bytes:
    """Return a valid frame and an Extended Offset Table with `count` entries for it."""
    value = item(b"") + item(frame_of(RLELossless))
    return with_value(
        RLELossless, value, ExtendedOffsetTable=bytes(8 * count), ExtendedOffsetTableLengths=bytes(8 * count)
    )


def short_frames(count: int, table: str) -> bytes:
    """Return `count` valid frames of four pixels."""
    ds = dataset(np.zeros((count, 2, 2), np.uint8), ENCAPSULATED_UNCOMPRESSED)
    whole = encapsulate([b"\1\2\3\4"] * count, table=table)
    ds.PixelData = whole.value
    return to_bytes(ds)


def coded(uid: str, frame: bytes, image: np.ndarray[Any, Any] = PICTURE) -> bytes:
    """Return a file of `image` with its encoded `frame`."""
    return to_bytes(dataset(image, uid, coded=[frame]))


def huffman_tables(count: int) -> bytes:
    """Return a JPEG Lossless frame that defines its Huffman table `count` times."""
    plain = jpeg_lossless.encode(PICTURE)
    offset = plain.index(b"\xff\xc4")
    (length,) = struct.unpack_from(">H", plain, offset + 2)
    return coded(JPEGLosslessSV1, jpeg_lossless.encode(PICTURE, segments=plain[offset : offset + 2 + length] * count))


def comments(count: int) -> bytes:
    """Return a JPEG Lossless frame with `count` comments."""
    return coded(JPEGLosslessSV1, jpeg_lossless.encode(PICTURE, segments=jpeg_lossless.COMMENT * count))


def restarts(count: int) -> bytes:
    """Return a JPEG Lossless frame of `count` lines of one sample, each with a restart marker."""
    plain = jpeg_lossless.encode(np.zeros((2, 1), np.uint8), restart_interval=1)
    rows = plain.index(b"\xff\xc3") + 5
    start, end = plain.index(b"\xff\xda") + 10, plain.index(b"\xff\xd0")
    # All lines have equal data.
    line = plain[start:end]
    lines = b"".join(line + bytes([0xFF, 0xD0 + index % 8]) for index in range(count - 1)) + line
    frame = plain[:rows] + struct.pack(">H", count) + plain[rows + 2 : start] + lines + jpeg_lossless.EOI
    return coded(JPEGLosslessSV1, frame, np.zeros((count, 1), np.uint8))


def fill_bytes(count: int) -> bytes:
    """Return a JPEG Lossless frame with `count` fill bytes before a marker."""
    plain = jpeg_lossless.encode(PICTURE)
    offset = plain.index(b"\xff\xc4")
    return coded(JPEGLosslessSV1, plain[:offset] + b"\xff" * count + plain[offset:])


def jpeg2000_comments(count: int) -> bytes:
    """Return a JPEG 2000 frame with `count` comments in its main header."""
    return coded(JPEG2000Lossless, jpeg2000.encode(PICTURE, main=comment(b"") * count))


def jpeg2000_tile_comments(count: int) -> bytes:
    """Return a JPEG 2000 frame with `count` comments in a tile-part header."""
    return coded(JPEG2000Lossless, jpeg2000.encode(PICTURE, tile_header=comment(b"") * count))


def jpeg2000_packets(count: int) -> bytes:
    """Return a JPEG 2000 frame of `count` empty packets, one byte each: 48 precincts in every layer."""
    coding = Coding(levels=0, precincts=((3, 3),))
    layers = count // 48
    frame = bare_codestream(64, 48, coding, [(0, bytes(48 * layers))], layers=layers)
    return coded(JPEG2000Lossless, frame)


def jpeg2000_tiles(count: int) -> bytes:
    """Return a JPEG 2000 frame of `count` tiles of one sample and an empty packet."""
    rows, columns = count // 100, 100
    tiles = ((index, b"\0") for index in range(rows * columns))
    frame = bare_codestream(columns, rows, Coding(levels=0), tiles, tile=(1, 1))
    return coded(JPEG2000Lossless, frame, np.zeros((rows, columns), np.uint8))


def with_sequence(tag: bytes, count: int, item: bytes, end: bytes = b"\xfe\xff\xdd\xe0\0\0\0\0") -> bytes:
    """Return a native image with a sequence before its pixels: undefined length, `item` `count` times, then `end`."""
    plain = to_bytes(dataset(PICTURE))
    offset = plain.index(b"\xe0\x7f\x10\x00O")
    return plain[:offset] + tag + b"SQ\0\0\xff\xff\xff\xff" + item * count + end + plain[offset:]


def empty_items(count: int, tag: bytes = b"\x00\x52\x30\x92") -> bytes:
    """Return an image with `count` empty items of functional groups."""
    return with_sequence(tag, count, b"\xfe\xff\x00\xe0\0\0\0\0")


def nested(depth: int) -> bytes:
    """Return an image with sequences nested `depth` deep."""
    item_start = b"\xfe\xff\x00\xe0\xff\xff\xff\xff\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
    ends = b"\xfe\xff\xdd\xe0\0\0\0\0\xfe\xff\x0d\xe0\0\0\0\0" * depth
    return with_sequence(b"\x00\x52\x30\x92", depth, item_start, ends + b"\xfe\xff\xdd\xe0\0\0\0\0")


def elements(count: int) -> bytes:
    """Return an image with `count` private elements."""
    plain = to_bytes(dataset(PICTURE))
    offset = plain.index(b"\xe0\x7f\x10\x00O")
    return plain[:offset] + b"\x09\x00\x01\x10LO\x02\x00AB" * count + plain[offset:]


def backslashes(count: int) -> bytes:
    """Return an image whose Pixel Spacing has `count` values instead of two."""
    plain = to_bytes(dataset(PICTURE))
    offset = plain.index(b"\x28\x00\x00\x01US")
    text = b"1\\" * count
    return plain[:offset] + b"\x28\x00\x30\x00UT\0\0" + struct.pack("<L", len(text)) + text + plain[offset:]


# Functions that repeat a part of a file, and the largest number of repetitions.
REPEATED: dict[str, tuple[Callable[[int], bytes], int]] = {
    "huffman tables": (huffman_tables, 400_000),
    "comments": (comments, 400_000),
    "restarts": (restarts, 240_000),
    "fill bytes": (fill_bytes, 1_000_000),
    "JPEG 2000 comments": (jpeg2000_comments, 400_000),
    "JPEG 2000 tile comments": (jpeg2000_tile_comments, 400_000),
    "JPEG 2000 packets": (jpeg2000_packets, 1_000_000),
    "JPEG 2000 tiles": (jpeg2000_tiles, 64_000),
    "items": (empty_items, 1_000_000),
    "nested": (nested, 100_000),
    "elements": (elements, 300_000),
    "backslashes": (backslashes, 1_000_000),
    "frames without a table": (lambda count: short_frames(count, "none"), 100_000),
    "frames with a table": (lambda count: short_frames(count, "basic"), 100_000),
    "frames with a wrong table": (lambda count: short_frames(count, "wrong"), 100_000),
    "frames with an extended table": (lambda count: short_frames(count, "extended"), 100_000),
    "fragments": (empty_fragments, 300_000),
    "JPEG fragments": (lambda count: empty_fragments(count, JPEGLosslessSV1), 300_000),
    "one frame per empty fragment": (lambda count: empty_fragments(count, NumberOfFrames=count + 1), 300_000),
    "offsets": (offset_table, 300_000),
    "extended offsets": (extended_table, 300_000),
}


def attempt(data: bytes, *, rescale: bool) -> np.ndarray[Any, Any] | None:
    """Open and decode an image; return None if that raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with dicoxide.open(data) as image:
                for keyword in ("PixelSpacing", "ImagePositionPatient"):
                    image.attributes.get(keyword)
                return image.decode(rescale=rescale, threads=1)
        except DecodeError:
            return None


@pytest.mark.serial
@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("name", REPEATED)
def test_decode_time_is_linear_in_the_input(name: str, rescale: bool) -> None:
    make, maximum = REPEATED[name]
    small, large = make(maximum // 16), make(maximum // 4)
    # The constant cost is not compared.
    floor = processor_seconds(lambda: attempt(to_bytes(dataset(PICTURE)), rescale=rescale)) + 1e-3
    assert processor_seconds(lambda: attempt(large, rescale=rescale)) < 8 * (
        processor_seconds(lambda: attempt(small, rescale=rescale)) + floor
    )


@linux
def test_many_small_parts_need_memory_linear_in_the_input(tmp_path: Path) -> None:
    # Everything, including copies of the file, stays within the 48 MiB of the child process.
    files = {f"{name.replace(' ', '-')}.dcm": make(most // 8) for name, (make, most) in REPEATED.items()}
    assert max(map(len, files.values())) < 8 << 20
    for name, way, kind, text in outcomes(tmp_path, files):
        if way not in ("Dataset", "handler", "view"):
            assert kind in {"gives", "TruncatedFrameError", "CorruptFrameError"}, (name, way, kind, text)
