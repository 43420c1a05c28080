"""What is measured: files of the user; or images that pydicom ships, and generated ones."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dicoxide._arguments import Array
from dicoxide._capabilities import capabilities
from dicoxide._sources import Source, open_source
from dicoxide.bench import _images
from dicoxide.bulk.series import CandidateFile, FileFinder
from dicoxide.errors import DecodeError, UnsupportedError

__all__ = ["LOSSY", "Case", "built_in", "generated", "mixed", "of_paths"]

# Decoders of these may differ by rounding (PS3.5 8.2).
LOSSY = frozenset(
    f"1.2.840.10008.1.2.4.{tail}" for tail in ("50", "51", "81", "91", "93", "112", "203", "205", "206", "111")
)
_TYPICAL_BYTES = 512 << 10
# (frames, rows, columns[, samples]), and Bits Stored.
_MADE: dict[str, tuple[Callable[[], Array], int]] = {
    "ct-512": (lambda: _images.ct(1), 12),
    "ct-512x32": (lambda: _images.ct(32), 12),
    "mr-256": (lambda: _images.mr()[None], 12),
    "nm-64x200": (lambda: _images.nm(200), 12),
    "ct-64": (lambda: _images.ct(1, 64, 64), 12),
    "cr-2140x1760": (lambda: _images.cr()[None], 10),
    "mg-4084x3328": (lambda: _images.mg()[None], 12),
    "us-rgb-480x640": (lambda: _images.us_rgb()[None], 8),
}
# A larger file is not held in memory several times.
_MOST_BYTES = 512 << 20


class Case(NamedTuple):
    """One file with an image."""

    name: str
    # ``"file"``, ``"pydicom"`` or ``"generated"``.
    origin: str
    path: str
    transfer_syntax: str
    keyword: str
    photometric_interpretation: str
    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    frames: int
    # Of the stored values.
    dtype: str
    decoded_bytes: int
    file_bytes: int
    # Where the samples are known, the file of NumPy that has them.
    truth: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """([frames,] rows, columns[, samples]), as `dicoxide.decode` gives it."""
        leading = (self.frames,) if self.frames > 1 else ()
        trailing = (self.samples_per_pixel,) if self.samples_per_pixel > 1 else ()
        return (*leading, self.rows, self.columns, *trailing)

    @property
    def is_lossy(self) -> bool:
        """Whether decoders may differ by rounding."""
        return self.transfer_syntax in LOSSY

    @property
    def is_native(self) -> bool:
        """Whether samples are stored as they are (PS3.5 A.4)."""
        return self.transfer_syntax in ("1.2.840.10008.1.2", *(f"1.2.840.10008.1.2.{t}" for t in ("1", "1.99", "2")))

    @property
    def is_rescalable(self) -> bool:
        """Whether the Modality LUT is defined for it: of an index to a palette, some give the colour (PS3.3 C.11.1)."""
        return self.photometric_interpretation in ("MONOCHROME1", "MONOCHROME2")

    @property
    def kind(self) -> tuple[Any, ...]:
        """What decides how fast it is: cases of a kind stand for each other."""
        size = round(math.log(max(1, self.decoded_bytes / self.frames), 4))
        return self.keyword, size, self.samples_per_pixel, self.bits_allocated, self.frames > 1


def of_paths(paths: Sequence[str]) -> tuple[list[Case], int]:
    """A case for each image below `paths`, and how many files there are that are none."""
    cases, others = [], 0
    names: dict[str, int] = {}
    for found in FileFinder(paths):
        case = _of_file(found.path, "file") if isinstance(found, CandidateFile) else None
        if case is None:
            others += 1
            continue
        number = names[case.name] = names.get(case.name, 0) + 1
        cases.append(case if number == 1 else case._replace(name=f"{case.name} ({number})"))
    return cases, others


def built_in(folder: str) -> list[Case]:
    """Images that pydicom ships, and generated ones, which are written to `folder`."""
    import pydicom

    shipped = Path(pydicom.__file__).parent / "data" / "test_files"
    found = [_of_file(str(path), "pydicom") for path in sorted(shipped.glob("*.dcm"))]
    return [*generated(folder), *(case for case in found if case is not None)]


def generated(folder: str, names: Iterable[str] = tuple(_MADE)) -> Iterator[Case]:
    """Frames of several sizes and kinds, native, RLE and JPEG Lossless: their samples are known."""
    for name in names:
        make, bits = _MADE[name]
        frames = make()
        truth = os.path.join(folder, f"{name}.npy")
        np.save(truth, frames[0] if len(frames) == 1 else frames)
        for syntax in ("native", "rle", "jpeg-lossless"):
            path = os.path.join(folder, f"{name}-{syntax}.dcm")
            try:
                _images.write(path, frames, bits, syntax)
            except UnsupportedError:
                # Without the extension, nothing encodes JPEG Lossless.
                continue
            case = _of_file(path, "generated")
            if case is not None:
                yield case._replace(name=f"{name}-{syntax}", truth=truth)


def mixed(cases: Iterable[Case]) -> list[Case]:
    """`cases` in such an order that however few of the first are taken, there are many kinds, and as many of each."""
    kinds: dict[tuple[Any, ...], list[Case]] = {}
    for case in cases:
        kinds.setdefault(case.kind, []).append(case)
    order = sorted(kinds.values(), key=_weight, reverse=True)
    syntaxes: dict[str, list[list[Case]]] = {}
    for some in order:
        syntaxes.setdefault(some[0].keyword, []).append(some)
    # A kind of each syntax in turn, then an image of each kind in turn.
    turns = [some for turn in itertools.zip_longest(*syntaxes.values()) for some in turn if some is not None]
    return [case for turn in itertools.zip_longest(*turns) for case in turn if case is not None]


def _weight(kind: Sequence[Case]) -> float:
    """How much a kind tells: twice as many images are worth as much as being half as far from the typical size."""
    return math.log2(len(kind)) - abs(math.log2(kind[0].decoded_bytes / _TYPICAL_BYTES))


def _of_file(path: str, origin: str) -> Case | None:
    try:
        source = open_source(path)
        return _of_source(path, origin, source)
    except (DecodeError, OSError):
        return None


def _of_source(path: str, origin: str, source: Source) -> Case | None:
    spec = source.spec
    frames = source.number_of_frames or 1
    dtype = spec.dtype
    decoded_bytes = frames * math.prod(spec.shape) * dtype.itemsize
    if not 0 < decoded_bytes <= _MOST_BYTES:
        return None
    known = capabilities().get(spec.transfer_syntax)
    return Case(
        name=os.path.basename(path),
        origin=origin,
        path=path,
        transfer_syntax=spec.transfer_syntax,
        keyword=known.keyword if known else spec.transfer_syntax,
        photometric_interpretation=spec.photometric_interpretation,
        rows=spec.rows,
        columns=spec.columns,
        samples_per_pixel=spec.samples_per_pixel,
        bits_allocated=spec.bits_allocated,
        bits_stored=spec.bits_stored or spec.bits_allocated,
        pixel_representation=spec.pixel_representation,
        frames=frames,
        dtype=dtype.str,
        decoded_bytes=decoded_bytes,
        file_bytes=os.stat(path).st_size,
    )
