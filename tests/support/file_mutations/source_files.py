"""The files to mutate, by name, and the number of cases of each."""

from __future__ import annotations

import math
import random
import warnings
from functools import cache
from pathlib import Path

import dicoxide
from support.file_mutations import mutators, synthetic_files
from support.file_mutations.case import Mutant
from support.file_mutations.file_layout import Layout, layout_of
from support.real_images import PYDICOM_FILES, SHARED, pydicom_files, shared_files

VECTORS = Path(__file__).parents[2] / "vectors"

# A case of a large file takes as long as hundreds of small ones.
_MAX_BYTES = 4 << 20
_LARGE_BYTES = 300_000
_DONOR_BYTES = 40_000


@cache
def files(*, shared: bool = True) -> dict[str, Path]:
    """Return files by name, which starts with their origin. Only the shared ones are not always available."""
    paths = {f"pydicom/{path.relative_to(PYDICOM_FILES).as_posix()}": path for path in pydicom_files()}
    paths |= {f"vectors/{path.name}": path for path in sorted(VECTORS.glob("*.dcm"))}
    paths |= {f"synthetic/{path.stem}": path for path in sorted(synthetic_files.folder().iterdir())}
    if shared:
        paths |= {f"shared/{path.relative_to(SHARED).as_posix()}": path for path in shared_files()}
    return {name: path for name, path in paths.items() if path.stat().st_size <= _MAX_BYTES}


@cache
def layout(name: str) -> Layout:
    """Return the layout of the file `name`."""
    return layout_of(files()[name].read_bytes())


@cache
def donors() -> tuple[str, ...]:
    """Return the names of small images that mutators take bytes from; equal on every machine."""
    return tuple(
        name
        for name, path in files(shared=False).items()
        if path.stat().st_size <= _DONOR_BYTES and layout(name).pixels is not None
    )


def mutant(name: str, number: int) -> Mutant:
    """Return case `number` of the file `name`, reproducibly."""
    rng = random.Random(f"{name}:{number}")
    donor = layout(rng.choice(donors()))
    return mutators.mutant(layout(name), donor, rng, number)


@cache
def needs_fallback(name: str) -> bool:
    """True if a fallback decoder decodes the file: dicoxide itself finds its codestreams unsupported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dicoxide.decode(files()[name], fallback=False)
    except dicoxide.UnsupportedError:
        return True
    except (ValueError, OSError):
        pass
    return False


def weight(name: str) -> float:
    """Return the relative number of cases of a file; 1 for a small image that dicoxide itself decodes."""
    size = len(layout(name).data)
    kind_weight = 0.2 if layout(name).pixels is None or needs_fallback(name) else 1.0
    if size > _LARGE_BYTES:
        return kind_weight * 0.02 * _LARGE_BYTES / size
    return kind_weight / (1 + size / 20_000)


def shares(names: list[str], cases: int) -> dict[str, int]:
    """Distributes at least `cases` over the files by weight; every file gets at least one."""
    weights = {name: weight(name) for name in names}
    total = sum(weights.values())
    return {name: max(1, math.ceil(cases * share / total)) for name, share in weights.items()}
