"""Checks of rendering: every interface returns the same picture, or raises the same documented exception."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dicoxide
from support.file_mutations.agreement import same, undocumented
from support.file_mutations.interfaces import Outcome, outcome

# Options of the calls; a case uses one of them.
_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"overlays": True, "dtype": "uint16"},
    {"window": "full", "palette": False},
    {"window": ("percentile", 5, 95), "dtype": "float32"},
    {"window": (40, 400), "function": "SIGMOID", "overlays": True},
    {"window": 1, "invert": True, "icc": True},
    {"window": "B", "voi_lut": False, "max_size": 3},
)


def pictures_agree(data: bytes, path: Path, dataset: Any, number: int, *, is_decoded: bool) -> Iterator[str]:
    """Render through every interface.

    Parameters
    ----------
    data : bytes
        Bytes of the file.
    path : Path
        File with these bytes.
    dataset : Dataset or None
        Data set that pydicom reads equally from the bytes, if any.
    number : int
        Number of the case, which selects the options.
    is_decoded : bool
        True if `decode` returns an array.
    """
    options = _OPTIONS[number % len(_OPTIONS)]
    # Limits what palettes of three samples and float32 need.
    limits = {"max_bytes": 1 << 28}
    direct = outcome(lambda: dicoxide.render(data, **options, **limits))
    yield from _undocumented(f"render {options}", direct)
    if direct.array is not None and not is_decoded:
        yield f"render {options} gives {direct}, decode raises"
    again = outcome(lambda: dicoxide.render(path, **options, **limits, threads=2))
    if not same(again, direct):
        yield f"render {options} of a path gives {again}, of bytes {direct}"
    strict = outcome(lambda: dicoxide.render(data, **options, **limits, strict=True))
    yield from _undocumented(f"strict render {options}", strict)
    if strict.array is not None and not same(strict, direct):
        yield f"strict render {options} gives {strict}, render {direct}"
    iterated = outcome(lambda: np.stack(list(dicoxide.iter_rendered(data, **options, threads=1))))
    yield from _undocumented(f"iter_rendered {options}", iterated)
    if direct.array is not None and (
        iterated.array is None or not np.array_equal(iterated.array.reshape(direct.array.shape), direct.array)
    ):
        yield f"iter_rendered {options} gives {iterated}, render {direct}"
    if dataset is not None:
        of_dataset = outcome(lambda: dicoxide.render(dataset, **options, **limits))
        yield from _undocumented(f"render {options} of a Dataset", of_dataset)
        # pydicom reads items with deviations differently.
        if of_dataset.array is not None and strict.array is not None and not same(of_dataset, direct):
            yield f"render {options} of a Dataset gives {of_dataset}, of bytes {direct}"


def _undocumented(name: str, result: Outcome) -> Iterator[str]:
    # ValueError: the window that was asked for does not exist.
    if type(result.error) is not ValueError:
        yield from undocumented(name, result)
