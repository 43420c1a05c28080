"""JPEG Lossless frames to measure on: real ones of the manifest or of the pydicom package, and generated ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import generate_frames
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

import corpus
import dicoxide
import generated
from dicoxide.bench import _images

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class JpegLosslessFrame(corpus.Frame):
    """One frame's codestream and what it holds, as the codestream has it."""

    selection_value: int
    is_wg04: bool = False
    """Whether it shows an image of the set that NEMA's Working Group 4 compares compressions on."""

    @property
    def bits_a_sample(self) -> float:
        """How long the codestream is."""
        return len(self.src) * 8 / self.reference.size

    @property
    def counted_bytes(self) -> int:
        """Two bytes a sample at every precision: what speeds are given in."""
        return self.reference.size * 2


@cache
def real_frames() -> tuple[JpegLosslessFrame, ...]:
    """The first frame of every JPEG Lossless file at hand, largest first.

    The reference is what libjpeg-turbo gives, or else this package; without either there is nothing to measure. Where
    the manifest has a checksum, which at least two decoders agree upon, all frames of the file together must have it.
    """
    if _decoder() is None:
        return ()
    rows = corpus.manifest()
    frames = [_read(row) for row in rows if row["uid"] in (JPEGLossless, JPEGLosslessSV1) and row["sha256"]]
    frames += [_read_bare(row) for row in rows if row["kind"] == "jpg" and row["jpeg_sof"] == "C3"]
    if not rows:
        frames += [_read_unlisted(path) for path in sorted(corpus.PYDICOM_FILES.glob("*.dcm"))]
    return tuple(sorted(filter(None, frames), key=lambda frame: -frame.reference.nbytes))


@cache
def generated_frame(name: str, selection_value: int = 1) -> JpegLosslessFrame:
    """A generated frame of one of the kinds in `KINDS`."""
    make, precision = KINDS[name]
    frame = np.ascontiguousarray(make())
    src = generated.jpeg_lossless_frame(frame, precision, selection_value)
    return JpegLosslessFrame(name, src, frame, JPEGLossless, precision, selection_value)


KINDS: dict[str, tuple[Callable[[], Array], int]] = {
    "CT 512 × 512": (lambda: generated.ct_frames(1)[0], 12),
    "CT 512 × 512, as a window shows it": (
        lambda: (generated.ct_frames(1)[0].clip(900, 1410) - 900 >> 1).astype(np.uint8),
        8,
    ),
    "MR 256 × 256": (_images.mr, 12),
    "XA 1024 × 1024": (_images.xa, 10),
    "CR 2140 × 1760": (_images.cr, 10),
    "MG 4084 × 3328": (_images.mg, 12),
    "US 480 × 640 RGB": (_images.us_rgb, 8),
    "noise 512 × 512": (_images.noise, 16),
    "nearly constant 512 × 512": (_images.nearly_constant, 12),
}


def _read(row: dict[str, str]) -> JpegLosslessFrame | None:
    ds = pydicom.dcmread(corpus.SHARED / row["path"])
    sources = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
    decoded = [_decode(src) for src in sources]
    every = (np.stack(decoded) if len(decoded) > 1 else decoded[0]).astype(row["dtype"])
    if corpus.checksum(every, len(row["sha256"])) != row["sha256"]:
        raise AssertionError(f"{row['path']}: the reference differs from the manifest")
    # Some are told by where they lie, some by the uncompressed image that they are equal to.
    is_wg04 = "WG04" in row["path"] + row["truth"] or row["path"].endswith("_JPLL")
    return _frame(Path(row["path"]).name, sources[0], decoded[0], is_wg04)


def _read_bare(row: dict[str, str]) -> JpegLosslessFrame | None:
    path = corpus.SHARED / row["path"]
    src = path.read_bytes()
    return _frame(path.name, src, _decode(src)) if set(_sampling_factors(src)) == {0x11} else None


def _read_unlisted(path: Path) -> JpegLosslessFrame | None:
    # Some of them are not quite conformant, and some are no images.
    with warnings.catch_warnings(action="ignore"):
        ds = pydicom.dcmread(path, force=True)
    meta = getattr(ds, "file_meta", {})
    if meta.get("TransferSyntaxUID") not in (JPEGLossless, JPEGLosslessSV1) or "PixelData" not in ds:
        return None
    src = next(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
    return _frame(path.name, src, _decode(src))


def _decode(src: bytes) -> Array:
    decoder = _decoder()
    if decoder is None:
        raise AssertionError("no decoder is here to make a reference")
    return decoder(src)


def _decoder() -> Callable[[bytes], Array] | None:
    try:
        from imagecodecs import jpeg8_decode
    except ImportError:
        return dicoxide.jpeg_lossless_decode if dicoxide.backend == "rust" else None
    return jpeg8_decode


def _frame(name: str, src: bytes, decoded: Array, is_wg04: bool = False) -> JpegLosslessFrame:
    sof, sos = src.index(b"\xff\xc3"), src.index(b"\xff\xda")
    # SOS: marker, length, number of components, two bytes a component, selection value.
    return JpegLosslessFrame(name, src, decoded, JPEGLossless, src[sof + 4], src[sos + 5 + 2 * src[sos + 4]], is_wg04)


def _sampling_factors(src: bytes) -> bytes:
    sof = src.index(b"\xff\xc3")
    # SOF3: marker, length, precision, lines, samples a line, number of components; three bytes a component.
    return src[sof + 11 : sof + 10 + 3 * src[sof + 9] : 3]
