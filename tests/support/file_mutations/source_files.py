"""The files that are mutated, by name, and how often each."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import dicoxide
from support.file_mutations import mutators
from support.file_mutations.file_layout import Layout, layout_of
from support.file_mutations.mutators import Mutant
from support.real_images import PYDICOM_FILES, SHARED, pydicom_files, shared_files

VECTORS = Path(__file__).parents[2] / "vectors"

# One large file takes the time of hundreds of small ones.
_MOST_BYTES = 4 << 20
_LARGE_BYTES = 300_000
_DONOR_BYTES = 40_000


@cache
def files(*, shared: bool = True) -> dict[str, Path]:
    """Files by name, which says where they come from: pydicom's and the vectors are always there."""
    found = {f"pydicom/{path.relative_to(PYDICOM_FILES).as_posix()}": path for path in pydicom_files()}
    found |= {f"vectors/{path.name}": path for path in sorted(VECTORS.glob("*.dcm"))}
    if shared:
        found |= {f"shared/{path.relative_to(SHARED).as_posix()}": path for path in shared_files()}
    return {name: path for name, path in found.items() if path.stat().st_size <= _MOST_BYTES}


@cache
def layout(name: str) -> Layout:
    """The layout of the file of that name."""
    return layout_of(files()[name].read_bytes())


@cache
def donors() -> tuple[str, ...]:
    """Small images from which others get pieces; the same wherever a case is repeated."""
    return tuple(
        name
        for name, path in files(shared=False).items()
        if path.stat().st_size <= _DONOR_BYTES and layout(name).pixels is not None
    )


def mutant(name: str, number: int) -> Mutant:
    """Case `number` of the file of that name: the same bytes always."""
    rng = random.Random(f"{name}:{number}")
    donor = layout(rng.choice(donors()))
    return mutators.mutant(layout(name), donor, rng, number)


def is_of_others(name: str) -> bool:
    """Whether other decoders take a file."""
    capability = dicoxide.capabilities().get(layout(name).transfer_syntax)
    return capability is not None and capability.decoder != "dicoxide"


def weight(name: str) -> float:
    """How often a file is mutated, against a small image of a syntax that is decoded here."""
    size = len(layout(name).data)
    by_kind = 0.2 if layout(name).pixels is None or is_of_others(name) else 1.0
    if size > _LARGE_BYTES:
        return by_kind * 0.02 * _LARGE_BYTES / size
    return by_kind / (1 + size / 20_000)


def shares(names: list[str], cases: int) -> dict[str, int]:
    """How many of `cases` each file gets; one at least, where there are as many."""
    weights = {name: weight(name) for name in names}
    whole = sum(weights.values())
    return {name: max(1, round(cases * part / whole)) for name, part in weights.items()}
