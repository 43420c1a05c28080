"""Write seeds for the fuzzers: small real frames and files, and crops of larger images.

``make fuzz-corpus`` keeps the seeds that add coverage.

The inputs have the format of their target (rust/fuzz/src): first the bytes that choose attributes, then the data.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.encaps import generate_frames

import dicoxide
from support.encoders import jpeg2000, jpeg2000_ebcot, jpeg2000_ht, jpeg_dct, jpegls
from support.encoders.jpeg2000_ebcot import HT
from support.encoders.jpeg2000_packets import PROGRESSIONS
from support.encoders.jpeg2000_segments import SOD, marker
from support.encoders.jpeg2000_tiles import LayerOptions
from support.encoders.jpegls_scans import Presets
from support.file_mutations import synthetic_files
from support.jpegxl_streams import STREAMS

HERE = Path(__file__).resolve().parent
SEEDS = Path(sys.argv[1] if len(sys.argv) > 1 else "target/fuzz/seeds")
# Fuzzers run larger seeds too rarely.
MAX_BYTES = 4096
RLE, LOSSLESS = "1.2.840.10008.1.2.5", ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
DCT = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")
JPEGLS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
CODECS = {"rle": (RLE,), "jpeg_lossless": LOSSLESS, "jpeg": DCT, "jpegls": JPEGLS}
# Positions of the codecs in the core's registry.
NUMBERS = {"rle": 1, "jpeg_lossless": 2, "jpeg": 3, "jpegls": 4, "jpeg2000": 5, "htj2k": 6, "deflated": 7, "jpegxl": 8}
# Size of the crop of an image that is encoded.
ROWS, COLUMNS = 24, 20


def folders() -> Iterator[Path]:
    """Yield the folders of real files."""
    yield Path(pydicom.__file__).parent / "data" / "test_files"
    yield Path(os.environ.get("DICOXIDE_SHARED", HERE.parents[2] / "shared")) / "data"
    yield HERE.parents[1] / "tests" / "vectors"
    yield synthetic_files.folder()


def head(rows: int, columns: int, samples: int, bits: int) -> bytes:
    """Return the bytes that choose attributes (``choose`` in lib.rs); the target sets the codec."""
    allocated = {8: 1, 16: 3, 32: 6, 64: 7}[bits]
    frames = 1 | (rows >> 8) << 3 | (columns >> 8) << 5
    return bytes([0, 0, rows & 255, columns & 255, samples, allocated, bits, 0, 4, frames, 0, 2])


def keep(target: str, data: bytes) -> None:
    """Write a seed under the name that libFuzzer would give it."""
    if len(data) <= MAX_BYTES:
        folder = SEEDS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def frame_seeds(codec: str, frame: bytes, rows: int, columns: int, samples: int, bits: int) -> None:
    """Write the seeds of one frame for every target that decodes frames."""
    choice = head(rows, columns, samples, bits)
    keep(codec, choice + frame)
    item = b"\xfe\xff\x00\xe0" + len(frame + b"\0" * (len(frame) % 2)).to_bytes(4, "little")
    number = NUMBERS[codec]
    value = b"\xfe\xff\x00\xe0\0\0\0\0" + item + frame + b"\0" * (len(frame) % 2)
    keep("decode", bytes([number]) + choice[1:] + value)
    if codec == "rle":
        kind = (samples == 3) + 2 * {8: 0, 16: 1, 32: 2}.get(bits, 0)
        keep("rle_naive", bytes([rows - 1 & 255, columns - 1 & 255, kind]) + frame)
    elif codec != "deflated":
        keep("codestream_headers", frame)


def image_seeds(array: np.ndarray) -> None:
    """Write the seeds of a crop of an image: RLE, deflate, JPEG Lossless predictors, encoders, pixel operations."""
    crop = np.ascontiguousarray(array[:ROWS, :COLUMNS])
    samples, bits = (crop.shape[2] if crop.ndim == 3 else 1), crop.dtype.itemsize * 8
    if crop.dtype.kind not in "iu" or samples not in (1, 3):
        return
    if bits <= 32:
        frame_seeds("rle", dicoxide.rle_encode(crop), *crop.shape[:2], samples, bits)
    frame_seeds("deflated", zlib.compress(crop.tobytes(), wbits=-15), *crop.shape[:2], samples, bits)
    if bits <= 16:
        for selection_value in range(1, 8):
            frame = dicoxide.jpeg_lossless_encode(crop, selection_value=selection_value)
            frame_seeds("jpeg_lossless", frame, *crop.shape[:2], samples, bits)
        for frame in dct_frames(crop):
            frame_seeds("jpeg", frame, *crop.shape[:2], samples, bits)
        for frame in jpegls_frames(crop):
            frame_seeds("jpegls", frame, *crop.shape[:2], samples, bits)
            keep("jpegls_cut", (len(frame) * 3 // 4).to_bytes(2, "big") + frame)
        for codec, frame in jpeg2000_frames(crop):
            frame_seeds(codec, frame, *crop.shape[:2], samples, bits)
        plane = crop if samples == 1 else crop[..., 0]
        packet_seeds(plane)
        block_seeds(plane[:12, :10].astype(np.int64) - int(plane[0, 0]))
        shape = bytes([crop.shape[0] - 1, crop.shape[1] - 1, samples - 1 | (4 if bits == 16 else 0) | 0xE0, 1, 1])
        keep("encode", shape + crop.tobytes()[:1024])
    keep("pixels", bytes([3, 5, 80, 128]) + crop.tobytes()[:512])
    signed = crop.dtype.kind == "i"
    for kind in (0, 2, 4):
        keep("lookup", bytes([kind + signed, 200, 255 * signed, 250, kind]) + crop.tobytes()[:512])
    for function in range(5):
        numbers = np.array([40, 400, 1, -1024], "<f4").tobytes()
        keep("rendering", bytes([2 + signed, 12, function, function % 3]) + numbers + crop.tobytes()[:512])


def packet_seeds(plane: np.ndarray) -> None:
    """Write packets of JPEG 2000 after the options of their header (``packets_decode_alike``)."""
    size = bytes([plane.shape[0] - 1, plane.shape[1] - 1])
    for order, name in enumerate(PROGRESSIONS):
        for is_ht in (False, True):
            style = HT * is_ht
            options = {"progression": name, "levels": 2, "block_exponents": (3, 3), "style": style}
            frame = jpeg2000.encode(plane, layer_count=2, precincts=((3, 3),), sop=True, eph=True, **options)
            # Two layers, precincts, two levels, both marks; code-blocks of 8 × 8 samples.
            block_exponents = 1 | 1 << 3
            choice = bytes([order << 2, 0, block_exponents, style, 1 | 4 | 2 << 3 | 3 << 5, 9])
            keep("jpeg2000_packets", size + choice + frame[frame.index(marker(SOD)) + 2 : -2])


def block_seeds(coefficients: np.ndarray) -> None:
    """Write data of code-blocks after their options (``code_block_decodes_alike``)."""
    size = bytes([coefficients.shape[0] - 1, coefficients.shape[1] - 1])
    for style in (0, 4, 1, 0x3F):
        block = jpeg2000_ebcot.encode_block(coefficients, "LL", style)
        if block.passes:
            choice = bytes([block.bit_planes - 1, style, len(block.passes) - 1, 0, 0, 0])
            keep("jpeg2000_block", size + choice + b"".join(block.segments))
    for passes in (1, 2, 3):
        block = jpeg2000_ht.encode_block(coefficients, plane=int(passes > 1), pass_count=passes)
        if block.passes and len(block.segments[0]) < 256:
            choice = bytes([block.bit_planes - 1, 0, len(block.passes) - 1, 0, 0, len(block.segments[0])])
            keep("htj2k_block", size + choice + b"".join(block.segments))


def jpeg2000_frames(crop: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Yield the codec and the frame of JPEG 2000 and HTJ2K codestreams: wavelets, styles, tiles, layers."""
    irreversible = {"wavelet": "9/7", "step": 2.0}
    # Code-block styles (T.800 Table A.19): none, bypass with termination, all.
    for options in (
        {},
        {"style": 5},
        {"style": 0x3F},
        irreversible,
        {"tile_size": (13, 11)},
        {"layers": LayerOptions(3)},
    ):
        yield "jpeg2000", jpeg2000.encode_frame(crop, **options).src
    for options in ({}, irreversible, {"ht_plane": 1, "ht_passes": 3}):
        yield "htj2k", jpeg2000.encode_frame(crop, style=0x40, **options).src


