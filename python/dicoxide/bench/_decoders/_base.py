"""What a peer is: a decoder that is compared, at one or more levels."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from importlib import metadata
from typing import Any

import numpy as np

from dicoxide._arguments import Array
from dicoxide._frame import FrameSpec
from dicoxide.bench._answers import normal
from dicoxide.bench._cases import Case

__all__ = [
    "JPEG",
    "JPEG_2000",
    "JPEG_LOSSLESS",
    "JPEG_LS",
    "LEVELS",
    "RLE",
    "Call",
    "Opened",
    "Peer",
    "is_ybr",
    "library",
    "planes_last",
]

# What is timed: from the bytes of a frame, from a Dataset in memory, from a path, the same to modality values in
# float32, and from many paths.
LEVELS = ("codec", "pixel_array", "file", "rescaled", "bulk")

RLE = "1.2.840.10008.1.2.5"
JPEG = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
JPEG_LOSSLESS = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
JPEG_LS = frozenset({"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"})
JPEG_2000 = frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"})

Call = Callable[[], Any]


class Opened:
    """A case with what adapters need of it, read when somebody asks for it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._outs: dict[str, Array] = {}

    @cached_property
    def dataset(self) -> Any:
        """The Dataset, with all of its pixel data in memory."""
        import pydicom

        return pydicom.dcmread(self.case.path, force=True)

    @cached_property
    def frame(self) -> bytes:
        """The bytes of the first frame."""
        from pydicom.encaps import generate_frames

        keywords = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
        value: bytes = next(self.dataset[keyword].value for keyword in keywords if keyword in self.dataset)
        if self.case.is_native:
            bits = self.case.rows * self.case.columns * self.case.samples_per_pixel * self.case.bits_allocated
            return bytes(value[: (bits + 7) // 8])
        return bytes(next(iter(generate_frames(value, number_of_frames=self.case.frames))))

    @cached_property
    def spec(self) -> FrameSpec:
        """What the frame is said to be."""
        case = self.case
        return FrameSpec(
            case.transfer_syntax,
            case.rows,
            case.columns,
            case.samples_per_pixel,
            case.bits_allocated,
            case.bits_stored,
            pixel_representation=case.pixel_representation,
            planar_configuration=int(self.dataset.get("PlanarConfiguration") or 0),
            photometric_interpretation=case.photometric_interpretation,
        )

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(rows, columns[, samples])."""
        return self.case.shape[1:] if self.case.frames > 1 else self.case.shape

    def out(self, level: str) -> Array:
        """A warm array for the result: one for each level, so that who measures can see to it that it stays warm."""
        if level not in self._outs:
            shape = self.frame_shape if level == "codec" else self.case.shape
            self._outs[level] = np.ones(shape, "f4" if level == "rescaled" else self.case.dtype)
        return self._outs[level]


class Peer:
    """One decoder. Subclasses say what they can in `bind`, and where results differ in layout, in `values`."""

    name = ""
    """As reports call it."""
    package = ""
    """Its distribution; its version is asked of it."""
    module = ""
    """What is imported to know whether it is there."""
    license = ""
    levels: tuple[str, ...] = ()
    variants: tuple[str, ...] = ("",)
    """``"out="``: into a warm array of the caller's."""

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install {self.package}"

    def version(self) -> str | None:
        """Of the distribution; None if it is not there."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None

    def is_there(self) -> bool:
        """Whether it can be imported; it is not imported for that."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:
            return False

    def load(self) -> None:
        """Import it; raises what that raises."""
        importlib.import_module(self.module)

    def votes(self, case: Case, level: str) -> str:
        """Whose answer it is: those who share a library vote once. ``""`` if it is somebody else's."""
        return self.name

    def bind(self, level: str, opened: Opened, variant: str, threads: int) -> Call | None:
        """What decodes the case, to be called many times; None if it is not meant to be able to."""
        raise NotImplementedError

    def bind_many(self, opened: Iterable[Opened], threads: int) -> Call | None:
        """What decodes many files on so many threads and hands each array on; None if it is not meant to be able to."""
        counts: list[Callable[[], int]] = []
        for one in opened:
            call = self.bind("file", one, "", 1)
            if call is None:
                return None
            counts.append(partial(self._count, one, call))
        return _pooled(counts, threads)

    def _count(self, opened: Opened, call: Call) -> int:
        # Handed on is an array, whatever the call gives.
        return int(self.values("file", opened, call()).size)

    def values(self, level: str, opened: Opened, result: Any) -> Array:
        """The result as an array, of whatever shape."""
        return np.asarray(result)

    def answer(self, level: str, opened: Opened, result: Any) -> Array:
        """The result in the shape and the type that those of others have as well."""
        shape = opened.frame_shape if level == "codec" else opened.case.shape
        dtype = "<f4" if level == "rescaled" else opened.case.dtype
        return normal(self.values(level, opened, result), shape, dtype)


def library(case: Case, name: str) -> str:
    """Who decodes the case for most: `name`, but for syntaxes with one free library, which nearly all build on."""
    if case.transfer_syntax in JPEG_2000:
        return "OpenJPEG"
    return "CharLS" if case.transfer_syntax in JPEG_LS else name


def is_ybr(case: Case) -> bool:
    """Whether `pixel_array` converts it to RGB: others give the samples as they are stored."""
    return case.photometric_interpretation in ("YBR_FULL", "YBR_FULL_422")


def _pooled(counts: list[Callable[[], int]], threads: int) -> Call:
    """All of `counts` on a pool of so many threads; what is called returns their sum."""

    def every() -> int:
        if threads == 1:
            return sum(count() for count in counts)
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(lambda count: count(), counts))

    return every


def planes_last(values: Array, opened: Opened) -> Array:
    """(rows, columns[, samples]) of one sample plane after the other."""
    samples, *rest = opened.case.samples_per_pixel, *opened.frame_shape[:2]
    return np.moveaxis(values.reshape(samples, *rest), 0, -1).reshape(opened.frame_shape)
