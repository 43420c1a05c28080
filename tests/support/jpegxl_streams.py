"""Codestreams of JPEG XL in ``tests/vectors/jpegxl``, encoded by libjxl from images that are equal on every machine.

No package that the tests require encodes JPEG XL. ``python -m support.jpegxl_streams`` in ``tests`` encodes them again,
which needs imagecodecs. The samples of a lossless codestream are those of its image. Of a lossy one, ``NAME.npy`` has
the samples that libjxl decodes; other decoders may differ by 1.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import MPEG2MPML

from support.encoders.dataset import to_bytes

Array = npt.NDArray[Any]

FOLDER = Path(__file__).parents[1] / "vectors" / "jpegxl"
LOSSLESS, RECOMPRESSED, JPEG_XL = (f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112))
SIGNATURE_BOX = b"\0\0\0\x0cJXL \r\n\x87\n"


def picture(rows: int, columns: int, components: int, precision: int) -> Array:
    """Return a gradient with a pattern and an area of equal samples, equal on every machine."""
    y, x, component = np.mgrid[0:rows, 0:columns, 0:components]
    values = x * 3 + y * 2 + component * 40 + (x * y % 5) * 2
    values[y > rows * 2 // 3] = 77
    samples = ((values << max(precision - 8, 0)) % (1 << precision)).astype("u1" if precision <= 8 else "u2")
    return samples[..., 0] if components == 1 else samples


def letters(rows: int, columns: int) -> Array:
    """Return an image of repeated small shapes on a plain background, which libjxl codes as patches."""
    image = np.full((rows, columns), 20, np.uint8)
    shape = np.kron(np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0]], np.uint8), np.ones((2, 2), np.uint8))
    for row in range(4, rows - 10, 12):
        for column in range(4, columns - 8, 10):
            image[row : row + 8, column : column + 6][shape == 1] = 230
    return image


@dataclass(frozen=True)
class Stream:
    """A codestream and how it is made."""

    name: str
    image: Array = field(repr=False)
    precision: int = 8
    is_lossless: bool = True
    # Options of the encoder; those of a JPEG encoder if the codestream is a recompressed JPEG.
    options: dict[str, Any] = field(default_factory=dict)
    is_recompressed: bool = False

    @property
    def codestream(self) -> bytes:
        """The bytes of the codestream."""
        return (FOLDER / f"{self.name}.jxl").read_bytes()

    @property
    def samples(self) -> Array:
        """The samples, for lossy codestreams those of libjxl."""
        if self.is_lossless:
            return self.image
        samples: Array = np.load(FOLDER / f"{self.name}.npy")
        return samples

    @property
    def components(self) -> int:
        """The number of components."""
        return 1 if self.image.ndim == 2 else self.image.shape[2]

    @property
    def syntax(self) -> str:
        """The transfer syntax UID that conforms to the codestream."""
        return RECOMPRESSED if self.is_recompressed else LOSSLESS if self.is_lossless else JPEG_XL

    def encode(self) -> bytes:
        """Encode the image by imagecodecs."""
        import imagecodecs

        if self.is_recompressed:
            jpeg = imagecodecs.jpeg8_encode(self.image, **self.options)
            return bytes(imagecodecs.jpegxl_encode_jpeg(jpeg))
        options = {"lossless": self.is_lossless, "bitspersample": self.precision, **self.options}
        return bytes(imagecodecs.jpegxl_encode(self.image, **options))


def _lossless(name: str, components: int, precision: int, size: tuple[int, int] = (19, 23), **options: Any) -> Stream:
    return Stream(name, picture(*size, components, precision), precision, options=options)


def _lossy(name: str, components: int, precision: int, size: tuple[int, int] = (19, 23), **options: Any) -> Stream:
    return Stream(name, picture(*size, components, precision), precision, is_lossless=False, options=options)


def _recompressed(name: str, components: int, **options: Any) -> Stream:
    image = picture(35, 42, components, 8)
    return Stream(name, image, is_lossless=False, options={"level": 85, **options}, is_recompressed=True)


STREAMS = {
    stream.name: stream
    for stream in (
        _lossless("gray_1", 1, 1),
        _lossless("gray_8", 1, 8),
        _lossless("gray_12", 1, 12),
        _lossless("gray_16", 1, 16),
        _lossless("rgb_8", 3, 8),
        _lossless("rgb_16", 3, 16),
        _lossless("gray_8_effort_9", 1, 8, effort=9),
        _lossless("gray_16_boxes", 1, 16, usecontainer=True),
        # More than one group of 256 × 256 pixels.
        _lossless("gray_16_groups", 1, 16, (300, 270)),
        _lossless("rgb_8_groups", 3, 8, (270, 300)),
        _lossless("gray_8_fast", 1, 8, (60, 40), effort=1),
        Stream("gray_8_patches", letters(90, 110), options={"effort": 7}),
        _lossy("lossy_gray_8", 1, 8, distance=1.0),
        _lossy("lossy_rgb_8", 3, 8, distance=1.0),
        _lossy("lossy_gray_12", 1, 12, distance=0.5),
        _lossy("lossy_rgb_8_fast", 3, 8, distance=2.0, effort=3, decodingspeed=4),
        Stream("lossy_gray_8_patches", letters(60, 70), is_lossless=False, options={"distance": 1.0}),
        _recompressed("recompressed_gray", 1),
        _recompressed("recompressed_444", 3, subsampling="444"),
        _recompressed("recompressed_422", 3, subsampling="422"),
        _recompressed("recompressed_420", 3, subsampling="420"),
    )
}

# Codestreams that are refused: the reason is in the error message.
REFUSED = {
    "extra_channel": ("1 extra channel", np.dstack([picture(9, 11, 3, 8), picture(9, 11, 1, 8)]), {"lossless": True}),
    "float": ("float samples of 32 bits", picture(9, 11, 1, 8).astype("f4") / 255, {"lossless": True}),
    "animation": (
        "more than one frame",
        np.stack([picture(9, 11, 3, 8), picture(9, 11, 3, 8) ^ 9]),
        {"lossless": True},
    ),
}


def to_file(ds: Dataset) -> bytes:
    """Return the Part 10 file of a data set, also if pydicom does not know its transfer syntax."""
    uid = str(ds.file_meta.TransferSyntaxUID)
    stand_in = str(MPEG2MPML)
    assert len(stand_in) == len(uid)
    ds.file_meta.TransferSyntaxUID = stand_in
    try:
        return to_bytes(ds).replace(stand_in.encode(), uid.encode(), 1)
    finally:
        ds.file_meta.TransferSyntaxUID = uid


def refused(name: str) -> bytes:
    """Return the codestream of a row of ``REFUSED``."""
    return (FOLDER / f"{name}.jxl").read_bytes()


def split(codestream: bytes, *offsets: int) -> bytes:
    """Return a bare codestream in boxes, in parts that are cut at ``offsets``."""

    def box(kind: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4, "big") + kind + content

    bounds = [0, *offsets, len(codestream)]
    parts = [codestream[start:end] for start, end in pairwise(bounds)]
    boxes = [SIGNATURE_BOX, box(b"ftyp", b"jxl \0\0\0\0jxl ")]
    for index, part in enumerate(parts):
        number = index | (1 << 31 if index == len(parts) - 1 else 0)
        boxes += [box(b"Exif", b"\0\0\0\0"), box(b"jxlp", number.to_bytes(4, "big") + part)]
    return b"".join(boxes)


def main() -> None:
    """Encode all codestreams and write their digests."""
    import imagecodecs

    FOLDER.mkdir(exist_ok=True)
    rows = []
    for stream in STREAMS.values():
        codestream = stream.encode()
        (FOLDER / f"{stream.name}.jxl").write_bytes(codestream)
        decoded = np.ascontiguousarray(imagecodecs.jpegxl_decode(codestream))
        if stream.is_lossless:
            assert np.array_equal(decoded, stream.image), stream.name
        else:
            np.save(FOLDER / f"{stream.name}.npy", decoded)
        digest = hashlib.sha256(decoded.astype(decoded.dtype.newbyteorder("<")).tobytes()).hexdigest()
        rows.append([f"{stream.name}.jxl", " ".join(map(str, decoded.shape)), decoded.dtype.str[1:], digest])
    for name, (_, image, options) in REFUSED.items():
        (FOLDER / f"{name}.jxl").write_bytes(imagecodecs.jpegxl_encode(image, **options))
        rows.append([f"{name}.jxl", "", "", ""])
    with (FOLDER / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "shape", "dtype", "sha256_of_libjxl"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