def dct_frames(crop: np.ndarray) -> Iterator[bytes]:
    """Yield frames of JPEG DCT processes: samplings, restarts, separate and progressive scans, long codes."""
    precision = 8 if crop.dtype.itemsize == 1 else 12
    samples = crop.astype(float) % (1 << precision)
    is_colour = crop.ndim == 3
    count = 3 if is_colour else 1
    progressive = {"marker": jpeg_dct.PROGRESSIVE}
    layouts = (
        {},
        {"tables": "long", "restart_interval": 2},
        {"interleaved": False, "redefine": True},
        {"use_dnl": True, "fill_bytes": 1},
        {**progressive, "scans": jpeg_dct.progressive_scans(count)},
        {**progressive, "scans": jpeg_dct.progressive_scans(count, refinements=2, bands=3), "restart_interval": 3},
    )
    for sampling in ("444", "422", "420", "440", "411") if is_colour else ("444",):
        for options in layouts:
            yield jpeg_dct.encode_image(samples, precision=precision, sampling=sampling, quality=60, **options)


def jpegls_frames(crop: np.ndarray) -> Iterator[bytes]:
    """Yield frames of JPEG-LS: interleave modes, NEAR, restarts, presets, oversize dimensions, colour transforms."""
    samples = crop.view(f"u{crop.dtype.itemsize}")
    for interleave in jpegls.INTERLEAVE_MODES if crop.ndim == 3 else ("none",):
        yield jpegls.encode(samples, interleave=interleave)
        yield jpegls.encode(samples, interleave=interleave, near=2, restart_interval=5, fill_bytes=1)
        yield jpegls.encode(samples, interleave=interleave, presets=Presets(0, 5, 9, 40, 31), oversize_bytes=3)
        yield jpegls.encode(samples, interleave=interleave, dnl_bytes=2)
    if crop.ndim == 3:
        for transform in (1, 2, 3):
            yield jpegls.encode(samples, transform=transform)


