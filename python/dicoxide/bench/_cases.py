"""Images to compare decoders on: files of the user, or images that pydicom ships and generated ones."""

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
from dicoxide._transfer_syntaxes import NATIVE
from dicoxide.bench import _images
from dicoxide.bulk.series import CandidateFile, FileFinder
from dicoxide.errors import DecodeError, UnsupportedError

__all__ = ["LOSSY", "Case", "built_in_cases", "cases_from_paths", "generated_cases", "sampling_order"]

# Transfer syntaxes whose decoders may differ by rounding (PS3.5 8.2).
LOSSY = frozenset(
    f"1.2.840.10008.1.2.4.{suffix}" for suffix in ("50", "51", "81", "91", "93", "112", "203", "205", "206", "111")
)
_TYPICAL_BYTES = 512 << 10
# Larger images are skipped, because several decoders hold one at the same time.
_MAX_DECODED_BYTES = 512 << 20
# Functions that return (frames, rows, columns[, samples]), with Bits Stored.
_GENERATED: dict[str, tuple[Callable[[], Array], int]] = {
    "ct-512": (lambda: _images.ct(1), 12),
    "ct-512x32": (lambda: _images.ct(32), 12),
    "mr-256": (lambda: _images.mr()[None], 12),
    "nm-64x200": (lambda: _images.nm(200), 12),
    "ct-64": (lambda: _images.ct(1, 64, 64), 12),
    "cr-2140x1760": (lambda: _images.cr()[None], 10),
    "mg-4084x3328": (lambda: _images.mg()[None], 12),
    "us-rgb-480x640": (lambda: _images.us_rgb()[None], 8),
}
# Images in formats that take long.
_PEER_IMAGES = frozenset({"ct-512", "mr-256", "cr-2140x1760", "us-rgb-480x640"})


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
    # NumPy type of the stored values.
    dtype: str
    decoded_bytes: int
    file_bytes: int
    # Path of a NumPy file with the correct samples, if they are known.
    reference: str | None = None
    # Difference of modality values for a difference of 1 of stored values: the largest slope of all frames.
    slope: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """([frames,] rows, columns[, samples]), as `dicoxide.decode` returns it."""
        leading = (self.frames,) if self.frames > 1 else ()
        trailing = (self.samples_per_pixel,) if self.samples_per_pixel > 1 else ()
        return (*leading, self.rows, self.columns, *trailing)

    @property
    def is_lossy(self) -> bool:
        """True if decoders may differ by rounding."""
        return self.transfer_syntax in LOSSY

    @property
    def is_native(self) -> bool:
        """True if samples are not encapsulated (PS3.5 A.4)."""
        return self.transfer_syntax in NATIVE

    @property
    def is_rescalable(self) -> bool:
        """True if the Modality LUT applies (PS3.3 C.11.1). Palette images are excluded: some decoders return RGB."""
        return self.photometric_interpretation in ("MONOCHROME1", "MONOCHROME2")

    @property
    def kind(self) -> tuple[Any, ...]:
        """The properties that determine speed; cases with the same kind can represent each other."""
        size = round(math.log(max(1, self.decoded_bytes / self.frames), 4))
        return self.keyword, size, self.samples_per_pixel, self.bits_allocated, self.frames > 1


def cases_from_paths(paths: Sequence[str]) -> tuple[list[Case], int]:
    """Return a case for each image in `paths`, and the number of files that are not images or too large."""
    cases, skipped_count = [], 0
    name_counts: dict[str, int] = {}
    for entry in FileFinder(paths):
        case = _case_from_file(entry.path, "file") if isinstance(entry, CandidateFile) else None
        if case is None:
            skipped_count += 1
            continue
        number = name_counts[case.name] = name_counts.get(case.name, 0) + 1
        cases.append(case if number == 1 else case._replace(name=f"{case.name} ({number})"))
    return cases, skipped_count


def built_in_cases(folder: str) -> list[Case]:
    """Return the images that pydicom ships and generated ones, which are written to `folder`."""
    import pydicom

    test_files = Path(pydicom.__file__).parent / "data" / "test_files"
    shipped = [_case_from_file(str(path), "pydicom") for path in sorted(test_files.glob("*.dcm"))]
    return [*generated_cases(folder), *(case for case in shipped if case is not None)]


def generated_cases(folder: str, names: Iterable[str] = tuple(_GENERATED)) -> Iterator[Case]:
    """Write images of several sizes and kinds to `folder`, in each transfer syntax that can be encoded."""
    for name in names:
        generate, bits_stored = _GENERATED[name]
        frames = generate()
        reference = os.path.join(folder, f"{name}.npy")
        np.save(reference, frames[0] if len(frames) == 1 else frames)
        others = _images.PEER_SYNTAXES if name in _PEER_IMAGES else ()
        for syntax in (*_images.SYNTAXES, *others):
            path = os.path.join(folder, f"{name}-{syntax}.dcm")
            try:
                _images.write_file(path, frames, bits_stored, syntax)
            except UnsupportedError:
                # The encoder is not installed: dicoxide's extension, imagecodecs or PyAV.
                continue
            case = _case_from_file(path, "generated")
            if case is not None:
                known = None if _images.is_lossy(syntax) else reference
                yield case._replace(name=f"{name}-{syntax}", reference=known)


def sampling_order(cases: Iterable[Case]) -> list[Case]:
    """Sort cases so that every prefix of the list has the most kinds possible, evenly distributed."""
    cases_by_kind: dict[tuple[Any, ...], list[Case]] = {}
    for case in cases:
        cases_by_kind.setdefault(case.kind, []).append(case)
    kinds = sorted(cases_by_kind.values(), key=_weight, reverse=True)
    kinds_by_syntax: dict[str, list[list[Case]]] = {}
    for kind in kinds:
        kinds_by_syntax.setdefault(kind[0].keyword, []).append(kind)
    # One kind of each syntax after the other, then one case of each kind after the other.
    interleaved_kinds = [
        kind for round_ in itertools.zip_longest(*kinds_by_syntax.values()) for kind in round_ if kind is not None
    ]
    return [case for round_ in itertools.zip_longest(*interleaved_kinds) for case in round_ if case is not None]


def _weight(kind: Sequence[Case]) -> float:
    """Return the importance of a kind: high for many cases, low for sizes far from the typical one."""
    return math.log2(len(kind)) - abs(math.log2(kind[0].decoded_bytes / _TYPICAL_BYTES))


def _case_from_file(path: str, origin: str) -> Case | None:
    """Return a case; None if the file has no image that can be compared."""
    try:
        return _case_from_source(path, origin, open_source(path))
    except (DecodeError, OSError):
        return None


def _case_from_source(path: str, origin: str, source: Source) -> Case | None:
    spec = source.spec
    frames = source.number_of_frames or 1
    dtype = spec.dtype
    decoded_bytes = frames * math.prod(spec.shape) * dtype.itemsize
    if not 0 < decoded_bytes <= _MAX_DECODED_BYTES:
        return None
    capability = capabilities().get(spec.transfer_syntax)
    return Case(
        name=os.path.basename(path),
        origin=origin,
        path=path,
        transfer_syntax=spec.transfer_syntax,
        keyword=capability.keyword if capability else spec.transfer_syntax,
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
        slope=_max_slope(source, frames),
    )


def _max_slope(source: Source, frames: int) -> float:
    """Return the largest absolute slope of the frames, or 1 if they have none that can be used."""
    try:
        return max((abs(slope) for slope, _ in source.rescales(range(frames))), default=1.0)
    except (DecodeError, ValueError):
        return 1.0
