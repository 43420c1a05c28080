"""JPEG-LS codestreams to measure: real ones of the shared corpus, and real or generated images encoded by CharLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless

import corpus
import dicoxide
import generated_datasets
from dicoxide.bench import _images

Array = npt.NDArray[Any]
_MIN_BYTES = 256 << 10
NEAR = 2
# Losslessly stored colour images of the shared corpus.
_COLOUR_FILES = ("VL1_UNC", "VL6_RLE", "I50", "JPEGLosslessP14SV1_3s_2f_u_08_08.dcm")


@dataclass(frozen=True, eq=False)
class JpegLsFrame:
    """A codestream with the samples that CharLS decodes."""

    name: str
    src: bytes
    kind: str
    """``"lossless"`` or ``"near"`` for one component; ``"line"``, ``"sample"`` or either with `` near`` for colour."""
    is_real: bool = True

    @cached_property
    def reference(self) -> Array:
        """The samples."""
        return charls(self.src)


def charls(src: bytes, out: Array | None = None) -> Array:
    """Decode by CharLS."""
    import imagecodecs

    return imagecodecs.jpegls_decode(src, out=out)


@cache
def frames() -> tuple[JpegLsFrame, ...]:
    """Return real frames of at least 256 KiB, and colour images in both interleave modes."""
    return (*real_frames(), *_encoded())


@cache
def real_frames() -> tuple[JpegLsFrame, ...]:
    """Return the first frame of each real file, if it has at least 256 KiB decoded."""
    found = []
    for path in real_paths():
        src = next(generate_frames(corpus.read_dataset(path).PixelData, number_of_frames=1))
        found.append(JpegLsFrame(path.name, src, _kind(src)))
    return tuple(frame for frame in found if frame.reference.nbytes >= _MIN_BYTES)


@cache
def real_paths() -> tuple[Path, ...]:
    """Return the JPEG-LS files of the shared corpus with one frame."""
    uids = (JPEGLSLossless, JPEGLSNearLossless)
    rows = [row for row in corpus.manifest() if row["uid"] in uids and int(row["NumberOfFrames"] or 1) == 1]
    return tuple(corpus.SHARED / row["path"] for row in rows)


@cache
def objects() -> tuple[tuple[str, Dataset, Array], ...]:
    """Return data sets of many frames with their samples: encoded real series, or a generated one."""
    volumes = {}
    for row in corpus.manifest():
        name = Path(row["path"]).name
        if name == "jpeg_lossless_sel1-8bit.dcm":
            volumes["12 frames of 8 bits"] = dicoxide.decode(corpus.SHARED / row["path"], raw=True)
        elif name == "CT1_JLSL":
            volumes["16 frames of CT"] = np.stack([dicoxide.decode(corpus.SHARED / row["path"], raw=True)] * 16)
    volumes = volumes or {"16 generated frames": np.stack([_images.cr()[:512, :512]] * 16)}
    return tuple((name, _data_set(samples), samples) for name, samples in volumes.items())


def _data_set(samples: Array) -> Dataset:
    ds = generated_datasets.dataset(samples)
    bits = 8 * samples.dtype.itemsize
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
    ds.PixelRepresentation = int(samples.dtype.kind == "i")
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    ds.PixelData = encapsulate([encode(frame) for frame in samples])
    ds["PixelData"].VR = "OB"
    del ds.RescaleSlope, ds.RescaleIntercept
    return ds


def encode(samples: Array, near: int = 0, interleave: int = 0) -> bytes:
    """Encode by CharLS. `interleave` is that of T.87: 1 by line, 2 by sample."""
    import jpeg_ls

    shape = (*samples.shape, 1)[:3]
    return bytes(jpeg_ls.encode_buffer(samples.tobytes(), *shape, 8 * samples.dtype.itemsize, near, interleave))


def _encoded() -> Iterator[JpegLsFrame]:
    for name, image in _colour_images().items():
        for number, interleave in enumerate(("line", "sample"), 1):
            yield JpegLsFrame(f"{name} {interleave}", encode(image, 0, number), interleave, False)
            yield JpegLsFrame(
                f"{name} {interleave} NEAR {NEAR}", encode(image, NEAR, number), f"{interleave} near", False
            )
    if not real_frames():
        for name, image in {"CR": _images.cr(), "XA": _images.xa()}.items():
            yield JpegLsFrame(name, encode(image), "lossless", False)
            yield JpegLsFrame(f"{name} NEAR {NEAR}", encode(image, NEAR), "near", False)


def _colour_images() -> dict[str, Array]:
    paths = {Path(row["path"]).name: corpus.SHARED / row["path"] for row in corpus.manifest()}
    found = {}
    for name in _COLOUR_FILES:
        if name in paths:
            image = dicoxide.decode(paths[name], raw=True, fallback=False)
            found[Path(name).stem] = image if image.ndim == 3 else image[0]
    return found or {"US": _images.us_rgb()}


def _kind(src: bytes) -> str:
    """Return the class of a codestream, from its scan header."""
    scan = src.index(b"\xff\xda") + 4
    count = src[scan]
    near, interleave = src[scan + 1 + 2 * count], src[scan + 2 + 2 * count]
    suffix = "near" if near else ""
    if interleave:
        return " ".join(filter(None, ("line" if interleave == 1 else "sample", suffix)))
    return suffix or "lossless"
