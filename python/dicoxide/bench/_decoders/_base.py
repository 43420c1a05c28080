"""Base class of the decoders that are compared, and the data of a case that they read."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from importlib import metadata
from typing import Any

import numpy as np

from dicoxide import _transfer_syntaxes
from dicoxide._arguments import Array
from dicoxide._frame import FrameSpec
from dicoxide.bench._array_comparison import normalise
from dicoxide.bench._cases import Case

__all__ = [
    "DEFLATED_FRAMES",
    "DICOXIDE",
    "HTJ2K",
    "JPEG",
    "JPEG_2000",
    "JPEG_LOSSLESS",
    "JPEG_LS",
    "JPEG_XL",
    "LEVELS",
    "RLE",
    "Call",
    "Decoder",
    "LoadedCase",
    "interleave_planes",
    "is_ybr",
    "shared_library",
]

# Name of the decoder that the others are compared with.
DICOXIDE = "dicoxide"

# Inputs and outputs that are timed: the bytes of one frame to an array, a Dataset in memory to an array, a path to an
# array, a path to modality values in float32, and many paths to arrays.
LEVELS = ("codec", "pixel_array", "file", "rescaled", "bulk")

RLE = _transfer_syntaxes.RLE_LOSSLESS
DEFLATED_FRAMES = _transfer_syntaxes.DEFLATED_IMAGE_FRAME
JPEG = frozenset({_transfer_syntaxes.JPEG_BASELINE, _transfer_syntaxes.JPEG_EXTENDED})
JPEG_LOSSLESS = frozenset({_transfer_syntaxes.JPEG_LOSSLESS, _transfer_syntaxes.JPEG_LOSSLESS_SV1})
JPEG_LS = frozenset({_transfer_syntaxes.JPEG_LS_LOSSLESS, _transfer_syntaxes.JPEG_LS_NEAR_LOSSLESS})
JPEG_2000 = frozenset({_transfer_syntaxes.JPEG_2000_LOSSLESS, _transfer_syntaxes.JPEG_2000})
HTJ2K = frozenset({_transfer_syntaxes.HTJ2K_LOSSLESS, _transfer_syntaxes.HTJ2K_LOSSLESS_RPCL, _transfer_syntaxes.HTJ2K})
JPEG_XL = frozenset(
    {
        _transfer_syntaxes.JPEG_XL_LOSSLESS,
        _transfer_syntaxes.JPEG_XL_JPEG_RECOMPRESSION,
        _transfer_syntaxes.JPEG_XL,
    }
)

Call = Callable[[], Any]


class LoadedCase:
    """A case with the inputs that decoders take, each read at first access."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._out_arrays: dict[str, Array] = {}

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
            bit_count = self.case.rows * self.case.columns * self.case.samples_per_pixel * self.case.bits_allocated
            return bytes(value[: (bit_count + 7) // 8])
        return bytes(next(iter(generate_frames(value, number_of_frames=self.case.frames))))

    @cached_property
    def spec(self) -> FrameSpec:
        """The attributes of a frame."""
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

    @cached_property
    def has_dose_grid_scaling(self) -> bool:
        """True if modality values need Dose Grid Scaling (PS3.3 C.8.8.3), which other decoders leave to the caller."""
        import pydicom

        header = pydicom.dcmread(self.case.path, stop_before_pixels=True, force=True, specific_tags=["DoseGridScaling"])
        return "DoseGridScaling" in header

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """(rows, columns[, samples])."""
        return self.case.shape[1:] if self.case.frames > 1 else self.case.shape

    def out(self, level: str) -> Array:
        """Return an array for the result whose pages are mapped; the same one at every call for a level."""
        if level not in self._out_arrays:
            shape = self.frame_shape if level == "codec" else self.case.shape
            self._out_arrays[level] = np.ones(shape, "f4" if level == "rescaled" else self.case.dtype)
        return self._out_arrays[level]


class Decoder:
    """One decoder. Subclasses implement `bind`, and override `to_array` if results have another layout."""

    name = ""
    """Name in reports."""
    package = ""
    """Name of the distribution."""
    module = ""
    """Name of the module to import."""
    license = ""
    levels: tuple[str, ...] = ()
    variants: tuple[str, ...] = ("",)
    """``"out="``: decodes into an array of the caller."""

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"pip install {self.package}"

    def version(self) -> str | None:
        """Return the version of the distribution; None if it is not installed."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None

    def is_installed(self) -> bool:
        """True if the module can be found. Does not import it."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:
            return False

    def load(self) -> None:
        """Import the module; errors of the import are not caught."""
        importlib.import_module(self.module)

    def implementation(self, case: Case, level: str) -> str:
        """Return the name of the library that decodes the case; ``""`` if the decoder delegates to an unknown one.

        Decoders that share an implementation have one vote on which result is correct.
        """
        return self.name

    def bind(self, level: str, loaded: LoadedCase, variant: str, threads: int) -> Call | None:
        """Return a function that decodes the case and can be called repeatedly; None if the case is not supported."""
        raise NotImplementedError

    def bind_many(self, loaded_cases: Iterable[LoadedCase], threads: int) -> Call | None:
        """Return a function that decodes many files on `threads` threads; None if a case is not supported.

        The function makes an array of each result and returns the number of samples.
        """
        sample_counters: list[Callable[[], int]] = []
        for loaded in loaded_cases:
            call = self.bind("file", loaded, "", 1)
            if call is None:
                return None
            sample_counters.append(partial(self._sample_count, loaded, call))
        return _threaded_sum(sample_counters, threads)

    def _sample_count(self, loaded: LoadedCase, call: Call) -> int:
        return int(self.to_array("file", loaded, call()).size)

    def to_array(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        """Return the result of a call as an array of any shape."""
        return np.asarray(result)

    def normalised(self, level: str, loaded: LoadedCase, result: Any) -> Array:
        """Return the result of a call in the shape and type that results of all decoders are compared in."""
        shape = loaded.frame_shape if level == "codec" else loaded.case.shape
        dtype = "<f4" if level == "rescaled" else loaded.case.dtype
        return normalise(self.to_array(level, loaded, result), shape, dtype)


def shared_library(case: Case, name: str) -> str:
    """Return the library that most packages use for the transfer syntax of the case, or `name` if there is none."""
    if case.transfer_syntax in JPEG_2000 | HTJ2K:
        return "OpenJPEG"
    return "CharLS" if case.transfer_syntax in JPEG_LS else name


def is_ybr(case: Case) -> bool:
    """True if `pixel_array` converts the case to RGB; decoders that return stored samples then differ."""
    return case.photometric_interpretation in ("YBR_FULL", "YBR_FULL_422")


def _threaded_sum(functions: list[Callable[[], int]], threads: int) -> Call:
    """Return a function that calls all `functions` on `threads` threads and returns the sum of their results."""

    def total() -> int:
        if threads == 1:
            return sum(function() for function in functions)
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(lambda function: function(), functions))

    return total


def interleave_planes(values: Array, loaded: LoadedCase) -> Array:
    """Return a frame of consecutive sample planes as (rows, columns[, samples])."""
    rows, columns = loaded.frame_shape[:2]
    planes = values.reshape(loaded.case.samples_per_pixel, rows, columns)
    return np.moveaxis(planes, 0, -1).reshape(loaded.frame_shape)
