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
from mutations import _ways
from mutations._mutate import Mutant, Promise
from mutations._ways import Outcome, outcome

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
    """

    def __init__(self, mutant: Mutant, sound: Outcome, path: Path, number: int) -> None:
        self.mutant = mutant
        self.sound = sound
        self.path = path
        self.number = number
        self.kinds: dict[str, str] = {}

    def failures(self) -> list[str]:
        """What is wrong; empty where nothing is."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(self._failures())

    def _failures(self) -> Iterator[str]:
        data = self.mutant.data
        before = _peak_bytes()
        direct = outcome(lambda: dicoxide.decode(data))
        taken = _peak_bytes() - before - (0 if direct.array is None else direct.array.nbytes)
        self.kinds["decode"] = direct.kind
        if taken > _SCRATCH_BYTES + _SCRATCH_PER_BYTE * len(data):
            yield f"decode took {taken} bytes of memory for {len(data)} bytes of input"
        yield from _undocumented("decode", direct)
        yield from self._kept_promise(direct)
        yield from self._same_again(direct)
        dataset = _ways.read(data)
        if dataset is not None:
            yield from self._pydicom(direct, dataset)

    def _kept_promise(self, direct: Outcome) -> Iterator[str]:
        if self.mutant.promise is Promise.UNCHANGED and not _same(direct, self.sound):
            yield f"nothing of the image was changed: {direct}, {self.sound} expected"
        if self.mutant.promise is Promise.WHOLE and direct.array is not None and not _same(direct, self.sound):
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
            if not _same(again, direct):
                yield f"{name} gives {again}, decode {direct}"
        if self.number % 4 == 0:
            many = outcome(lambda: _only(dicoxide.decode_many([path], threads=2, on_error="return")))
            yield from _undocumented("decode_many", many)
            # Of several faults it may find another first.
            if not (many.array is None and direct.array is None) and not _same(many, direct):
                yield f"decode_many gives {many}, decode {direct}"
        strict = outcome(lambda: dicoxide.decode(data, strict=True))
        yield from _undocumented("strict", strict)
        if strict.array is not None and not _same(strict, direct):
            yield f"strict gives {strict}, decode {direct}"
        view = outcome(lambda: dicoxide.decode(data, copy=False))
        if view.array is not None and not _same(view, direct):
            yield f"a view gives {view}, decode {direct}"
        elif view.error is not None and not isinstance(view.error, ValueError):
            yield f"a view raises {view}"
        yield from self._frames(direct)
        if self.number % 3 == 0:
            yield from self._attributes()

    def _frames(self, direct: Outcome) -> Iterator[str]:
        """One frame alone is that of all, and so are all one by one."""
        data, array = self.mutant.data, direct.array
        if self.number % 4 == 1:
            one = outcome(lambda: dicoxide.decode(data, frames=-1))
            yield from _undocumented("the last frame", one)
            if array is not None:
                with dicoxide.open(data) as image:
                    several = image.number_of_frames > 1
                    if (image.shape, image.dtype) != (array.shape, array.dtype):
                        yield f"open says {image.dtype} {image.shape}, decode gives {direct}"
                if not _same(one, Outcome(array[-1] if several else array)):
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

    def _attributes(self) -> Iterator[str]:
        """What is read besides pixels, and rescale."""
        data = self.mutant.data
        opened = outcome(lambda: dicoxide.open(data))
        yield from _undocumented("open", opened)
        if opened.error is None:
            for keyword in outcome(lambda: list(opened.array.attributes)).array or ():
                yield from _undocumented(keyword, outcome(lambda keyword=keyword: opened.array.attributes[keyword]))
        rescaled = outcome(lambda: dicoxide.decode(data, rescale=True))
        if rescaled.error is not None and type(rescaled.error) is not ValueError:
            yield from _undocumented("rescale", rescaled)

    def _pydicom(self, direct: Outcome, dataset: Any) -> Iterator[str]:
        of_dataset = outcome(lambda: dicoxide.decode(dataset))
        self.kinds["dataset"] = of_dataset.kind
        yield from _undocumented("decode of a Dataset", of_dataset)
        if of_dataset.array is not None:
            yield from _misfits(of_dataset.array, dataset)
            if direct.array is not None and not _same(of_dataset, direct):
                yield f"a Dataset gives {of_dataset}, decode {direct}"
        # pydicom takes the colour of a JPEG from its component identifiers and markers, we from the header alone.
        is_raw = bool(outcome(lambda: dataset.get("SamplesPerPixel") == 3).array)
        plugin = _ways.by_plugin(dataset, raw=is_raw)
        self.kinds["plugin"] = plugin.kind
        yield from _refused("plugin", plugin)
        raw = outcome(lambda: dicoxide.decode(dataset, raw=True))
        ours = raw.array if is_raw else of_dataset.array
        if ours is not None and plugin.array is not None and _comparable(dataset, ours):
            yield from self._as_pydicom("plugin", plugin.array, ours, dataset)
        handler = _ways.by_handler(dataset)
        self.kinds["handler"] = handler.kind
        yield from _refused("handler", handler)
        if raw.array is not None and handler.array is not None:
            yield from self._as_pydicom("handler", handler.array, raw.array, dataset)

    def _as_pydicom(self, name: str, found: Any, ours: Any, dataset: Any) -> Iterator[str]:
        # More frames than Number of Frames are not given by all.
        count = int(dataset.get("NumberOfFrames") or 1)
        if found.shape != ours.shape and ours.ndim > 2 + (dataset.SamplesPerPixel > 1) and len(ours) > count:
            ours = ours[0] if count == 1 else ours[:count]
        if not (
            found.shape == ours.shape
            and found.dtype.newbyteorder("=") == ours.dtype
            and np.array_equal(found, ours, equal_nan=ours.dtype.kind == "f")
        ):
            yield f"{name} gives {Outcome(found)}, decode {Outcome(ours)}, or other values"