def main() -> int:
    """Write the seeds of all files."""
    for stream in STREAMS.values():
        bits = 8 * stream.image.dtype.itemsize
        frame_seeds("jpegxl", stream.codestream, *stream.image.shape[:2], stream.components, bits)
    for path in sorted(path for folder in folders() for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        keep("part10", data)
        try:
            ds = pydicom.dcmread(path)
            uid = ds.file_meta.TransferSyntaxUID
            if uid == RLE or uid in LOSSLESS + DCT + JPEGLS:
                frame = next(iter(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1))))
                codec = next(name for name, uids in CODECS.items() if uid in uids)
                frame_seeds(codec, frame, ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated)
            first = dicoxide.decode(path, frames=0, fallback=False)
        except Exception as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        image_seeds(first)
        # The same header with 4 × 4 pixels.
        ds.Rows, ds.Columns, ds.NumberOfFrames = 4, 4, 1
        for keyword in ("PixelData", "FloatPixelData", "PerFrameFunctionalGroupsSequence"):
            if keyword in ds:
                del ds[keyword]
        ds.PixelData = np.ascontiguousarray(first[:4, :4]).tobytes()
        ds["PixelData"].VR = "OW"
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        try:
            buffer = pydicom.filebase.DicomBytesIO()
            ds.save_as(buffer, enforce_file_format=True, implicit_vr=False, little_endian=True)
            keep("part10", buffer.getvalue())
        except Exception as error:
            print(f"{path.name}: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
