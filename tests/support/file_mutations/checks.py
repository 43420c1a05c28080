"""What is allowed of a case: exact samples or one documented exception, and the same whichever way one asks."""

from __future__ import annotations

import resource
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dicoxide
from support.file_mutations import agreement, interfaces
from support.file_mutations.agreement import same, undocumented
from support.file_mutations.interfaces import Outcome, outcome
from support.file_mutations.mutators import Mutant, Promise

# A call may take the memory of its output, and this much besides for each byte of input and in all.
_SCRATCH_PER_BYTE = 80
_SCRATCH_BYTES = 64 << 20


class Check:
    """One case, tried in every way.

    Parameters
    ----------
    mutant : Mutant
        The bytes.
    sound : Outcome
        What decoding the unchanged file gives.
    path : Path
        A file to write the bytes to.
    number : int
        The number of the case: the ways that take long are gone one in some cases.
    others : bool
        Whether other decoders are there: what they make of it is theirs, but an array as it was said, or an error.
    """

    def __init__(self, mutant: Mutant, sound: Outcome, path: Path, number: int, *, others: bool = False) -> None:
        self.mutant = mutant
        self.sound = sound
        self.path = path
        self.number = number
        self.others = others
        self.kinds: dict[str, str] = {}

    def failures(self) -> list[str]:
        """What is wrong; empty where nothing is."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(self._of_others() if self.others else self._failures())

    def _of_others(self) -> Iterator[str]:
        data, path = self.mutant.data, self.path
        path.write_bytes(data)
        limit = 1 << 26
        ways = {
            "decode": lambda: dicoxide.decode(data, max_bytes=limit),
            "a path": lambda: dicoxide.decode(path, max_bytes=limit),
            "decode_many": lambda: _only(dicoxide.decode_many([data], on_error="return", max_bytes=limit)),
            "the last frame": lambda: dicoxide.decode(data, frames=-1, max_bytes=limit),
        }
        for name, work in ways.items():
            found = outcome(work)
            self.kinds[name] = found.kind
            yield from undocumented(name, found)
            if found.array is None or name == "the last frame":
                continue
            with dicoxide.open(data) as image:
                if (image.shape, image.dtype) != (found.array.shape, found.array.dtype):
                    yield f"open says {image.dtype} {image.shape}, {name} gives {found}"

    def _failures(self) -> Iterator[str]:
        data = self.mutant.data
        before = _peak_bytes()
        direct = outcome(lambda: dicoxide.decode(data))
        taken_count = _peak_bytes() - before - (0 if direct.array is None else direct.array.nbytes)
        self.kinds["decode"] = direct.kind
        if taken_count > _SCRATCH_BYTES + _SCRATCH_PER_BYTE * len(data):
            yield f"decode took {taken_count} bytes of memory for {len(data)} bytes of input"
        yield from undocumented("decode", direct)
        yield from self._kept_promise(direct)
        yield from self._same_again(direct)
        dataset = interfaces.read(data)
        if dataset is not None:
            yield from agreement.pydicom_agrees(dataset, direct, kinds=self.kinds)

    def _kept_promise(self, direct: Outcome) -> Iterator[str]:
        if self.sound.array is None:
            # What is refused anyway may be refused for another reason.
            return
        if self.mutant.promise is Promise.UNCHANGED and not same(direct, self.sound):
            yield f"nothing of the image was changed: {direct}, {self.sound} expected"
        if self.mutant.promise is Promise.WHOLE and direct.array is not None and not same(direct, self.sound):
            yield f"a part of the file gives {direct}, {self.sound} or an error expected"

    def _same_again(self, direct: Outcome) -> Iterator[str]:
        data, path = self.mutant.data, self.path
        path.write_bytes(data)
        ways = {
            "two threads": lambda: dicoxide.decode(data, threads=2),
            "a path": lambda: dicoxide.decode(path, threads=1),
        }
        if self.number % 4 == 0:
            ways["out="] = lambda: dicoxide.decode(data, out=np.empty(direct.array.shape, direct.array.dtype))
        for name, work in ways.items():
            if name == "out=" and direct.array is None:
                continue
            again = outcome(work)
            if not same(again, direct):
                yield f"{name} gives {again}, decode {direct}"
        if self.number % 4 == 0:
            many = outcome(lambda: _only(dicoxide.decode_many([path], threads=2, on_error="return")))
            yield from undocumented("decode_many", many)
            # Of several faults it may find another first.
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
        yield from self._frames(direct)
        if self.number % 3 == 0:
            yield from agreement.header_reads(data)
            rescaled = outcome(lambda: dicoxide.decode(data, rescale=True))
            if rescaled.error is not None and type(rescaled.error) is not ValueError:
                yield from undocumented("rescale", rescaled)

    def _frames(self, direct: Outcome) -> Iterator[str]:
        """One frame alone is that of all, and so are all one by one."""
        data, array = self.mutant.data, direct.array
        if self.number % 4 == 1:
            one = outcome(lambda: dicoxide.decode(data, frames=-1))
            yield from undocumented("the last frame", one)
            if array is not None:
                with dicoxide.open(data) as image:
                    several = image.number_of_frames > 1
                    if (image.shape, image.dtype) != (array.shape, array.dtype):
                        yield f"open says {image.dtype} {image.shape}, decode gives {direct}"
                if not same(one, Outcome(array[-1] if several else array)):
                    yield f"the last frame gives {one}, decode {direct}"
        if self.number % 4 == 2:
            each = outcome(lambda: np.stack(list(dicoxide.iter_frames(data, threads=1))))
            if array is not None and (
                each.array is None
                or not np.array_equal(each.array.reshape(array.shape), array, equal_nan=array.dtype.kind == "f")
            ):
                yield f"iter_frames gives {each}, decode {direct}"
            if array is None and each.array is not None:
                yield f"iter_frames gives {each}, decode {direct}"


def sound(data: bytes) -> Outcome:
    """What decoding the unchanged file gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outcome(lambda: dicoxide.decode(data))


def _only(results: Any) -> Any:
    [(_, result)] = results
    if isinstance(result, BaseException):
        raise result
    return result


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