def sound(data: bytes) -> Outcome:
    """What decoding the unchanged file gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outcome(lambda: dicoxide.decode(data))


def _undocumented(name: str, found: Outcome) -> Iterator[str]:
    if found.error is not None and not _ways.is_documented(found.error):
        yield f"{name} raises {found}"


def _refused(name: str, found: Outcome) -> Iterator[str]:
    """pydicom may raise what it likes; what came through our code has to be documented."""
    for error in [found.error, *found.also]:
        if error is None:
            continue
        is_panic = not isinstance(error, Exception)
        if is_panic or (_ways.is_ours(error) and not _ways.is_documented(error)):
            yield f"{name} raises {Outcome(error=error)}"


def _same(one: Outcome, other: Outcome) -> bool:
    """Same array, or the same exception with the same words."""
    if one.array is None or other.array is None:
        return type(one.error) is type(other.error) and str(one.error) == str(other.error)
    return (
        one.array.shape == other.array.shape
        and one.array.dtype == other.array.dtype
        and np.array_equal(one.array, other.array, equal_nan=one.array.dtype.kind == "f")
    )


def _misfits(array: np.ndarray[Any, Any], dataset: Any) -> Iterator[str]:
    """Shape and type are those that the header says, as pydicom reads it."""
    frame = (dataset.Rows, dataset.Columns)
    if dataset.SamplesPerPixel != 1:
        frame = (*frame, dataset.SamplesPerPixel)
    count = int(dataset.get("NumberOfFrames") or 1)
    if array.shape[-len(frame) :] != frame or (array.shape[0] if array.ndim > len(frame) else 1) < count:
        yield f"shape {array.shape}, the header says {count} frames of {frame}"
    if "PixelData" in dataset:
        kind = "i" if dataset.PixelRepresentation == 1 and dataset.BitsAllocated > 1 else "u"
        wanted = np.dtype(f"{kind}{max(1, dataset.BitsAllocated // 8)}")
        if array.dtype != wanted:
            yield f"type {array.dtype}, the header says {wanted}"


def _comparable(dataset: Any, ours: np.ndarray[Any, Any]) -> bool:
    """Whether pydicom's values are those of the standard, where it gives some.

    It takes no notice of High Bit; and it believes an offset table that leaves out items, which are frames to us.
    """
    stored = dataset.get("BitsStored")
    count = int(dataset.get("NumberOfFrames") or 1)
    several = ours.ndim > 2 + (dataset.SamplesPerPixel > 1)
    is_more = several and len(ours) > count and dataset.file_meta.TransferSyntaxUID.is_encapsulated
    return (stored is None or dataset.get("HighBit") == stored - 1) and not is_more


def _only(results: Any) -> Any:
    [(_, result)] = results
    if isinstance(result, BaseException):
        raise result
    return result


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
