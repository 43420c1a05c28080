"""JPEG Lossless frames to measure: real ones of the shared corpus or of the pydicom package, and generated ones."""

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
import generated_datasets
from dicoxide.bench import _images

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class JpegLosslessFrame(corpus.Frame):
    """The codestream of one frame with its samples, as the codestream declares them."""

    selection_value: int
    is_wg04: bool = False
    """True if the image is of the set on which DICOM Working Group 4 compares compression."""

    @property
    def bits_per_sample(self) -> float:
        """Compressed size, in bits per sample."""
        return len(self.src) * 8 / self.reference.size

    @property
    def nominal_bytes(self) -> int:
        """Decoded size for throughput: two bytes per sample at every precision."""
        return self.reference.size * 2


@cache
def real_frames() -> tuple[JpegLosslessFrame, ...]:
    """Return the first frame of every available JPEG Lossless file, largest first.

    The reference is the result of libjpeg-turbo, or of dicoxide if imagecodecs is not installed; there are no frames
    without either. If the manifest has a checksum, on which at least two decoders agree, all frames of the file must
    match it.
    """
    if _reference_decoder() is None:
        return ()
    rows = corpus.manifest()
    frames = [_read_listed(row) for row in rows if row["uid"] in (JPEGLossless, JPEGLosslessSV1) and row["sha256"]]
    frames += [_read_codestream(row) for row in rows if row["kind"] == "jpg" and row["jpeg_sof"] == "C3"]
    if not rows:
        frames += [_read_unlisted(path) for path in sorted(corpus.PYDICOM_FILES.glob("*.dcm"))]
    return tuple(sorted(filter(None, frames), key=lambda frame: -frame.reference.nbytes))


@cache
def generated_frame(name: str, selection_value: int = 1) -> JpegLosslessFrame:
    """Return a generated frame of one of the kinds in `KINDS`."""
    generate, precision = KINDS[name]
    frame = np.ascontiguousarray(generate())
    src = generated_datasets.jpeg_lossless_frame(frame, precision, selection_value)
    return JpegLosslessFrame(name, src, frame, JPEGLossless, precision, selection_value)


# Functions that return the samples, with their precision in bits.
KINDS: dict[str, tuple[Callable[[], Array], int]] = {
    "CT 512 × 512": (lambda: generated_datasets.ct_frames(1)[0], 12),
    "CT 512 × 512, windowed to 8 bits": (
        lambda: (generated_datasets.ct_frames(1)[0].clip(900, 1410) - 900 >> 1).astype(np.uint8),
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


def _read_listed(row: dict[str, str]) -> JpegLosslessFrame | None:
    """Read a file of the manifest."""
    ds = pydicom.dcmread(corpus.SHARED / row["path"])
    sources = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
    frames = [_decode_reference(src) for src in sources]
    samples = (np.stack(frames) if len(frames) > 1 else frames[0]).astype(row["dtype"])
    if corpus.checksum(samples, len(row["sha256"])) != row["sha256"]:
        raise AssertionError(f"{row['path']}: the reference does not match the manifest")
    # Recognised by the folder, by the file with the uncompressed image, or by the suffix.
    is_wg04 = "WG04" in row["path"] + row["truth"] or row["path"].endswith("_JPLL")
    return _frame(Path(row["path"]).name, sources[0], frames[0], is_wg04)


def _read_codestream(row: dict[str, str]) -> JpegLosslessFrame | None:
    """Read a codestream of the manifest; None if it is subsampled."""
    path = corpus.SHARED / row["path"]
    src = path.read_bytes()
    return _frame(path.name, src, _decode_reference(src)) if set(_sampling_factors(src)) == {0x11} else None


def _read_unlisted(path: Path) -> JpegLosslessFrame | None:
    """Read a file of the pydicom package; None if it is not JPEG Lossless."""
    # Some of these files are not conformant, and some have no pixel data.
    with warnings.catch_warnings(action="ignore"):
        ds = pydicom.dcmread(path, force=True)
    meta = getattr(ds, "file_meta", {})
    if meta.get("TransferSyntaxUID") not in (JPEGLossless, JPEGLosslessSV1) or "PixelData" not in ds:
        return None
    src = next(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
    return _frame(path.name, src, _decode_reference(src))


def _decode_reference(src: bytes) -> Array:
    decoder = _reference_decoder()
    if decoder is None:
        raise AssertionError("no installed decoder for the reference")
    return decoder(src)


def _reference_decoder() -> Callable[[bytes], Array] | None:
    try:
        from imagecodecs import jpeg8_decode
    except ImportError:
        return dicoxide.jpeg_lossless_decode if dicoxide.backend == "rust" else None
    return jpeg8_decode


def _frame(name: str, src: bytes, samples: Array, is_wg04: bool = False) -> JpegLosslessFrame:
    sof, sos = src.index(b"\xff\xc3"), src.index(b"\xff\xda")
    # SOF3: marker (2 bytes), length (2), precision (1). SOS: marker (2), length (2), number of components (1), two
    # bytes per component, selection value (1).
    precision, selection_value = src[sof + 4], src[sos + 5 + 2 * src[sos + 4]]
    return JpegLosslessFrame(name, src, samples, JPEGLossless, precision, selection_value, is_wg04)


def _sampling_factors(src: bytes) -> bytes:
    """Return one byte per component: horizontal factor in the high, vertical factor in the low half."""
    sof = src.index(b"\xff\xc3")
    # SOF3: marker (2 bytes), length (2), precision (1), lines (2), samples per line (2), number of components (1),
    # three bytes per component.
    return src[sof + 11 : sof + 10 + 3 * src[sof + 9] : 3]
