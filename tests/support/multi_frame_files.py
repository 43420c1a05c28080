"""Files of 12 frames by transfer syntax, and a file object that records its reads."""

from __future__ import annotations

import io

import numpy as np
import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGLossless, RLELossless

import dicoxide
from support.single_frame_files import image

FRAME_COUNT, ROWS, COLUMNS = 12, 256, 320
FRAMES = (np.arange(FRAME_COUNT * ROWS * COLUMNS) * 7 % 4093).astype("u2").reshape(FRAME_COUNT, ROWS, COLUMNS)


class CountingFile(io.BytesIO):
    """Records (position, count) of each read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[tuple[int, int]] = []

    def read(self, count: int | None = -1) -> bytes:
        position = self.tell()
        data = super().read(count)
        self.reads.append((position, len(data)))
        return data

    @property
    def read_bytes(self) -> int:
        return sum(count for _, count in self.reads)


def multi_frame(uid: str, *, has_table: bool = True, private_bytes: int = 0) -> bytes:
    """Return a file with `FRAMES`; `private_bytes` are in a private element before the pixel data."""
    data = pydicom.dcmread(io.BytesIO(image(FRAMES[0], ExplicitVRLittleEndian, NumberOfFrames=FRAME_COUNT)))
    data.file_meta.TransferSyntaxUID = uid
    data.PixelData = FRAMES.tobytes()
    if uid == RLELossless:
        data.PixelData = encapsulate([dicoxide.rle_encode(frame) for frame in FRAMES], has_bot=has_table)
    elif uid == JPEGLossless:
        codestreams = [dicoxide.jpeg_lossless_encode(frame, precision=12) for frame in FRAMES]
        data.PixelData = encapsulate(codestreams, has_bot=has_table)
    if private_bytes:
        data.private_block(0x0011, "TEST", create=True).add_new(1, "OB", bytes(private_bytes))
    data["PixelData"].VR = "OW" if uid == ExplicitVRLittleEndian else "OB"
    data["PixelData"].is_undefined_length = uid != ExplicitVRLittleEndian
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


FILES = {
    "native": multi_frame(ExplicitVRLittleEndian),
    "rle": multi_frame(RLELossless),
    "long-header": multi_frame(RLELossless, private_bytes=500_000),
}
if dicoxide.backend == "rust":
    # The NumPy backend has no encoder of JPEG Lossless.
    FILES["jpeg-lossless"] = multi_frame(JPEGLossless)
NO_TABLE = multi_frame(RLELossless, has_table=False)
