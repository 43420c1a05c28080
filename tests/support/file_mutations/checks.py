"""Checks of a case: every interface returns the same exact samples, or raises the same documented exception."""

from __future__ import annotations

import io
import resource
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import dicoxide
from support.file_mutations import agreement, backends, interfaces, modality, rendering
from support.file_mutations.agreement import same, undocumented
from support.file_mutations.case import Expectation, Mutant
from support.file_mutations.file_layout import layout_of
from support.file_mutations.interfaces import Outcome, only, outcome
from support.series_completeness import incomplete

# Memory that a call may take in addition to its output: for each byte of input, and in total.
_SCRATCH_PER_BYTE = 80
_SCRATCH_BYTES = 64 << 20


def _has_invalid_element_headers(data: bytes) -> bool:
    """Return True if elements are read with a deviation, such as an invalid VR, which pydicom reads differently."""
    if not layout_of(data).is_complete:
        return True
    strict = interfaces.outcome(lambda: dicoxide.decode(data, strict=True))
    return isinstance(strict.error, dicoxide.DecodeError) and strict.error.clause in ("PS3.5 6.2", "PS3.5 7.5")


class _SeekableFile(io.BytesIO):
    """A file object that is read by position: a `BytesIO` itself is read at once."""


class Check:
    """One case, decoded through every interface.

    Parameters
    ----------
    mutant : Mutant
        Bytes of the case, and the expected outcome.
    unchanged : Outcome
        Outcome of decoding the unchanged file.
    path : Path
        File to write the bytes to.
    number : int
        Number of the case; slow interfaces are checked for some numbers only.
    fallback : bool
        True if fallback decoders are enabled. Their samples are not checked, only shape, dtype and exceptions.
    """

    def __init__(self, mutant: Mutant, unchanged: Outcome, path: Path, number: int, *, fallback: bool = False) -> None:
        self.mutant = mutant
        self.unchanged = unchanged
        self.path = path
        self.number = number
        self.fallback = fallback
        self.kinds: dict[str, str] = {}

    def failures(self) -> list[str]:
        """Return a description of each failure."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(self._fallback_failures() if self.fallback else self._failures())

    def _fallback_failures(self) -> Iterator[str]:
        data, path = self.mutant.data, self.path
        path.write_bytes(data)
        limit = 1 << 26
        calls = {
            "decode": lambda: dicoxide.decode(data, max_bytes=limit),
            "a path": lambda: dicoxide.decode(path, max_bytes=limit),
            "decode_many": lambda: only(dicoxide.decode_many([data], on_error="return", max_bytes=limit)),
            "the last frame": lambda: dicoxide.decode(data, frames=-1, max_bytes=limit),
        }
        for name, work in calls.items():
            result = outcome(work)
            self.kinds[name] = result.kind
            yield from undocumented(name, result)
            if result.array is None or name == "the last frame":
                continue
            with dicoxide.open(data) as image:
                if (image.shape, image.dtype) != (result.array.shape, result.array.dtype):
                    yield f"open says {image.dtype} {image.shape}, {name} gives {result}"

    def _failures(self) -> Iterator[str]:
        data = self.mutant.data
        before = _peak_bytes()
        direct = outcome(lambda: dicoxide.decode(data))
        scratch_bytes = _peak_bytes() - before - (0 if direct.array is None else direct.array.nbytes)
        self.kinds["decode"] = direct.kind
        if scratch_bytes > _SCRATCH_BYTES + _SCRATCH_PER_BYTE * len(data):
            yield f"decode took {scratch_bytes} bytes of memory for {len(data)} bytes of input"
        yield from undocumented("decode", direct)
        yield from self._check_expectation(direct)
        yield from self._check_interfaces(direct)
        dataset = interfaces.read(data)
        if dataset is not None:
            has_invalid_headers = _has_invalid_element_headers(data)
            yield from agreement.pydicom_agrees(dataset, None if has_invalid_headers else direct, kinds=self.kinds)
            yield from backends.backends_agree(dataset)
            if has_invalid_headers:
                dataset = None
        yield from modality.modality_values_agree(data, self.path, dataset)
        if self.number % 3 != 1:
            is_decoded = direct.array is not None
            yield from rendering.pictures_agree(data, self.path, dataset, self.number // 3, is_decoded=is_decoded)
        if self.number % 4 == 1:
            yield from self._check_series()
        if self.number % 2:
            yield from modality.modality_values_agree(data, self.path, dataset, "real_world")

    def _check_series(self) -> Iterator[str]:
        """Read the file as a series: each frame is in one volume, or reported."""
        series = outcome(lambda: dicoxide.read_series(self.path, on_error="return", max_bytes=1 << 26))
        yield from undocumented("read_series", series)
        lost = outcome(lambda: list(incomplete(self.path)))
        yield from undocumented("plan_series", lost) if lost.error is not None else lost.array

    def _check_expectation(self, direct: Outcome) -> Iterator[str]:
        if self.unchanged.array is None:
            # The unchanged file is an error; a mutant may be another error.
            return
        if self.mutant.expectation is Expectation.UNCHANGED and not same(direct, self.unchanged):
            yield f"nothing of the image was changed: {direct}, {self.unchanged} expected"
        if (
            self.mutant.expectation is Expectation.UNCHANGED_OR_ERROR
            and direct.array is not None
            and not same(direct, self.unchanged)
        ):
            yield f"a part of the file gives {direct}, {self.unchanged} or an error expected"

    def _check_interfaces(self, direct: Outcome) -> Iterator[str]:
        data, path = self.mutant.data, self.path
        path.write_bytes(data)
        calls = {
            "two threads": lambda: dicoxide.decode(data, threads=2),
            "a path": lambda: dicoxide.decode(path, threads=1),
            "a file object": lambda: dicoxide.decode(_SeekableFile(data), threads=1),
        }
        if self.number % 4 == 0:
            calls["out="] = lambda: dicoxide.decode(data, out=np.empty(direct.array.shape, direct.array.dtype))
        for name, work in calls.items():
            if name == "out=" and direct.array is None:
                continue
            again = outcome(work)
            if not same(again, direct):
                yield f"{name} gives {again}, decode {direct}"
        if self.number % 4 == 0:
            many = outcome(lambda: only(dicoxide.decode_many([path], threads=2, on_error="return")))
            yield from undocumented("decode_many", many)
            # `decode_many` may raise another of several errors.
            if not (many.array is None and direct.array is None) and not same(many, direct):
                yield f"decode_many gives {many}, decode {direct}"
        strict = outcome(lambda: dicoxide.decode(data, strict=True))
        yield from undocumented("strict", strict)
        if strict.array is not None and not same(strict, direct):
            yield f"strict gives {strict}, decode {direct}"
        view = outcome(lambda: dicoxide.decode(data, copy=False))
        if view.array is not None and not same(view, direct):
            yield f"a view gives {view}, decode {direct}"
        elif view.error is not None and not isinstance(view.error, ValueError):
            yield f"a view raises {view}"
        yield from self._check_frames(direct)
        if self.number % 3 == 0:
            yield from agreement.header_reads(data)

    def _check_frames(self, direct: Outcome) -> Iterator[str]:
        """The last frame alone, and all frames of `iter_frames`, equal those of `decode`."""
        data, array = self.mutant.data, direct.array
        if self.number % 4 == 1:
            last = outcome(lambda: dicoxide.decode(data, frames=-1))
            yield from undocumented("the last frame", last)
            if array is not None:
                with dicoxide.open(data) as image:
                    several = image.number_of_frames > 1
                    if (image.shape, image.dtype) != (array.shape, array.dtype):
                        yield f"open says {image.dtype} {image.shape}, decode gives {direct}"
                if not same(last, Outcome(array[-1] if several else array)):
                    yield f"the last frame gives {last}, decode {direct}"
        if self.number % 4 == 2:
            iterated = outcome(lambda: np.stack(list(dicoxide.iter_frames(data, threads=1))))
            if array is not None and (
                iterated.array is None
                or not np.array_equal(iterated.array.reshape(array.shape), array, equal_nan=array.dtype.kind == "f")
            ):
                yield f"iter_frames gives {iterated}, decode {direct}"
            if array is None and iterated.array is not None:
                yield f"iter_frames gives {iterated}, decode {direct}"


def decode_unchanged(data: bytes) -> Outcome:
    """Return the outcome of decoding the unchanged file, without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outcome(lambda: dicoxide.decode(data))


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
