"""JPEG 2000 and HTJ2K codestreams to measure: real ones of the shared corpus, and encoded real or generated images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import HTJ2K, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, JPEG2000Lossless

import corpus
import dicoxide
from dicoxide.bench import _images

Array = npt.NDArray[Any]
SYNTAXES = (JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
_MIN_BYTES, _LARGE_BYTES = 300_000, 7_000_000
# Losslessly stored images of the shared corpus that OpenJPH encodes with 9/7.
_LOSSLESS_FILES = ("XA1_J2KR", "RG2_J2KR", "VL1_J2KR", "examples_jpeg2k.dcm")
_OBJECTS = ("jpeg2000-multiframe-multifragments.dcm", "CT1_J2KR", "CT1_JPH")


@dataclass(frozen=True, eq=False)
class Jpeg2000Frame:
    """A codestream with the samples that OpenJPEG decodes, or OpenJPH for HTJ2K."""

    name: str
    src: bytes
    is_real: bool = True

    @cached_property
    def kind(self) -> str:
        """``"5/3"`` or ``"9/7"``; for HTJ2K ``"mono"`` or ``"RGB"``, or either with `` 9/7``."""
        info = dicoxide.codestream_info(self.src)
        if not self.is_htj2k:
            return "9/7" if info.is_lossy else "5/3"
        return ("mono" if info.components == 1 else "RGB") + (" 9/7" if info.is_lossy else "")

    @cached_property
    def is_htj2k(self) -> bool:
        """True if the code-blocks are HT code-blocks."""
        return dicoxide.codestream_info(self.src).format == "htj2k"

    @property
    def tolerance(self) -> int:
        """Largest difference between correct samples: 9/7 is computed in floating point."""
        return int(self.kind.endswith("9/7"))

    @cached_property
    def reference(self) -> Array:
        """The samples."""
        return self.decode_by_other(self.src)

    @property
    def other(self) -> str:
        """Name of the decoder that the frame is compared with."""
        return "OpenJPH" if self.is_htj2k else "OpenJPEG"

    @property
    def decode_by_other(self) -> Callable[..., Array]:
        """The function of that decoder: of a codestream and an optional array; on one thread."""
        return openjph if self.is_htj2k else openjpeg


def openjpeg(src: bytes, out: Array | None = None) -> Array:
    """Decode by OpenJPEG on one thread."""
    import imagecodecs

    return imagecodecs.jpeg2k_decode(src, numthreads=1, out=out)


def openjph(src: bytes, out: Array | None = None) -> Array:
    """Decode by OpenJPH, which has no threads."""
    import imagecodecs

    return imagecodecs.htj2k_decode(src, out=out)


@cache
def frames() -> tuple[Jpeg2000Frame, ...]:
    """Return real frames of at least 300 kB decoded, and encoded images of the kinds without real files."""
    return (*real_frames(), *_encoded())


@cache
def small_frames() -> tuple[Jpeg2000Frame, ...]:
    """Return the first frames of the other real files."""
    return tuple(frame for frame in _first_frames() if frame.reference.nbytes < _MIN_BYTES)


@cache
def real_frames() -> tuple[Jpeg2000Frame, ...]:
    """Return the first frame of each real file, if it has at least 300 kB decoded."""
    return tuple(frame for frame in _first_frames() if frame.reference.nbytes >= _MIN_BYTES)


@cache
def _first_frames() -> tuple[Jpeg2000Frame, ...]:
    found = []
    for path in _paths():
        ds = corpus.read_dataset(path)
        src = next(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
        found.append(Jpeg2000Frame(path.name, bytes(src)))
    return tuple(found)


@cache
def real_files() -> tuple[tuple[Path, Jpeg2000Frame], ...]:
    """Return the files of `real_frames` that have one frame."""
    paths = {path.name: path for path in _paths() if int(corpus.read_dataset(path).get("NumberOfFrames") or 1) == 1}
    return tuple((paths[frame.name], frame) for frame in real_frames() if frame.name in paths)


def _paths() -> list[Path]:
    rows = [row for row in corpus.manifest() if row["uid"] in SYNTAXES and row["sha256"]]
    return [corpus.SHARED / row["path"] for row in rows]


@cache
def large_frames() -> tuple[Jpeg2000Frame, ...]:
    """Return the frames of at least 7 MB, one per kind."""
    return tuple({frame.kind: frame for frame in frames() if frame.reference.nbytes >= _LARGE_BYTES}.values())


@cache
def objects() -> tuple[tuple[Jpeg2000Frame, tuple[str, Dataset, Array]], ...]:
    """Return data sets of many frames, each with one of its frames, its name and its samples.

    They are real ones, and real frames 16 times.
    """
    found = []
    for path in _paths():
        if path.name in _OBJECTS:
            ds = corpus.read_dataset(path)
            sources = list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))
            name = path.name
            if len(sources) == 1:
                sources *= 16
                ds.NumberOfFrames, ds.PixelData = len(sources), encapsulate(sources)
                name = f"{name} 16 times"
            samples = dicoxide.decode(ds, raw=True, fallback=False)
            found.append((Jpeg2000Frame(path.name, sources[0]), (name, ds, samples)))
    return tuple(found)


def _encoded() -> Iterator[Jpeg2000Frame]:
    import imagecodecs

    for name, image in _images_by_name().items():
        # The quantisation step relative to the range of the sample type; images of 16 bits use 10 of them.
        level = 1 / 256 if image.dtype == np.uint8 else 1 / 2**15
        # Leaves a margin, because `imagecodecs.htj2k_decode` does not clamp values that rounding moves out of range.
        margin = image.clip(8, 247) if image.dtype == np.uint8 else image
        yield Jpeg2000Frame(f"{name} HTJ2K 9/7", imagecodecs.htj2k_encode(margin, level, reversible=False), False)
        if not real_frames():
            bits = 8 if image.dtype == np.uint8 else 10
            reversible = imagecodecs.jpeg2k_encode(image, reversible=True, bitspersample=bits)
            yield Jpeg2000Frame(f"{name} 5/3", reversible, False)
            irreversible = imagecodecs.jpeg2k_encode(image, 60, reversible=False, bitspersample=bits)
            yield Jpeg2000Frame(f"{name} 9/7", irreversible, False)
            yield Jpeg2000Frame(f"{name} HTJ2K", imagecodecs.htj2k_encode(image, reversible=True), False)


def _images_by_name() -> dict[str, Array]:
    real = {Path(frame.name).stem: frame.reference for frame in real_frames() if frame.name in _LOSSLESS_FILES}
    return real or {"CR": _images.cr(), "XA": _images.xa(), "US": _images.us_rgb()}
