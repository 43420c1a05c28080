"""JPEG DCT codestreams to measure: real ones of the shared corpus, and images encoded with all usual parameters."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

import corpus
import dicoxide
from dicoxide.bench import _images

Array = npt.NDArray[Any]
SAMPLINGS = ("444", "422", "420", "440", "411")
QUALITIES = (75, 90, 98)
# Sampling factors of three components by subsampling.
_FACTORS = {
    b"\x11\x11\x11": "444",
    b"\x21\x11\x11": "422",
    b"\x22\x11\x11": "420",
    b"\x12\x11\x11": "440",
    b"\x41\x11\x11": "411",
}


@dataclass(frozen=True, eq=False)
class JpegFrame:
    """A codestream with the samples that libjpeg-turbo decodes."""

    name: str
    src: bytes
    kind: str
    """``"gray"``, ``"12 bits"``, ``"progressive"`` or the subsampling."""

    @cached_property
    def reference(self) -> Array:
        """The stored samples."""
        return libjpeg_turbo(self.src)

    @cached_property
    def rgb(self) -> Array:
        """The samples as libjpeg-turbo converts them."""
        return libjpeg_turbo(self.src, to_rgb=True)

    @property
    def is_colour(self) -> bool:
        """True for three components."""
        return self.reference.ndim == 3


def libjpeg_turbo(src: bytes, out: Array | None = None, *, to_rgb: bool = False) -> Array:
    """Decode by libjpeg-turbo: stored samples, or RGB."""
    import imagecodecs

    if to_rgb or _components(src) == 1:
        return imagecodecs.jpeg8_decode(src, out=out)
    return imagecodecs.jpeg8_decode(src, colorspace="YCBCR", outcolorspace="YCBCR", out=out)


@cache
def frames() -> tuple[JpegFrame, ...]:
    """Return real frames, and frames of real or generated images with every subsampling and quality."""
    return (*_real(), *_encoded())


@cache
def objects() -> tuple[tuple[str, Dataset, Array], ...]:
    """Return data sets of many frames: real cine and slide tiles, and generated cine, with the stored samples."""
    found = []
    for row in corpus.manifest():
        if row["uid"] == JPEGBaseline8Bit and int(row["NumberOfFrames"] or 1) > 1:
            ds = corpus.read_dataset(corpus.SHARED / row["path"])
            sources = generate_frames(ds.PixelData, number_of_frames=int(ds.NumberOfFrames))
            found.append((Path(row["path"]).name, ds, np.stack([libjpeg_turbo(src) for src in sources])))
    # The real ones take 2 to 4 ms, of which starting a second thread is a noticeable part.
    image = _images.us_rgb()
    found.append(_cine(f"generated cine of 60 × {image.shape[0]} × {image.shape[1]}", _encode(image, "422", 85), 60))
    return tuple(found)


def _cine(name: str, src: bytes, count: int) -> tuple[str, Dataset, Array]:
    from pydicom.encaps import encapsulate

    import generated_datasets

    samples = np.stack([libjpeg_turbo(src)] * count)
    ds = generated_datasets.dataset(samples[..., 0])
    ds.SamplesPerPixel, ds.PlanarConfiguration, ds.PhotometricInterpretation = 3, 0, "YBR_FULL_422"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.PixelData = encapsulate([src] * count)
    ds["PixelData"].VR = "OB"
    del ds.RescaleSlope, ds.RescaleIntercept
    return name, ds, samples


def _real() -> Iterator[JpegFrame]:
    for row in corpus.manifest():
        if row["uid"] not in (JPEGBaseline8Bit, JPEGExtended12Bit):
            continue
        ds = corpus.read_dataset(corpus.SHARED / row["path"])
        src = next(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
        kind = _kind(src)
        if kind and libjpeg_turbo(src).nbytes >= 1 << 16:
            yield JpegFrame(Path(row["path"]).name, src, kind)


def _encoded() -> Iterator[JpegFrame]:
    import imagecodecs

    colour, gray, deep = _sources()
    for name, image in gray.items():
        for quality in (50, *QUALITIES):
            yield JpegFrame(f"{name} q{quality}", imagecodecs.jpeg8_encode(image, level=quality), "gray")
        yield JpegFrame(f"{name} q75 progressive", _progressive(image, 75), "progressive")
    for name, image in deep.items():
        for quality in QUALITIES:
            src = imagecodecs.jpeg8_encode(image, level=quality, bitspersample=12)
            yield JpegFrame(f"{name} 12 bits q{quality}", src, "12 bits")
    for name, image in colour.items():
        for sampling in SAMPLINGS:
            for quality in QUALITIES:
                yield JpegFrame(f"{name} {sampling} q{quality}", _encode(image, sampling, quality), sampling)
        for number, sampling in enumerate(("444", "422", "420")):
            yield JpegFrame(f"{name} {sampling} q75 progressive", _progressive(image, 75, number), "progressive")


def _sources() -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
    """Return images in colour, gray images of 8 bits and of 12 bits: decoded real ones, or generated ones."""
    real = {frame.name: frame for frame in _real()}
    colour, deep = {}, {}
    for name, label in (("image1.dcm", "photo"), ("examples_ybr_color.dcm", "ultrasound")):
        if name in real:
            colour[label] = real[name].rgb
    for name, label in (("RG2_JPLY_fixed.dcm", "CR"), ("XA1_JPLY", "XA")):
        if name in real:
            deep[label] = real[name].reference
    colour = colour or {"US": _images.us_rgb()}
    deep = deep or {"CR": _images.cr() << 2, "XA": _images.xa() << 2}
    gray = {name: (image.astype(float) * 255 / image.max()).round().astype(np.uint8) for name, image in deep.items()}
    deep = {name: image.clip(0, 4095).astype(np.uint16) for name, image in deep.items()}
    return colour, gray, deep


def _encode(image: Array, sampling: str, quality: int) -> bytes:
    import imagecodecs

    return imagecodecs.jpeg8_encode(image, level=quality, subsampling=sampling)


def _progressive(image: Array, quality: int, subsampling: int = 0) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling, progressive=True)
    return file.getvalue()


def _components(src: bytes) -> int:
    return dicoxide.codestream_info(src).components or 0


def _kind(src: bytes) -> str | None:
    """Return the class of a codestream; None for subsampling of another kind."""
    info = dicoxide.codestream_info(src)
    frame = next(src.index(marker) for marker in (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2") if marker in src)
    if src[frame + 1] == 0xC2:
        return "progressive"
    if info.precision == 12:
        return "12 bits"
    return "gray" if info.components == 1 else _FACTORS.get(src[frame + 11 : frame + 20 : 3])
