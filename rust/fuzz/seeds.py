"""Seeds for the fuzzers: small real frames and files, and large ones cut down.

`make fuzz-corpus` keeps those that add something.

Each target reads bytes of its own form (rust/fuzz/src): what chooses goes first, then what is decoded.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.encaps import generate_frames

import dicoxide

HERE = Path(__file__).resolve().parent
SEEDS = Path(sys.argv[1] if len(sys.argv) > 1 else "target/fuzz/seeds")
# Larger seeds are tried too seldom to lead anywhere.
MOST_BYTES = 4096
RLE, LOSSLESS = "1.2.840.10008.1.2.5", ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
# The part of a large image that is encoded anew.
ROWS, COLUMNS = 24, 20


def folders() -> Iterator[Path]:
    """Where real files are."""
    yield Path(pydicom.__file__).parent / "data" / "test_files"
    yield Path(os.environ.get("DICOXIDE_SHARED", HERE.parents[2] / "shared")) / "data"
    yield HERE.parents[1] / "tests" / "vectors"


def head(rows: int, columns: int, samples: int, bits: int) -> bytes:
    """What chooses attributes, as `choose` in lib.rs reads it; the codec is chosen by the target."""
    allocated = {8: 1, 16: 3, 32: 6, 64: 7}[bits]
    frames = 1 | (rows >> 8) << 3 | (columns >> 8) << 5
    return bytes([0, 0, rows & 255, columns & 255, samples, allocated, bits, 0, 4, frames, 0, 2])


def keep(target: str, data: bytes) -> None:
    """Write a seed, by the name that fuzzers would give it."""
    if len(data) <= MOST_BYTES:
        folder = SEEDS / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def frame_seeds(codec: str, frame: bytes, rows: int, columns: int, samples: int, bits: int) -> None:
    """Of one frame, for every target that takes frames."""
    chosen = head(rows, columns, samples, bits)
    keep(codec, chosen + frame)
    item = b"\xfe\xff\x00\xe0" + len(frame + b"\0" * (len(frame) % 2)).to_bytes(4, "little")
    number = {"rle": 1, "jpeg_lossless": 2}[codec]
    value = b"\xfe\xff\x00\xe0\0\0\0\0" + item + frame + b"\0" * (len(frame) % 2)
    keep("decode", bytes([number]) + chosen[1:] + value)
    if codec == "rle":
        kind = (samples == 3) + 2 * {8: 0, 16: 1, 32: 2}.get(bits, 0)
        keep("rle_naive", bytes([rows - 1 & 255, columns - 1 & 255, kind]) + frame)
    else:
        keep("jpeg_headers", frame)


def of_image(array: np.ndarray) -> None:
    """A part of an image, encoded in every way that there is."""
    part = np.ascontiguousarray(array[:ROWS, :COLUMNS])
    samples, bits = (part.shape[2] if part.ndim == 3 else 1), part.dtype.itemsize * 8
    if part.dtype.kind not in "iu" or samples not in (1, 3):
        return
    if bits <= 32:
        frame_seeds("rle", dicoxide.rle_encode(part), *part.shape[:2], samples, bits)
    if bits <= 16:
        for selection_value in range(1, 8):
            frame = dicoxide.jpeg_lossless_encode(part, selection_value=selection_value)
            frame_seeds("jpeg_lossless", frame, *part.shape[:2], samples, bits)
        shape = bytes([part.shape[0] - 1, part.shape[1] - 1, samples - 1 | (4 if bits == 16 else 0) | 0xE0, 1, 1])
        keep("encode", shape + part.tobytes()[:1024])
    keep("pixels", bytes([3, 5, 80, 128]) + part.tobytes()[:512])


def main() -> int:
    """Write them all."""
    for path in sorted(path for folder in folders() for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        keep("part10", data)
        try:
            ds = pydicom.dcmread(path)
            uid = ds.file_meta.TransferSyntaxUID
            if uid == RLE or uid in LOSSLESS:
                frame = next(iter(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1))))
                codec = "rle" if uid == RLE else "jpeg_lossless"
                frame_seeds(codec, frame, ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated)
            first = dicoxide.decode(path, frames=0, fallback=False)
        except Exception as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        of_image(first)
        # A file of the same header and few pixels.
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
